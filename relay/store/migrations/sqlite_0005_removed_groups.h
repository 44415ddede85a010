#pragma once

#include <string_view>

namespace sallyport::store {

// A removed group stays for what refers to it, and its name is free. SQLite cannot take away a table's own unique
// constraint: the table is made anew, which needs foreign keys off while it is gone.
inline constexpr std::string_view kSqlite0005RemovedGroups = R"sql(

create table new_agent_groups (
  org        text    not null references organisations (id),
  id         text    not null,
  name       text    not null,
  created_at integer not null,
  removed_at integer,
  primary key (org, id)
) strict, without rowid;
insert into new_agent_groups (org, id, name, created_at) select org, id, name, created_at from agent_groups;
drop table agent_groups;
alter table new_agent_groups rename to agent_groups;
create unique index agent_groups_by_name on agent_groups (org, name) where removed_at is null;

)sql";

}  // namespace sallyport::store
