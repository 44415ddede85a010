#include "agent/connectors/remote/watch_trigger.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/paths.h"
#include "agent/connectors/remote/listing.h"
#include "agent/connectors/settle_watch.h"
#include "agent/connectors/translate.h"
#include "shared/async/blocking.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::connectors::remote {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

constexpr std::chrono::milliseconds kLongestLook = 5min;
constexpr std::chrono::milliseconds kFirstPause = 1s;
constexpr std::chrono::milliseconds kLongestPause = 1min;
constexpr std::chrono::milliseconds kShortestPause = 1s;  // between two looks

// What one recipe watches.
struct Watched {
  std::string connection, path, pattern;
  std::chrono::milliseconds settle, every;
  std::size_t most;
};

StepResult<Watched> read_spec(const TriggerSpec& spec, std::size_t most) {
  const Arguments arguments(spec.arguments);
  SP_TRY(const auto path, arguments.text("path"));
  SP_TRY(auto clean, path_below_root(spec.connection, path));
  return Watched{spec.connection,
                 std::move(clean),
                 arguments.text_or("pattern", "*"),
                 arguments.duration("settle").value_or(30s),
                 arguments.duration("every").value_or(1min),
                 most};
}

// One run of the trigger.
class Watching {
 public:
  using Concern = TriggerSource::Concern;

  Watching(Site site, const Servers& servers, std::string_view name, asio::thread_pool& pool, Watched watched,
           TriggerSink sink, TriggerSource::Trouble trouble)
      : site_(site),
        servers_(servers),
        name_(name),
        pool_(pool),
        watched_(std::move(watched)),
        sink_(std::move(sink)),
        trouble_(std::move(trouble)),
        core_(watched_.settle) {}

  asio::awaitable<StepResult<void>> run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    for (;;) {
      const auto begun = site_.clock.steady();
      auto found = co_await run_stoppable(pool_, [this](std::stop_token stop) { return look(std::move(stop)); });
      if (co_await is_cancelled()) co_return StepResult<void>();
      if (!found && found.error().error_class() == "policy") co_return std::unexpected(std::move(found).error());
      StepResult<void> offered;
      if (found) {
        offered = co_await offer_settled(found->files);
      } else {
        offered = std::unexpected(found.error());
      }
      if (co_await is_cancelled()) co_return StepResult<void>();
      if (offered) {
        co_await tell(Concern::passed_over, passed_over_text(*found));
        pause_ = kFirstPause;
        co_await sleep_until(next_look(begun));
      } else {
        co_await tell(Concern::waits, offered.error().message);
        co_await sleep_for(pause_);
        pause_ = std::min(2 * pause_, kLongestPause);
      }
      if (co_await is_cancelled()) co_return StepResult<void>();
    }
  }

 private:
  static asio::awaitable<bool> is_cancelled() {
    co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  }

  StepResult<Found> look(std::stop_token stop) const {
    const auto& connection = watched_.connection;
    SP_CHECK(to_step(site_.policy.check_action(name_, connection)));
    SP_CHECK(to_step(site_.policy.check_directory(connection, watched_.path)));
    const auto patience = std::min(kLongestLook, site_.policy.limits(connection).run_time);
    const CallLimits limits{site_.clock.steady() + patience, std::move(stop)};
    Listing listing{.pattern = watched_.pattern, .limit = watched_.most};
    listing.wants = [&](const std::string& file) {
      return site_.policy.check_file(connection, policy::FileVerb::read, file).has_value();
    };
    SP_TRY(const auto session, servers_.open(connection, limits));
    SP_TRY(auto* const files, session->files(limits));
    return list_files(*files, watched_.path, listing, limits);
  }

  asio::awaitable<StepResult<void>> offer_settled(std::vector<platform::DirectoryEntry> files) {
    for (const auto& file : core_.look(files, site_.clock.steady())) {
      TriggerEvent event{
          Value(ValueMap{{Value("file"), describe(file)}}),
          fmt::format("{}:{}:{}:{}:{}", name_, watched_.connection, file.name, file.facts.mtime_ns, file.facts.size)};
      SP_CO_CHECK(co_await sink_(std::move(event)));
      core_.confirm(file);
      if (co_await is_cancelled()) break;
    }
    co_return StepResult<void>();
  }

  SteadyTime next_look(SteadyTime begun) const {
    const auto soonest = site_.clock.steady() + kShortestPause;
    return std::max(soonest, std::min<SteadyTime>(begun + watched_.every, core_.next_settling()));
  }

  std::string passed_over_text(const Found& found) const {
    std::string text;
    if (found.over_limit)
      text = fmt::format("more than {} files match: only the first by path are watched", watched_.most);
    if (found.skipped > 0)
      text +=
          fmt::format("{}{} files have names that no recipe can write down", text.empty() ? "" : "; ", found.skipped);
    return text;
  }

  asio::awaitable<void> tell(Concern concern, std::string message) {
    if (message == told_) co_return;
    told_ = message;
    co_await trouble_(concern, std::move(message));
  }

  Site site_;
  const Servers& servers_;
  std::string_view name_;
  asio::thread_pool& pool_;
  Watched watched_;
  TriggerSink sink_;
  TriggerSource::Trouble trouble_;
  SettleWatch core_;
  std::chrono::milliseconds pause_ = kFirstPause;
  std::string told_;
};

}  // namespace

asio::awaitable<StepResult<void>> WatchTrigger::run(TriggerSpec spec, TriggerSink sink, Trouble trouble) {
  auto watched = read_spec(spec, most_);
  if (!watched) co_return std::unexpected(std::move(watched).error());
  SP_CO_CHECK(to_step(site_.policy.check_action(name_, spec.connection)));
  if (auto known = find_connection(site_, spec.connection, servers_->kind()); !known)
    co_return std::unexpected(std::move(known).error());
  Watching watching(site_, *servers_, name_, pool_, *std::move(watched), std::move(sink), std::move(trouble));
  co_return co_await watching.run();
}

}  // namespace sallyport::connectors::remote
