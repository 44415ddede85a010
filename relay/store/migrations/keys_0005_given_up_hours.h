#pragma once

#include <string_view>

namespace sallyport::store {

// Hours whose keys were lost in a restore: they get none again. And what it gave up, until the ledgers have it.
inline constexpr std::string_view kKeys0005GivenUpHours = R"sql(

create table given_up_hours (
  org   text    not null,
  kind  text    not null,
  hours integer not null,
  hour  integer not null,
  primary key (org, kind, hours, hour)
) strict, without rowid;

create table restore_notes (
  id     integer not null primary key,
  org    text    not null,
  detail text    not null
) strict;

)sql";

}  // namespace sallyport::store
