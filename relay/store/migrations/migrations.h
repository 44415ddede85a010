#pragma once

#include <span>
#include <string_view>

namespace sallyport::store {

// One step of the schema. Applied once, in order, in a transaction of its own; never edited after a release.
struct Migration {
  int number;
  std::string_view name;
  std::string_view sql;
};

// From 1 without gaps.
std::span<const Migration> sqlite_migrations();
std::span<const Migration> sqlite_key_migrations();  // of the keys' own database

}  // namespace sallyport::store
