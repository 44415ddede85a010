#pragma once

#include <string_view>

namespace sallyport::store {

// Versions of keys that were lost with a newer keys.db, and given up when this one took its place.
inline constexpr std::string_view kKeys0004GivenUpKeys = R"sql(

create table given_up_keys (
  org     text    not null primary key,
  version integer not null check (version > 0)
) strict, without rowid;

)sql";

}  // namespace sallyport::store
