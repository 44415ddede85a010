#include "proto/sallyport/v1/jobs.pb.h"
#include "tests/link/relay/gateway_rig.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using agent::LinkState;
using agent::Way;

namespace {

bool says(const agent::LinkStatus& status, std::string_view word) {
  return status.last_problem.find(word) != std::string::npos;
}

}  // namespace

ASYNC_TEST_CASE("a revoked agent is cut at once, told why, and cannot come back", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled(), other = co_await rig.enrolled();
  RealAgent agent(rig, identity), bystander(rig, other);
  agent.start();
  bystander.start();
  bool ready = co_await agent.until_ready();
  REQUIRE(ready);
  ready = co_await bystander.until_ready();
  REQUIRE(ready);

  const auto begun = std::chrono::steady_clock::now();
  must(co_await rig.world.revocations.revoke_agent(rig.tenant.org, identity.id.agent));
  const bool refused = co_await rig.until([&] { return agent.status().state == LinkState::refused; });
  REQUIRE(refused);
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
  CHECK(says(agent.status(), "this agent was revoked"));
  CHECK(agent.status().disowned == "revoked");
  CHECK_FALSE(rig.links.link_of(rig.tenant.org, identity.id.agent));
  CHECK(bystander.status().state == LinkState::ready);

  for (char boot = 2; boot < 4; ++boot) {
    RealAgent restarted(rig, identity, "none", boot);
    restarted.start();
    const bool again = co_await rig.until([&] { return restarted.status().state == LinkState::refused; });
    CHECK(again);
    CHECK(says(restarted.status(), "revoked"));
    CHECK(restarted.links == 0);
    co_await restarted.finish();
  }
  CHECK(agent.links == 1);
  const bool audited = co_await rig.audited(rig.tenant.org, {"link.open", "refused", identity.id.agent.value});
  CHECK(audited);
  co_await agent.finish();
  co_await bystander.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("of two copies of one identity the second is refused while the first lives", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  RealAgent first(rig, identity, "none", 1), copy(rig, identity, "none", 2);
  first.start();
  const bool ready = co_await first.until_ready();
  REQUIRE(ready);
  copy.start();
  const bool refused = co_await rig.until([&] { return says(copy.status(), "another process with this identity"); });
  REQUIRE(refused);
  CHECK(says(copy.status(), "enrol it anew"));
  CHECK(copy.status().disowned == "quarantined");
  CHECK(copy.links == 0);
  CHECK(first.status().state == LinkState::ready);
  CHECK(first.links == 1);
  const bool audited = co_await rig.audited(rig.tenant.org, {"agent.quarantine", identity.id.agent.value});
  CHECK(audited);

  co_await first.finish();  // gone for good: whoever comes next is the agent
  const bool gone = co_await rig.until([&] { return rig.links.count() == 0; });
  REQUIRE(gone);
  co_await copy.finish();
  RealAgent restarted(rig, identity, "none", 2);
  restarted.start();
  const bool now_ready = co_await restarted.until_ready();
  CHECK(now_ready);
  CHECK(restarted.status().disowned.empty());
  co_await restarted.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("the same process coming again takes the place of its older link", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  RealAgent before(rig, identity, "none", 1), after(rig, identity, "none", 1);
  before.start();
  bool ready = co_await before.until_ready();
  REQUIRE(ready);
  after.start();
  ready = co_await after.until_ready();
  REQUIRE(ready);
  const bool replaced = co_await rig.until([&] { return says(before.status(), "a newer link of the same agent"); });
  CHECK(replaced);
  CHECK(rig.links.count() == 1);
  co_await before.finish();
  CHECK(rig.links.count() == 1);
  CHECK(after.status().state == LinkState::ready);
  co_await after.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("a certificate is renewed over the live link, and its old copy is of no use afterwards", "[link]") {
  const auto way = GENERATE(Way::direct, Way::websocket);
  INFO(static_cast<int>(way));
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto agent = co_await rig.linked(identity, 1, way);
  rig.world.clock.advance(std::chrono::hours(21 * 24));
  const bool renewed = co_await rig.until([&] { return agent->identities.installed == 1; });
  REQUIRE(renewed);
  CHECK(agent->links == 1);
  const auto fresh = must(agent->identities.load());
  CHECK(fresh.id == identity.id);
  CHECK(fresh.chain[0].serial() != identity.chain[0].serial());
  CHECK(fresh.key.public_key_der() != identity.key.public_key_der());
  const bool audited = co_await rig.audited(rig.tenant.org, {"certificate.renew", identity.id.agent.value});
  CHECK(audited);
  co_await agent->finish();

  const auto next = co_await rig.linked(fresh, 1, way);
  RealAgent thief(rig, identity, "none", 9, way);
  thief.start();
  const bool refused = co_await rig.until([&] { return says(thief.status(), "old copy"); });
  CHECK(refused);
  CHECK(thief.links == 0);
  CHECK(next->status().state == LinkState::ready);
  co_await thief.finish();
  co_await next->finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("certificates that are no good are refused before any frame", "[link]") {
  auto loop = co_await asio::this_coro::executor;
  GatewayRig rig(loop), foreign(loop);
  co_await rig.start();
  co_await foreign.start();
  const auto good = co_await rig.enrolled();
  auto stranger = co_await foreign.enrolled();
  stranger.relay = rig.endpoint();
  stranger.root = good.root;  // so that it accepts the relay, and only the relay has to judge
  auto raw = co_await RawAgent::connect(rig, stranger);
  if (raw) {  // with TLS 1.3 the client learns it by its first read
    const auto heard = co_await raw->listen();
    CHECK_FALSE(heard.welcomed);
    CHECK(heard.closed);
  }
  const bool logged = co_await rig.until([&] { return rig.lines.has({"link.refused", "tls.wrong_ca"}); });
  CHECK(logged);

  rig.world.clock.advance(std::chrono::hours(24 * 31));
  RealAgent late(rig, good);
  late.start();
  const bool expired = co_await rig.until([&] { return rig.lines.has({"link.refused", "tls.expired"}); });
  CHECK(expired);
  CHECK(late.links == 0);
  co_await late.finish();
  co_await rig.finish();
  co_await foreign.finish();
}

// Its relay may have been started without its database: that must not switch an agent off for good.
ASYNC_TEST_CASE("a certificate of the right issuer that is not on file is refused, audited, and may come back",
                "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  auto identity = co_await rig.enrolled();
  auto key = must(crypto::PrivateKey::generate());
  auto request = must(crypto::SigningRequest::from_der(must(crypto::make_signing_request(key))));
  const auto issued = must(co_await rig.world.authority.issue(rig.tenant.org, identity.id.agent, std::move(request)));
  identity.key = std::move(key);
  identity.chain = {issued.certificate, issued.chain.front()};
  RealAgent agent(rig, identity);
  agent.start();
  const bool refused = co_await rig.until([&] { return says(agent.status(), "no such certificate"); });
  CHECK(refused);
  CHECK(agent.links == 0);
  CHECK(agent.status().state == LinkState::connecting);
  CHECK(agent.status().disowned.empty());
  const bool audited = co_await rig.audited(rig.tenant.org, {"link.open", "tls.unknown_serial"});
  CHECK(audited);
  must(co_await rig.world.stores.certificates.add(rig.tenant.org, identity.id.agent, issued.row));
  co_await agent.finish();  // it would come again in a minute
  const auto later = co_await rig.linked(identity);
  co_await later->finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("reports are acknowledged when they are stored, and not before", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  RealAgent agent(rig, identity);
  rig.faults.refuses = [](std::string_view call) { return call == "jobs.find"; };
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    v1::ToRelay message;
    auto& report = *message.mutable_report();
    report.set_seq(seq);
    report.set_job_id(crypto::new_id<JobId>(rig.world.clock).value);  // unknown: spent, once it can be looked up
    report.set_lease_epoch(1);
    report.mutable_step_log()->set_text("a line");
    agent.send(message);
  }
  agent.start();
  const bool tried = co_await rig.until([&] { return rig.lines.has({"report.not_stored"}); });
  REQUIRE(tried);
  const auto acked = [&] {
    std::uint64_t newest = 0;
    for (const auto& message : agent.told) newest = std::max<std::uint64_t>(newest, message.acked().seq());
    return newest;
  };
  CHECK(acked() == 0);
  rig.faults.refuses = nullptr;
  const bool all = co_await rig.until([&] { return acked() == 3; });
  CHECK(all);
  CHECK(agent.status().state == LinkState::ready);
  co_await agent.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("a relay that stops tells its agents", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto agent = co_await rig.linked(identity);
  co_await rig.finish();
  CHECK(agent->went_away == "the relay stops");
  CHECK(rig.links.count() == 0);
  co_await agent->finish();
}

// Without that it would be linked to a relay that is ending, until that cuts it off.
ASYNC_TEST_CASE("who ends its handshake while the relay stops is told to come again", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor, {.handshake = 60s, .drain = 60s});
  co_await rig.start();
  auto on_the_way = co_await rig.connect();
  const auto identity = co_await rig.enrolled(), late = co_await rig.enrolled();  // accepted after it
  auto busy = co_await RawAgent::connect(rig, identity);
  REQUIRE(busy);
  const bool up = co_await busy->greet(hello({.capabilities = {"jobs", std::string(link::kLinks)}}));
  REQUIRE(up);
  co_await busy->write(frame(1, mux::FrameType::open, "jobs/1"));
  const bool works = co_await rig.until([&] {
    const auto state = rig.links.link_of(rig.tenant.org, identity.id.agent);
    return state && state->each.at(0).jobs;
  });
  REQUIRE(works);

  TaskGroup stop(rig.loop, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); });
  stop.spawn("stop", rig.finish());
  const bool told = co_await busy->until_sent_away();
  CHECK(told);
  auto raw = co_await RawAgent::connect(rig, late, tls::kLinkProtocol, std::move(on_the_way));
  REQUIRE(raw);
  const bool welcomed = co_await raw->greet(hello());
  CHECK_FALSE(welcomed);
  const auto heard = co_await raw->listen();
  CHECK(heard.refusal == "overloaded: the relay stops");
  busy->close();
  co_await stop.join();
}

// Both limits at one: the next is served when the one before has ended, without a further one having to come.
ASYNC_TEST_CASE("places under the limits are given back", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor,
                 {.connections = 1, .door = {.guests = 1, .handshakes = 1}, .handshake = 300ms});
  co_await rig.start();
  for (int i = 0; i < 3; ++i) {
    const auto silent = co_await rig.connect();
    const auto identity = co_await rig.enrolled();  // has to wait for the end of the silent one's handshake
    const auto agent = co_await rig.linked(identity);
    co_await agent->finish();
  }
  CHECK(rig.lines.has({"link.refused", "tls.timed_out"}));
  co_await rig.finish();
}
