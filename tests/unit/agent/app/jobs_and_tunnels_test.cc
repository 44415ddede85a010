#include "agent/app/jobs_and_tunnels.h"

#include "tests/unit/shared/link/link_fixture.h"

namespace sallyport::app {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct NoLog final : LogSink {
  void write(std::string_view) override {}
};

// Work that never ends by itself.
struct Jobs final : agent::LinkWork {
  bool running = false;
  int pings = 0;
  int states = 0;
  std::string went_away;

  asio::awaitable<void> on_jobs(link::Session& session) override {
    co_await asio::this_coro::throw_if_cancelled(false);
    running = true;
    while (!session.ended()) co_await sleep_for(1ms);
    running = false;
  }
  std::string policy_summary_json() override { return "{}"; }
  void on_ping(link::Session&, std::uint64_t) override { ++pings; }
  void on_go_away(link::Session&, const std::string& reason, std::chrono::milliseconds) override { went_away = reason; }
  void on_state(const agent::LinkStatus&) override { ++states; }
};

}  // namespace

ASYNC_TEST_CASE("tunnels run beside the jobs, to which everything else goes", "[app][tunnel]") {
  test::LinkPair link(co_await asio::this_coro::executor);
  NoLog sink;
  const SystemClock clock;
  const Log log(sink, clock);
  const policy::Policy nothing;
  tunnel::TunnelServer tunnels(link.on, nothing, log);
  Jobs jobs;
  int revoked = 0;
  JobsAndTunnels work(jobs, tunnels, [&] { ++revoked; });
  link.agent_options.serves = tunnel::services();
  link.agent.owner.work = [&](link::Session& session) {
    session.spawn("tunnels", work.on_link(session));
    return work.on_jobs(session);
  };
  link.start();
  const bool ready = co_await link.until([&] { return link.relay.session->proven() && jobs.running; });
  REQUIRE(ready);
  {
    const auto channel = link.relay.session->open_channel("tunnel/1 db.internal:5432");
    REQUIRE(channel);
    const auto why = co_await channel->wait_broken();
    CHECK(why.code == Errc::forbidden);
    CHECK(jobs.running);
  }
  work.on_go_away(*link.agent.session, "the relay restarts", 1s);
  CHECK(jobs.went_away == "the relay restarts");
  work.on_state({});
  work.on_state({.state = agent::LinkState::refused, .disowned = "quarantined"});
  work.on_state({.state = agent::LinkState::connecting, .disowned = "revoked"});  // it may come back
  work.on_state({.state = agent::LinkState::refused, .disowned = "revoked"});     // refused for its version since
  CHECK(revoked == 0);
  work.on_state({.state = agent::LinkState::refused, .disowned = "revoked", .revoked = true});
  CHECK(revoked == 1);
  CHECK(jobs.states == 5);
  CHECK(work.policy_summary_json() == "{}");
  work.on_ping(*link.agent.session, 0);
  CHECK(jobs.pings == 1);
  link.relay.session->stop("test is over");
  co_await link.join();
  co_await tunnels.finish();
  CHECK_FALSE(jobs.running);
}

}  // namespace sallyport::app
