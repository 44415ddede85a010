#include "relay/keys/backup_shelf.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

namespace sallyport::keys {
namespace {

constexpr std::string_view kPrefix = "keys-";
constexpr std::string_view kSuffix = ".db";
constexpr std::size_t kNewestKept = 2;

}  // namespace

std::string backup_name(const Backup& backup) {
  auto at = rfc3339(backup.at);
  std::ranges::replace(at, ':', '.');
  return fmt::format("{}{}-{}{}", kPrefix, backup.epoch, at, kSuffix);
}

std::optional<Backup> parse_backup_name(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  auto rest = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  Backup backup;
  const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), backup.epoch);
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  if (problem != std::errc() || !rest.starts_with('-') || rest.size() < 18) return std::nullopt;
  std::string at(rest.substr(1));
  at[13] = at[16] = ':';
  const auto time = parse_rfc3339(at);
  if (!time) return std::nullopt;
  backup.at = *time;
  if (backup_name(backup) != name) return std::nullopt;
  return backup;
}

std::vector<Backup> superfluous(std::vector<Backup> all, WallTime now, std::chrono::milliseconds keep) {
  std::ranges::sort(all, std::greater());
  std::vector<Backup> gone;
  std::set<std::chrono::sys_days> days;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const bool in_time = all[i].at + keep > now && all[i].at < now + std::chrono::days(1);
    const bool last_of_day = days.insert(std::chrono::floor<std::chrono::days>(all[i].at)).second;
    if (!in_time || (i >= kNewestKept && !last_of_day)) gone.push_back(all[i]);
  }
  return gone;
}

}  // namespace sallyport::keys
