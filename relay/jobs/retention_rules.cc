#include "relay/jobs/retention_rules.h"

namespace sallyport::jobs {
namespace {

std::optional<domain::Hours> hours_of(const std::optional<recipe::milliseconds>& written) {
  return written ? std::optional(domain::to_hours(*written)) : std::nullopt;
}

}  // namespace

domain::AskedRetention asked_of(const recipe::Recipe& recipe) {
  return {.payload = hours_of(recipe.retention.payload),
          .logs = hours_of(recipe.retention.logs),
          .archive = hours_of(recipe.retention.archive)};
}

store::awaitable<Result<domain::RetentionLevels>> RetentionRules::levels(OrgId org) {
  if (const auto it = kept_.find(org); it != kept_.end() && clock_.steady() < it->second.until)
    co_return it->second.levels;
  const auto asked = forgotten_;
  SP_CO_TRY(const auto found, co_await retentions_.find(org));
  if (asked != forgotten_) co_return found;  // perhaps read before the change that made it forget
  if (kept_.size() >= kMaxRetentionsKept) kept_.clear();
  kept_.insert_or_assign(std::move(org), Kept{found, clock_.steady() + kRetentionKeptFor});
  co_return found;
}

store::awaitable<Result<domain::JobRetention>> RetentionRules::in_effect(OrgId org, domain::AskedRetention asked) {
  SP_CO_TRY(const auto limits, co_await levels(std::move(org)));
  co_return domain::effective(limits, asked);
}

store::awaitable<Result<std::uint32_t>> RetentionRules::hours_now(OrgId org, store::RetentionLane lane) {
  const auto kind = domain::parse_retention_class(lane.kind);
  if (!kind) co_return lane.hours;
  const auto limits = co_await levels(std::move(org));
  if (!limits && limits.error().code == Errc::not_found) co_return lane.hours;
  if (!limits) co_return std::unexpected(limits.error());
  co_return static_cast<std::uint32_t>(domain::effective(*kind, *limits).count());
}

store::awaitable<Error> RetentionRules::payload_ended(store::Job job) {
  const auto kept = co_await in_effect(job.org, domain::as_asked(job.retention));
  const auto end =
      job.finished_at ? domain::expiry_of(*job.finished_at, kept.value_or(job.retention).payload) : std::nullopt;
  std::string why = "the retention of its data has ended";
  if (end && *end <= clock_.wall()) why = "the retention of its data ended on " + rfc3339(*end);
  if (end && *end > clock_.wall()) why = "the key of its data was lost and given up";
  co_return Error{Errc::conflict,
                  why + ": nothing is left of what the job worked with; start the recipe anew with its data"};
}

void RetentionRules::forget() {
  kept_.clear();
  ++forgotten_;
}

}  // namespace sallyport::jobs
