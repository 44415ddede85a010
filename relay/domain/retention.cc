#include "relay/domain/retention.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::domain {
namespace {

constexpr std::array<std::string_view, kRetentionClasses.size()> kNames = {"payload", "logs", "server_logs", "audit",
                                                                           "archive"};
static_assert(kNames.size() == static_cast<std::size_t>(RetentionClass::archive) + 1);
constexpr std::string_view kNever = "none";

constexpr Hours days(int count) { return Hours(24 * count); }

Result<Hours> zero_retention(RetentionLevel level, RetentionClass one) {
  if (one != RetentionClass::payload) return fail(Errc::invalid, "must be a duration: only payload may be none");
  if (level == RetentionLevel::platform)
    return fail(Errc::invalid, "must be a duration: only an organisation or a recipe may say none");
  return kKeptNever;
}

}  // namespace

std::string_view to_string(RetentionClass one) { return kNames[static_cast<std::size_t>(one)]; }

Result<RetentionClass> parse_retention_class(std::string_view text) {
  const auto found = std::ranges::find(kNames, text);
  if (found != kNames.end()) return kRetentionClasses[static_cast<std::size_t>(found - kNames.begin())];
  std::string message = "unknown retention class";
  if (auto close = nearest(text, kNames)) message += ": did you mean " + std::string(*close) + "?";
  return fail(Errc::invalid, std::move(message));
}

Hours default_retention(RetentionClass one) {
  switch (one) {
    case RetentionClass::payload: return days(45);
    case RetentionClass::logs: return days(14);
    case RetentionClass::server_logs: return days(30);
    case RetentionClass::audit: return days(365);
    case RetentionClass::archive: break;  // each archive has its own end
  }
  return kMostRetention;
}

bool may_set(RetentionLevel level, RetentionClass one) {
  switch (level) {
    case RetentionLevel::platform: return true;
    case RetentionLevel::organisation: return one != RetentionClass::server_logs;
    case RetentionLevel::recipe: break;
  }
  return one == RetentionClass::payload || one == RetentionClass::logs || one == RetentionClass::archive;
}

Result<Hours> parse_retention(RetentionLevel level, RetentionClass one, std::string_view text) {
  if (text == kNever) return zero_retention(level, one);
  const auto written = parse_duration(text);
  if (!written) return fail(Errc::invalid, "must be a duration such as 36h or 14d");
  const auto kept = std::chrono::duration_cast<Hours>(*written);
  if (kept != *written) return fail(Errc::invalid, "must be whole hours");
  if (kept < kLeastRetention || kept > kMostRetention) {
    return fail(Errc::invalid, fmt::format("must be from {} to {}", format_retention(kLeastRetention),
                                           format_retention(kMostRetention)));
  }
  return kept;
}

std::string format_retention(Hours kept) { return kept == kKeptNever ? std::string(kNever) : format_duration(kept); }

Hours to_hours(std::chrono::milliseconds written) { return std::chrono::ceil<Hours>(written); }

Hours allowed_by(const RetentionLimits& platform, RetentionClass one) {
  return platform[one].value_or(default_retention(one));
}

Hours effective(RetentionClass one, const RetentionLevels& levels, std::optional<Hours> recipe) {
  const Hours allowed = allowed_by(levels.platform, one);
  return std::min({allowed, levels.organisation[one].value_or(allowed), recipe.value_or(allowed)});
}

JobRetention effective(const RetentionLevels& levels, const AskedRetention& asked) {
  return {.payload = effective(RetentionClass::payload, levels, asked.payload),
          .logs = effective(RetentionClass::logs, levels, asked.logs),
          .archive = asked.archive ? effective(RetentionClass::archive, levels, asked.archive) : kKeptNever};
}

AskedRetention as_asked(const JobRetention& got) {
  return {.payload = got.payload,
          .logs = got.logs,
          .archive = got.archive == kKeptNever ? std::nullopt : std::optional(got.archive)};
}

bool shortens(const RetentionLevels& before, const RetentionLevels& after) {
  return std::ranges::any_of(kRetentionClasses,
                             [&](auto one) { return effective(one, after) < effective(one, before); });
}

std::optional<WallTime> expiry_of(WallTime ended, Hours kept) {
  if (kept == kKeptNever) return std::nullopt;
  return WallTime(std::chrono::floor<Hours>(ended.time_since_epoch()) + Hours(1) + kept);
}

}  // namespace sallyport::domain
