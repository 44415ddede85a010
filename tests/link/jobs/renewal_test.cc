// Certificates change under a link that works.
#include "tests/link/jobs/working_agent.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using runner::test::EngineBench;

namespace {

constexpr auto kTwoThirds = std::chrono::hours(21 * 24);

// The identity file of an agent that is killed at a chosen moment of the installation of a new one: what is on the disk
// stays, what was in memory is gone.
class MortalStore final : public agent::IdentityStore {
 public:
  enum class Dies { never, before, after };
  explicit MortalStore(std::string path) : file_(std::move(path)) {}
  Result<agent::Identity> load() const override { return file_.load(); }
  Result<void> install(const agent::Identity& identity) override {
    if (dead) return fail(Errc::unavailable, "killed");
    if (dies != Dies::before) SP_CHECK(file_.install(identity));
    dead = dies != Dies::never;
    ++installed;
    return dead ? fail(Errc::unavailable, "killed") : Result<void>();
  }
  Dies dies = Dies::never;
  bool dead = false;
  int installed = 0;

 private:
  agent::FileIdentityStore file_;
};

std::string file_of(EngineBench& bench) { return (bench.dir / "identity").string(); }

awaitable<bool> is_refused_as_old(GatewayRig& rig, const agent::Identity& copy) {
  RealAgent thief(rig, copy, "none", 9);
  thief.start();
  const bool refused =
      co_await rig.until([&] { return thief.status().last_problem.find("old copy") != std::string::npos; });
  const bool served = thief.links > 0;
  co_await thief.finish();
  co_return refused && !served;
}

}  // namespace

ASYNC_TEST_CASE("a certificate is renewed while jobs run: none is lost, none runs twice", "[link][renewal]") {
  auto loop = co_await asio::this_coro::executor;
  GatewayRig rig(loop);
  co_await rig.start();
  Orders orders(rig);
  co_await orders.prepare();
  EngineBench bench(loop);
  MortalStore identities(file_of(bench));
  const auto old = co_await rig.enrolled();
  must(identities.install(old));
  co_await bench.open();
  WorkingAgent agent(rig, bench, identities, rig.endpoint());
  agent.start();
  const bool ready = co_await agent.until_ready();
  REQUIRE(ready);

  bench.command.hold();
  co_await orders.start(10);
  const bool begun = co_await rig.until([&] { return bench.command.begun() > 0; });
  REQUIRE(begun);
  for (int round = 1; round <= 3; ++round) {  // the third certificate is renewed like the first
    rig.world.clock.advance(kTwoThirds);
    co_await orders.start(5);
    const bool renewed = co_await rig.until([&] { return identities.installed == 1 + round; });
    REQUIRE(renewed);
    if (round == 1) bench.command.release();
  }
  const bool done = co_await orders.all_succeeded();
  CHECK(done);
  CHECK(each_step_once(bench, orders));
  CHECK(agent.links == 1);  // on one and the same link
  const auto fresh = must(identities.load());
  CHECK(fresh.chain[0].serial() != old.chain[0].serial());
  co_await agent.finish();

  WorkingAgent next(rig, bench, identities, rig.endpoint());
  next.start();
  const bool back = co_await next.until_ready();
  REQUIRE(back);
  const auto row =
      must(co_await rig.world.stores.certificates.find(rig.tenant.org, store::Serial(fresh.chain[0].serial())));
  const auto agent_row = must(co_await rig.world.stores.agents.find(rig.tenant.org, old.id.agent));
  CHECK(agent_row.generation == row.generation);  // the newest certificate is the one that was shown
  co_await orders.start(5);
  const bool done_too = co_await orders.all_succeeded();
  CHECK(done_too);
  CHECK(each_step_once(bench, orders));
  co_await next.finish();
  co_await bench.close();
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent killed in the middle of a renewal links again and loses no job", "[link][renewal]") {
  auto loop = co_await asio::this_coro::executor;
  for (const auto dies : {MortalStore::Dies::before, MortalStore::Dies::after}) {
    INFO((dies == MortalStore::Dies::before ? "before" : "after") << " the new certificate was stored");
    GatewayRig rig(loop);
    co_await rig.start();
    Orders orders(rig);
    co_await orders.prepare();
    EngineBench bench(loop);
    MortalStore identities(file_of(bench));
    const auto old = co_await rig.enrolled();
    must(identities.install(old));
    identities.dies = dies;
    co_await bench.open();
    WorkingAgent agent(rig, bench, identities, rig.endpoint());
    agent.start();
    const bool ready = co_await agent.until_ready();
    REQUIRE(ready);
    bench.command.hold();
    co_await orders.start(10);
    const bool begun = co_await rig.until([&] { return bench.command.begun() > 0; });
    REQUIRE(begun);
    rig.world.clock.advance(kTwoThirds);
    const bool dead = co_await rig.until([&] { return identities.dead; });
    REQUIRE(dead);
    co_await agent.finish();
    co_await bench.close();
    const auto cut_off = static_cast<std::size_t>(bench.command.begun());
    bench.command.release();

    MortalStore after(file_of(bench));
    const auto found = must(after.load());
    CHECK((found.chain == old.chain) == (dies == MortalStore::Dies::before));
    co_await bench.open();
    WorkingAgent again(rig, bench, after, rig.endpoint());
    again.start();
    const bool back = co_await again.until_ready();
    REQUIRE(back);
    if (dies == MortalStore::Dies::before) {  // what it could not keep it asks for again
      const bool renewed = co_await rig.until([&] { return after.installed == 1; });
      CHECK(renewed);
    }
    co_await orders.start(5);
    const bool done = co_await orders.all_succeeded();
    CHECK(done);
    const auto runs = runs_of(bench);
    CHECK(runs.steps == kStepsOfOrder * orders.jobs());
    CHECK(runs.repeated == cut_off);  // those that were running, and nothing else
    co_await again.finish();
    if (dies == MortalStore::Dies::after) {
      const bool refused = co_await is_refused_as_old(rig, old);
      CHECK(refused);
    }
    co_await bench.close();
    co_await rig.finish();
  }
}

// The relay stops between issuing a certificate and the agent's receiving it.
ASYNC_TEST_CASE("a certificate that never arrived does not make the old one old", "[link][renewal]") {
  auto loop = co_await asio::this_coro::executor;
  GatewayRig rig(loop);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto key = must(crypto::PrivateKey::generate());
  auto peer = tls::check_agent_chain(std::vector{identity.chain[0], identity.chain[1], identity.root},
                                     rig.world.deployment.trust_domain);
  REQUIRE(peer);
  for (int i = 0; i < 3; ++i) must(co_await rig.world.renewals.renew(*peer, must(crypto::make_signing_request(key))));
  for (int i = 0; i < 2; ++i) {
    RealAgent agent(rig, identity);
    agent.start();
    const bool ready = co_await agent.until_ready();
    CHECK(ready);
    co_await agent.finish();
  }
  co_await rig.finish();
}
