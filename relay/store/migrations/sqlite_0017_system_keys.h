#pragma once

#include <string_view>

namespace sallyport::store {

// Credentials that are sealed to agents, and the agents' public keys to seal them to.
inline constexpr std::string_view kSqlite0017SystemKeys = R"sql(

create table sealing_keys (
  org        text    not null,
  agent      text    not null,
  generation integer not null check (generation > 0),
  statement  blob    not null,
  said_at    integer not null,
  primary key (org, agent),
  foreign key (org, agent) references agents (org, id)
) strict, without rowid;

create table system_keys (
  org         text    not null,
  name        text    not null,
  group_id    text    not null,
  version     integer not null check (version > 0),
  value_names text    not null,
  set_by      text    not null,
  set_at      integer not null,
  primary key (org, name),
  foreign key (org, group_id) references agent_groups (org, id)
) strict, without rowid;

create table system_key_copies (
  org         text    not null,
  name        text    not null,
  agent       text    not null,
  generation  integer not null check (generation > 0),
  sealed_copy blob    not null,
  held        text    not null default 'untold' check (held in ('untold', 'held', 'unopenable')),
  primary key (org, name, agent),
  foreign key (org, name) references system_keys (org, name) on delete cascade,
  foreign key (org, agent) references agents (org, id)
) strict, without rowid;
create index system_key_copies_by_agent on system_key_copies (org, agent);

)sql";

}  // namespace sallyport::store
