#pragma once

#include <string_view>

namespace sallyport::store {

// Addresses at which senders start jobs of a recipe.
inline constexpr std::string_view kSqlite0021Webhooks = R"sql(

create table webhooks (
  org              text    not null,
  id               text    not null,
  recipe           text    not null,
  name             text    not null,
  proof            text    not null,
  signature_header text    not null,
  sealed_secrets   blob    not null,
  secret_set_at    integer not null,
  old_secret_until integer,
  created_by       text    not null,
  created_at       integer not null,
  primary key (org, id),
  foreign key (org, recipe) references recipes (org, id)
) strict, without rowid;
create unique index webhooks_by_id on webhooks (id);
create index webhooks_by_recipe on webhooks (org, recipe);

)sql";

}  // namespace sallyport::store
