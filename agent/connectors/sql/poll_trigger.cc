#include "agent/connectors/sql/poll_trigger.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/sql/poll_batch.h"
#include "agent/connectors/sql/sql_actions_parts.h"
#include "agent/connectors/translate.h"
#include "shared/async/blocking.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <array>

namespace sallyport::connectors::sql {
namespace asio = boost::asio;
namespace {

constexpr std::string_view kName = "sql.poll@1";
constexpr std::chrono::milliseconds kLongestPoll{60'000};
constexpr std::chrono::milliseconds kFirstPause{1'000};
constexpr std::chrono::milliseconds kLongestPause{60'000};
constexpr std::size_t kMostBytes = 240u << 10;  // the data of a trigger has at most 256 KiB
constexpr std::array<std::string_view, 5> kPassing{"connection", "timeout", "transaction", "disk_full", "cancelled"};

// What one recipe polls.
struct Poll {
  std::string connection, statement, column;
  Value start;
  std::chrono::milliseconds every;
  std::size_t rows;
};

StepResult<Poll> read_spec(const TriggerSpec& spec) {
  const Arguments arguments(spec.arguments);
  Poll poll{.connection = spec.connection};
  SP_TRY(poll.statement, arguments.text("statement"));
  SP_TRY(poll.column, arguments.text("cursor"));
  SP_TRY(const auto* start, arguments.any("start"));
  SP_TRY(const auto rows, arguments.integer("batch"));
  poll.start = *start;
  poll.every = arguments.duration("every").value_or(std::chrono::minutes(1));
  poll.rows = static_cast<std::size_t>(rows);
  return poll;
}

// A cursor is good for one connection, column and start: who changes `start` begins anew with it. Other changes of the
// statement go on from where it was.
std::string owner_of(const Poll& poll) {
  return fmt::format("{} {} {}", poll.connection, poll.column, stored_json(poll.start));
}

std::string kept_cursor(const Poll& poll, const Value& at) {
  return stored_json(Value(ValueMap{{Value("of"), Value(owner_of(poll))}, {Value("at"), at}}));
}

Value first_cursor(const Poll& poll, const std::optional<std::string>& kept) {
  const auto value = kept ? parse_stored_json(*kept) : fail(Errc::not_found, "none was kept");
  if (!value) return poll.start;
  const auto* of = value->find("of");
  const auto* at = value->find("at");
  return of != nullptr && at != nullptr && *of == Value(owner_of(poll)) ? *at : poll.start;
}

bool may_pass(const StepError& error) { return std::ranges::find(kPassing, error.classes.back()) != kPassing.end(); }

// One run of the trigger.
class Polling {
 public:
  Polling(Site site, const Databases& databases, asio::thread_pool& pool, Poll poll, Value cursor, TriggerSink sink,
          TriggerSource::Trouble trouble)
      : site_(site),
        databases_(databases),
        pool_(pool),
        poll_(std::move(poll)),
        cursor_(std::move(cursor)),
        sink_(std::move(sink)),
        trouble_(std::move(trouble)) {}

  asio::awaitable<StepResult<void>> run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    for (;;) {
      const auto begun = site_.clock.steady();
      auto more = co_await poll_once();
      if (co_await is_cancelled()) co_return StepResult<void>();
      if (!more && !may_pass(more.error())) co_return std::unexpected(std::move(more).error());
      co_await tell(more ? std::string() : more.error().message);
      if (!more) {
        co_await sleep_for(pause_);
        pause_ = std::min(2 * pause_, kLongestPause);
      } else {
        pause_ = kFirstPause;
        if (!*more) co_await sleep_until(begun + poll_.every);
      }
      if (co_await is_cancelled()) co_return StepResult<void>();
    }
  }

 private:
  static asio::awaitable<bool> is_cancelled() {
    co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  }

  // Whether there is more to fetch at once.
  asio::awaitable<StepResult<bool>> poll_once() {
    PollBatch batch(poll_.column, cursor_, {poll_.rows, kMostBytes});
    auto polled = co_await run_stoppable(pool_, [&](std::stop_token stop) { return fetch(batch, std::move(stop)); });
    if (!polled) co_return std::unexpected(std::move(polled).error());
    if (!*polled) co_return false;
    auto& [rows, cursor] = **polled;
    const auto count = static_cast<std::int64_t>(rows.size());
    TriggerEvent event{
        .data = Value(ValueMap{
            {Value("rows"), Value(std::move(rows))}, {Value("count"), Value(count)}, {Value("cursor"), cursor}}),
        .natural_key = fmt::format("{}:{}:{}-{}", kName, owner_of(poll_), stored_json(cursor_), stored_json(cursor)),
        .cursor = kept_cursor(poll_, cursor)};
    SP_CO_CHECK(co_await sink_(std::move(event)));
    cursor_ = std::move(cursor);
    co_return batch.is_full();
  }

  StepResult<std::optional<PollBatch::Polled>> fetch(PollBatch& batch, std::stop_token stop) {
    const auto patience = std::min(kLongestPoll, site_.policy.limits(poll_.connection).run_time);
    const CallLimits limits{site_.clock.steady() + patience, std::move(stop)};
    SP_TRY(const auto target, find_target(site_, databases_, poll_.connection, kName, limits));
    SP_TRY(const auto checked, check_statement(site_, poll_.connection, target, poll_.statement));
    if (checked.verbs != static_cast<policy::SqlVerbs>(policy::SqlVerb::select))
      return step_fail("invalid", "sql.poll only reads; statements that change data belong into sql.execute");
    const Value named(ValueMap{{Value("cursor"), cursor_}});
    SP_TRY(const auto parameters, pick_parameters(checked.statement, named));
    if (parameters.empty())
      return step_fail("invalid", "the statement does not use `:cursor`: it would give the same rows again and again");
    SP_TRY(const auto lease, target.pool->begin(Access::read_only, limits));
    const auto queried = lease->query(checked.statement, parameters, batch, limits);
    if (!queried && !batch.is_full()) return std::unexpected(queried.error());
    lease->rollback();
    return batch.finish();
  }

  asio::awaitable<void> tell(std::string message) {
    if (message == told_) co_return;
    told_ = message;
    co_await trouble_(TriggerSource::Concern::waits, std::move(message));
  }

  Site site_;
  const Databases& databases_;
  asio::thread_pool& pool_;
  Poll poll_;
  Value cursor_;
  TriggerSink sink_;
  TriggerSource::Trouble trouble_;
  std::chrono::milliseconds pause_ = kFirstPause;
  std::string told_;
};

}  // namespace

asio::awaitable<StepResult<void>> PollTrigger::run(TriggerSpec spec, TriggerSink sink, Trouble trouble) {
  SP_CO_CHECK(to_step(site_.policy.check_action(kName, spec.connection)));
  auto poll = read_spec(spec);
  if (!poll) co_return std::unexpected(std::move(poll).error());
  auto cursor = first_cursor(*poll, spec.cursor);
  Polling polling(site_, *databases_, pool_, *std::move(poll), std::move(cursor), std::move(sink), std::move(trouble));
  co_return co_await polling.run();
}

}  // namespace sallyport::connectors::sql
