#pragma once

#include <string_view>

namespace sallyport::store {

// The keys' own database.
inline constexpr std::string_view kKeys0001Initial = R"sql(

create table global_keys (
  version    integer not null primary key check (version > 0),
  wrapped    blob    not null,
  created_at integer not null
) strict;

create table tenant_keys (
  org        text    not null,
  version    integer not null check (version > 0),
  under      integer not null check (under > 0),
  wrapped    blob    not null,
  created_at integer not null,
  primary key (org, version)
) strict, without rowid;

create table ratchets (
  org      text    not null,
  kind     text    not null,
  hours    integer not null check (hours > 0),
  position integer not null,
  sealed   blob    not null,
  primary key (org, kind, hours)
) strict, without rowid;

create table hour_keys (
  org     text    not null,
  kind    text    not null,
  hours   integer not null,
  hour    integer not null,
  under   integer not null check (under > 0),
  wrapped blob    not null,
  primary key (org, kind, hours, hour),
  foreign key (org, kind, hours) references ratchets (org, kind, hours)
) strict, without rowid;

create table anchor (
  only  integer not null primary key check (only = 1),
  epoch integer not null
) strict;
insert into anchor (only, epoch) values (1, 0);

)sql";

}  // namespace sallyport::store
