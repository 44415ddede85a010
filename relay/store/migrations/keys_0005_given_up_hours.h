#pragma once

#include <string_view>

namespace sallyport::store {

// Hours before `before` whose keys were given up, and are not there, get none again: of one organisation, or of all
// where `org` is empty. And what a restore gave up, until the ledgers have it.
inline constexpr std::string_view kKeys0005GivenUpHours = R"sql(

create table given_up_hours (
  org    text    not null primary key,
  before integer not null
) strict, without rowid;

create table restore_notes (
  id     integer not null primary key,
  org    text    not null,
  detail text    not null
) strict;

)sql";

}  // namespace sallyport::store
