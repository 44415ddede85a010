#pragma once

#include "shared/base/clock.h"

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Which backups of keys.db there are, by their names, and which of them may go. Pure.
namespace sallyport::keys {

// A newer one belongs to a later epoch of the anchor, or was made later in the same.
struct Backup {
  std::uint64_t epoch = 0;
  WallTime at;

  friend auto operator<=>(const Backup&, const Backup&) = default;
};

std::string backup_name(const Backup& backup);  // "keys-12-2026-01-31T09.30.00.123Z.db"
std::optional<Backup> parse_backup_name(std::string_view name);

// The newest is always kept, the one before it and the last of each day for `keep`. What was made a day or more after
// `now` was made under a wrong clock, and is not kept.
std::vector<Backup> superfluous(std::vector<Backup> all, WallTime now, std::chrono::milliseconds keep);

}  // namespace sallyport::keys
