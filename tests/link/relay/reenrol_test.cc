// An agent that comes back with a certificate whose time is over, and its way back.
#include "tests/link/relay/gateway_rig.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using agent::LinkState;

namespace {

awaitable<Result<identity::MadeToken>> token_for(GatewayRig& rig, AgentId agent) {
  identity::TokenOrder order{.group = {}, .created_by = rig.tenant.owner, .agent = std::move(agent)};
  co_return co_await rig.world.enrolments.make_token(rig.tenant.org, std::move(order));
}

awaitable<std::string> string_for(GatewayRig& rig, AgentId agent) {
  const auto made = must(co_await token_for(rig, std::move(agent)));
  auto parts = must(crypto::parse_enrolment_string(made.text.reveal()));
  parts.relay_host = rig.endpoint().host;
  parts.relay_port = rig.endpoint().port;
  co_return std::string(must(crypto::format_enrolment_string(parts)).reveal());
}

awaitable<Result<agent::Identity>> enrol_as(GatewayRig& rig, std::string text,
                                            std::optional<crypto::SpiffeId> already) {
  const agent::Dialer dialer(rig.loop, "none", agent::process_environment);
  agent::EnrolSettings settings{"host-1", "sallyport-agent/test", std::move(already)};
  co_return co_await agent::enrol(std::move(text), std::move(settings), dialer, rig.world.clock,
                                  std::chrono::steady_clock::now() + 20s);
}

awaitable<std::uint32_t> generation_of(GatewayRig& rig, AgentId agent) {
  const auto row = must(co_await rig.world.stores.agents.find(rig.tenant.org, std::move(agent)));
  co_return row.generation;
}

bool says(const agent::LinkStatus& status, std::string_view words) {
  return status.last_problem.find(words) != std::string::npos;
}

}  // namespace

ASYNC_TEST_CASE("an agent that was away for two months is refused by name, enrolled again, and is the same agent",
                "[link][enrol]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto name = identity.id.agent.value;
  rig.world.clock.advance(60 * 24h);
  RealAgent away(rig, identity);
  away.start();
  const bool told = co_await rig.until([&] {
    return rig.lines.has({"link.refused", "tls.expired", name}) && says(away.status(), "certificate expired");
  });
  CHECK(told);
  CHECK(says(away.status(), "sallyport agent reenrol"));
  CHECK(away.links == 0);
  co_await away.finish();
  bool audited = co_await rig.audited(rig.tenant.org, {"link.open", "refused", "tls.expired", name});
  CHECK(audited);

  const auto text = co_await string_for(rig, identity.id.agent);
  const auto again = co_await enrol_as(rig, text, identity.id);
  REQUIRE(again);
  CHECK(again->id == identity.id);
  CHECK(again->group == "dc1");
  CHECK(again->key.public_key_der() != identity.key.public_key_der());
  const auto agents = co_await rig.agents();
  CHECK(agents == 1);
  const auto generation = co_await generation_of(rig, identity.id.agent);
  CHECK(generation == 2);
  audited = co_await rig.audited(rig.tenant.org, {"agent.reenrol", "done", name});
  CHECK(audited);
  const auto back = co_await rig.linked(*again);
  co_await back->finish();
  const auto once_more = co_await enrol_as(rig, text, identity.id);
  REQUIRE_FALSE(once_more);
  CHECK(once_more.error().message.find("(used)") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("what an agent had before it was enrolled again is a copy, linked or not", "[link][enrol]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto stolen = co_await rig.enrolled();
  const auto thief = co_await rig.linked(stolen);
  const auto again = co_await enrol_as(rig, co_await string_for(rig, stolen.id.agent), std::nullopt);
  REQUIRE(again);
  CHECK(again->id == stolen.id);
  const bool cut =
      co_await rig.until([&] { return rig.links.count() == 0 && thief->status().disowned == "quarantined"; });
  CHECK(cut);
  const auto owner = co_await rig.linked(*again, 2);
  co_await thief->finish();

  RealAgent later(rig, stolen, "none", 3);
  later.start();
  const bool refused = co_await rig.until([&] { return says(later.status(), "old copy"); });
  CHECK(refused);
  CHECK(later.links == 0);
  CHECK(owner->status().state == LinkState::ready);
  const bool audited = co_await rig.audited(rig.tenant.org, {"agent.quarantine", "tls.old_generation"});
  CHECK(audited);
  co_await later.finish();
  co_await owner->finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("a string that is for another agent, or for a new one, is refused and stays good", "[link][enrol]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto one = co_await rig.enrolled(), other = co_await rig.enrolled();
  const auto for_other = co_await string_for(rig, other.id.agent);
  const auto for_new = co_await rig.string_for(rig.tenant);
  for (const auto& text : {for_other, for_new}) {
    const auto refused = co_await enrol_as(rig, text, one.id);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::conflict);
    CHECK(refused.error().message.find("(agent)") != std::string::npos);
  }
  const auto generation = co_await generation_of(rig, one.id.agent);
  CHECK(generation == 1);
  const auto audited = co_await rig.audited(rig.tenant.org, {"agent.enrol", "refused", "\"agent\""});
  CHECK(audited);
  const auto again = co_await enrol_as(rig, for_other, other.id);
  CHECK(again);
  const auto fresh = co_await enrol_as(rig, for_new, std::nullopt);
  REQUIRE(fresh);
  CHECK_FALSE(fresh->id == one.id);
  const auto agents = co_await rig.agents();
  CHECK(agents == 3);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a revoked agent is not enrolled again", "[link][enrol]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto before = co_await string_for(rig, identity.id.agent);
  must(co_await rig.world.revocations.revoke_agent(rig.tenant.org, identity.id.agent));
  const auto made = co_await token_for(rig, identity.id.agent);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Errc::conflict);
  const auto refused = co_await enrol_as(rig, before, identity.id);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("revoked") != std::string::npos);
  const auto unknown = co_await token_for(rig, crypto::new_id<AgentId>(rig.world.clock));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::not_found);
  co_await rig.finish();
}
