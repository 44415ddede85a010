#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::domain {

// Data that is kept equally long.
enum class RetentionClass : std::uint8_t {
  payload,      // triggers, inputs and outputs of steps
  logs,         // log lines of jobs, messages of errors
  server_logs,  // of the relay itself
  audit,        // audit ledgers
  archive,      // masked records that were put into the archive
};
inline constexpr std::array kRetentionClasses = {RetentionClass::payload, RetentionClass::logs,
                                                 RetentionClass::server_logs, RetentionClass::audit,
                                                 RetentionClass::archive};
std::string_view to_string(RetentionClass one);  // "server_logs"
Result<RetentionClass> parse_retention_class(std::string_view text);

// Who says how long: each may say less than those before it, never more.
enum class RetentionLevel { platform, organisation, recipe };

using Hours = std::chrono::hours;
inline constexpr Hours kKeptNever{0};  // zero retention: of payload only
inline constexpr Hours kLeastRetention{1};
inline constexpr Hours kMostRetention{24 * 3650};

Hours default_retention(RetentionClass one);  // the platform's, until somebody sets another
// A recipe speaks of its jobs only, and the relay's own logs are of all organisations.
bool may_set(RetentionLevel level, RetentionClass one);

// "14d", "36h"; "none" for payload, by an organisation or a recipe. Errc::invalid says what is wrong, as the end of a
// sentence that begins with the name of the field.
Result<Hours> parse_retention(RetentionLevel level, RetentionClass one, std::string_view text);
std::string format_retention(Hours kept);  // "14d", "36h", "none"
// As recipes write it, in smaller units too: never less than what was asked for.
Hours to_hours(std::chrono::milliseconds written);

// What one level has set; nothing for a class leaves it to the level before.
class RetentionLimits {
 public:
  std::optional<Hours>& operator[](RetentionClass one) { return of_[static_cast<std::size_t>(one)]; }
  const std::optional<Hours>& operator[](RetentionClass one) const { return of_[static_cast<std::size_t>(one)]; }
  friend bool operator==(const RetentionLimits&, const RetentionLimits&) = default;

 private:
  std::array<std::optional<Hours>, kRetentionClasses.size()> of_;
};

// What holds for one organisation.
struct RetentionLevels {
  RetentionLimits platform;
  RetentionLimits organisation;

  friend bool operator==(const RetentionLevels&, const RetentionLevels&) = default;
};

// What a job's data is kept for after its end; nothing: the recipe leaves it to its organisation.
struct AskedRetention {
  std::optional<Hours> payload;
  std::optional<Hours> logs;
  std::optional<Hours> archive;  // nothing: not archived
};
struct JobRetention {
  Hours payload = default_retention(RetentionClass::payload);
  Hours logs = default_retention(RetentionClass::logs);
  Hours archive = kKeptNever;  // of its record in the archive

  friend bool operator==(const JobRetention&, const JobRetention&) = default;
};

Hours allowed_by(const RetentionLimits& platform, RetentionClass one);
// The shortest of those that are set.
Hours effective(RetentionClass one, const RetentionLevels& levels, std::optional<Hours> recipe = std::nullopt);
// Whether a recipe's jobs may have any.
inline bool keeps_payload(const RetentionLevels& levels) {
  return effective(RetentionClass::payload, levels) != Hours(0);
}
// Of a new job by what its recipe asks for, and of an old one by what it got: later limits may take from it.
JobRetention effective(const RetentionLevels& levels, const AskedRetention& asked);
AskedRetention as_asked(const JobRetention& got);

// Whether any class is kept for less than before.
bool shortens(const RetentionLevels& before, const RetentionLevels& after);

// From when nobody can read what was kept of a job that ended then: keys are of whole hours. Nothing: it was never
// kept.
std::optional<WallTime> expiry_of(WallTime ended, Hours kept);

}  // namespace sallyport::domain
