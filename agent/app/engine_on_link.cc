#include "agent/app/engine_on_link.h"

#include "agent/runner/jobs_channel.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::app {
namespace asio = boost::asio;
namespace {
constexpr std::size_t kMaxAnswers = 4 * link::kLinkPlaces;
}  // namespace

Value connection_summary(const policy::Connections& connections, const std::vector<runner::ConnectionUse>& uses) {
  ValueList list;
  for (const auto& [name, connection] : connections) {
    ValueMap entry{{Value("name"), Value(name)}, {Value("kind"), Value(connection.kind())}};
    const auto use = std::ranges::find(uses, name, &runner::ConnectionUse::connection);
    if (use != uses.end()) {
      entry.emplace(Value("health"), Value(runner::health_word(*use)));
      entry.emplace(Value("detail"), Value(use->error_class));
      entry.emplace(Value("at_ms"), Value(unix_ms(use->at)));
    }
    list.emplace_back(std::move(entry));
  }
  return Value(ValueMap{{Value("connections"), Value(std::move(list))}});
}

asio::awaitable<void> EngineOnLink::on_jobs(link::Session& session) {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto ended = co_await channel_.run(session);
  log_.info("jobs.channel_ended", {{"message", ended ? "in order" : ended.error().message}});
}

std::string EngineOnLink::policy_summary_json() {
  return to_json(connection_summary(config_.connections, engine_.connection_uses()));
}

void EngineOnLink::on_ping(link::Session& session, std::uint64_t nonce) {
  if (answering_ < kMaxAnswers) session.spawn("pong", answer(session, nonce));
}

// A relay that knows one link only ends it when its jobs channel ends, and with it the tunnels.
void EngineOnLink::on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds) {
  log_.info("link.draining", {{"reason", reason}});
  if (knows(session.peer(), link::kLinks)) channel_.leave(session);
}

bool EngineOnLink::has_to_report() const {
  const auto now = engine_.status();
  return !now.drained || now.outbox.rows > 0;  // what a step came to is on its way to the journal after it has ended
}

void EngineOnLink::on_state(const agent::LinkStatus& status) {
  if (status.state == agent::LinkState::ready) host_.ready("linked to the relay");
  if (status.state == agent::LinkState::refused) engine_.withdraw_leases();  // its jobs may be elsewhere already
  if (!status.disowned.empty()) {
    engine_.suspend("the relay refuses this agent: " + status.disowned);
  } else if (status.state == agent::LinkState::ready) {
    engine_.resume();
  }
  host_.status(fmt::format("{} {}", agent::to_string(status.state), status.last_problem));
}

// A task of the link the ping came on: it never outlives it, and so never answers on a later one (P10.2).
asio::awaitable<void> EngineOnLink::answer(link::Session& session, std::uint64_t nonce) {
  struct Counted {
    std::size_t& count;
    explicit Counted(std::size_t& of) : count(of) { ++count; }
    ~Counted() { --count; }
  };
  const Counted counted(answering_);
  if (co_await engine_.prove_alive()) session.pong(nonce);
}

}  // namespace sallyport::app
