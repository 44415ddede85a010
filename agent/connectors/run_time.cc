#include "agent/connectors/run_time.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::connectors {
namespace {

constexpr auto kEarly = std::chrono::seconds(1);  // native limits count in coarser units, and come a little before

class WithinRunTime final : public Action {
 public:
  WithinRunTime(std::unique_ptr<Action> action, Site site) : action_(std::move(action)), site_(site) {}
  std::string_view name() const override { return action_->name(); }
  bool keeps_ledger(std::string_view connection, const Value& arguments) const override {
    return action_->keeps_ledger(connection, arguments);
  }

  StepResult<void> may_run(const StepContext& context) const override {
    SP_CHECK(check_allowed(site_, context, name()));
    if (context.connection.empty() || site_.connections.contains(context.connection)) return {};
    return step_fail("not_found", fmt::format("this agent has no connection \"{}\"", context.connection));
  }

  StepResult<Output> run(const StepContext& context, const Value& arguments) override {
    return within(context, [&](const StepContext& narrowed) { return action_->run(narrowed, arguments); });
  }
  StepResult<Output> dry_run(const StepContext& context, const Value& arguments) override {
    return within(context, [&](const StepContext& narrowed) { return action_->dry_run(narrowed, arguments); });
  }

 private:
  template <class Work>
  StepResult<Output> within(const StepContext& context, Work work) {
    const auto limit = site_.policy.limits(context.connection).run_time;
    const SteadyTime end = site_.clock.steady() + limit;
    StepContext narrowed = context;
    narrowed.deadline = std::min(context.deadline, end);
    auto result = work(narrowed);
    if (result) return result;
    return std::unexpected(naming_run_time(std::move(result).error(), limit, end, context.deadline, site_.clock));
  }

  std::unique_ptr<Action> action_;
  Site site_;
};

}  // namespace

StepError naming_run_time(StepError error, std::chrono::milliseconds limit, SteadyTime end, SteadyTime deadline,
                          const Clock& clock) {
  const bool caused = error.error_class() == "timeout" && end < deadline && clock.steady() + kEarly >= end;
  if (caused)
    error.message += fmt::format(": {} is the limit of the local policy (limits.run_time)", format_duration(limit));
  return error;
}

std::unique_ptr<Action> within_run_time(std::unique_ptr<Action> action, Site site) {
  return std::make_unique<WithinRunTime>(std::move(action), site);
}

}  // namespace sallyport::connectors
