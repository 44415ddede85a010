#pragma once

#include <string_view>

namespace sallyport::store {

// How long data is kept. Jobs that are there already get what the platform keeps unless it is told otherwise.
inline constexpr std::string_view kSqlite0012Retention = R"sql(

create table platform_retention (
  class text    not null primary key,
  hours integer not null check (hours between 1 and 87600)
) strict, without rowid;

create table organisation_retention (
  org   text    not null references organisations (id),
  class text    not null,
  hours integer not null check (hours between 1 and 87600 or (hours = 0 and class = 'payload')),
  primary key (org, class)
) strict, without rowid;

alter table jobs add column payload_hours integer not null default 1080;
alter table jobs add column logs_hours integer not null default 336;

)sql";

}  // namespace sallyport::store
