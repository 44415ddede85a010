// An agent with two links, on bad days of one of them: its jobs move, and notice nothing.
#include "tests/link/jobs/line.h"
#include "tests/link/jobs/working_agent.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using runner::test::EngineBench;

namespace {

void two_links(agent::SupervisorOptions& options) {
  options.session.self.capabilities.emplace_back(link::kLinks);
  options.second = 0ms;
}

struct Site {
  explicit Site(const asio::any_io_executor& loop, std::uint32_t links = 2)
      : rig(loop, {.drain = 2s, .session = {.heartbeat = 300ms, .links = links}}), orders(rig), bench(loop) {}
  awaitable<void> begin(WorkingAgent::Bend bend = two_links) {
    co_await rig.start();
    co_await orders.prepare();
    must(identities.install(co_await rig.enrolled()));
    who = must(identities.load()).id.agent;
    co_await bench.open();
    line = std::make_unique<Line>(rig.loop, rig.endpoint().port);
    agent = std::make_unique<WorkingAgent>(rig, bench, identities, agent::Endpoint{"127.0.0.1", line->port()},
                                           std::move(bend));
    agent->start();
    const bool ready = co_await agent->until_ready();
    REQUIRE(ready);
  }
  awaitable<void> end() {
    co_await agent->finish();
    co_await bench.close();
    co_await line->finish();
    co_await rig.finish();
  }
  std::vector<sallyport::jobs::LinkFacts> links() const {
    const auto state = rig.links.link_of(rig.tenant.org, who);
    return state ? state->each : std::vector<sallyport::jobs::LinkFacts>();
  }
  // The address of the only link with the jobs; "": there is none now.
  std::string jobs_on() const {
    std::string found;
    for (const auto& one : links()) {
      if (!one.jobs) continue;
      if (!found.empty()) return "";
      found = one.peer;
    }
    return found;
  }
  awaitable<bool> until_linked(std::size_t count) {
    return rig.until(
        [this, count] { return links().size() == count && agent->status().links == count && !jobs_on().empty(); });
  }
  awaitable<void> begin_jobs(int count) {
    bench.command.hold();
    const auto begun = bench.command.begun();
    co_await orders.start(count);
    const bool running = co_await rig.until([&] { return bench.command.begun() > begun; });
    REQUIRE(running);
  }
  awaitable<void> all_done() {
    const bool done = co_await orders.all_succeeded();
    CHECK(done);
    CHECK(each_step_once(bench, orders));
  }

  GatewayRig rig;
  Orders orders;
  EngineBench bench;
  KeptIdentity identities;
  AgentId who;
  std::unique_ptr<Line> line;
  std::unique_ptr<WorkingAgent> agent;
};

}  // namespace

ASYNC_TEST_CASE("the jobs are on one of two links, and both are proven", "[link][links]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  const bool linked = co_await site.until_linked(2);
  REQUIRE(linked);
  CHECK(site.links()[0].jobs);
  CHECK_FALSE(site.links()[1].jobs);
  const bool proven = co_await site.rig.until([&] { return site.links()[1].round_trip.has_value(); });
  CHECK(proven);
  CHECK(site.rig.links.agents() == 1);
  CHECK(site.rig.links.count() == 2);
  CHECK(site.agent->links == 1);
  co_await site.orders.start(5);
  co_await site.all_done();
  co_await site.end();
}

ASYNC_TEST_CASE("the link with the jobs dies again and again while they run: they move to the other one",
                "[link][links]") {
  enum class How { cut, deaf_relay, deaf_agent, black_hole };
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  for (const auto how :
       {How::cut, How::deaf_relay, How::deaf_agent, How::black_hole, How::cut, How::cut, How::black_hole}) {
    INFO(static_cast<int>(how));
    const bool linked = co_await site.until_linked(2);
    REQUIRE(linked);
    const auto before = site.jobs_on();
    const auto had = site.agent->links;
    co_await site.begin_jobs(4);
    if (how == How::cut) site.line->cut(before);
    if (how == How::deaf_relay) site.line->die(before, {.to_agent = true});
    if (how == How::deaf_agent) site.line->die(before, {.to_relay = true});
    if (how == How::black_hole) site.line->die(before, {.to_relay = true, .to_agent = true});
    site.bench.command.release();
    co_await site.orders.start(4);
    const bool moved = co_await site.rig.until([&] { return site.agent->links > had && site.jobs_on() != before; });
    CHECK(moved);
    CHECK(site.agent->status().state == agent::LinkState::ready);  // all the time
    co_await site.all_done();
  }
  CHECK_FALSE(site.rig.lines.has({"job.taken_back", "holder_lost"}));
  co_await site.end();
}

ASYNC_TEST_CASE("the link without jobs dies: the jobs stay where they are", "[link][links]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  bool linked = co_await site.until_linked(2);
  REQUIRE(linked);
  co_await site.begin_jobs(3);
  site.line->cut(site.links()[1].peer);
  linked = co_await site.rig.until([&] { return site.links().size() == 2 && site.line->connections() == 3; });
  CHECK(linked);
  CHECK(site.agent->links == 1);
  site.bench.command.release();
  co_await site.all_done();
  co_await site.end();
}

ASYNC_TEST_CASE("both links die at once: the agent is back, and nothing is repeated", "[link][links]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  for (int round = 0; round < 3; ++round) {
    const bool linked = co_await site.until_linked(2);
    REQUIRE(linked);
    co_await site.begin_jobs(4);
    for (const auto& one : site.links()) site.line->cut(one.peer);
    site.bench.command.release();
    co_await site.all_done();
  }
  co_await site.end();
}

ASYNC_TEST_CASE("a relay that restarts in mid-job hands over: what was said is confirmed, and the agent is back",
                "[link][links]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  for (int round = 1; round <= 3; ++round) {
    const bool linked = co_await site.until_linked(2);
    REQUIRE(linked);
    co_await site.begin_jobs(4);
    const auto begin = std::chrono::steady_clock::now();
    co_await site.rig.restart();
    CHECK(std::chrono::steady_clock::now() - begin < 1500ms);  // nothing is open: it does not wait for the drain to end
    const bool in_order = co_await site.rig.until([&] { return site.agent->in_order == round; });
    CHECK(in_order);
    const bool back = co_await site.agent->until_ready();
    CHECK(back);
    CHECK(std::chrono::steady_clock::now() - begin < 4s);
    site.bench.command.release();
    co_await site.orders.start(2);
    co_await site.all_done();
  }
  CHECK_FALSE(site.rig.lines.has({"job.taken_back", "holder_lost"}));
  co_await site.end();
}

// The links are cut when the drain has begun; the steps end after that.
ASYNC_TEST_CASE("an agent that stops and loses its links links again to report, and then leaves", "[link][links]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  const bool linked = co_await site.until_linked(2);
  REQUIRE(linked);
  co_await site.begin_jobs(3);
  const auto had = site.agent->links;
  TaskGroup leaving(site.rig.loop, [](const auto& task, const auto&) { FAIL_CHECK("a fault in " << task); });
  leaving.spawn("leave", site.agent->leave());
  const bool drains = co_await site.rig.until([&] { return site.agent->status().state == agent::LinkState::draining; });
  REQUIRE(drains);
  for (const auto& one : site.links()) site.line->cut(one.peer);
  const bool back = co_await site.rig.until([&] { return site.agent->links > had && site.line->connections() >= 3; });
  CHECK(back);
  site.bench.command.release();
  co_await leaving.join();
  CHECK(site.agent->status().state == agent::LinkState::stopped);
  CHECK(site.bench.journal->outbox_size().rows == 0);  // all that ran is with the relay
  CHECK(runs_of(site.bench).repeated == 0);
  co_await site.end();
}

ASYNC_TEST_CASE("a relay that wants one link gets one, and so does one that hears of no links", "[link][links]") {
  const bool knows = GENERATE(true, false);
  INFO(knows);
  Site site(co_await asio::this_coro::executor, knows ? 1 : 2);
  co_await site.begin([knows](auto& options) {
    if (knows) two_links(options);
  });
  co_await site.begin_jobs(2);
  site.bench.command.release();
  co_await site.all_done();
  CHECK(site.links().size() == 1);
  CHECK(site.line->connections() == 1);
  co_await site.rig.restart();
  const bool back = co_await site.agent->until_ready();
  CHECK(back);
  co_await site.orders.start(2);
  co_await site.all_done();
  co_await site.end();
}

ASYNC_TEST_CASE("a revoked agent loses every link, and comes back by none", "[link][links]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  const bool linked = co_await site.until_linked(2);
  REQUIRE(linked);
  site.rig.links.cut(site.rig.tenant.org, site.who, "revoked", "this agent was revoked");
  const bool cut = co_await site.rig.until([&] { return site.rig.links.count() == 0; });
  CHECK(cut);
  const bool refused = co_await site.rig.until([&] { return site.agent->status().state == agent::LinkState::refused; });
  CHECK(refused);
  const bool left = co_await site.rig.until([&] { return site.agent->status().links == 0; });
  CHECK(left);
  CHECK(site.line->connections() == 2);
  co_await site.end();
}

ASYNC_TEST_CASE("a copy of the agent is refused while two links of the first one live", "[link][links]") {
  Site site(co_await asio::this_coro::executor);
  co_await site.begin();
  const bool linked = co_await site.until_linked(2);
  REQUIRE(linked);
  RealAgent copy(site.rig, must(site.identities.load()));
  copy.start();
  const bool refused = co_await site.rig.until([&] { return copy.status().disowned == "quarantined"; });
  CHECK(refused);
  CHECK(site.agent->status().links == 2);
  co_await copy.finish();
  co_await site.end();
}
