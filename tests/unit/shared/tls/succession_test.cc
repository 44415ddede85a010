#include "tests/unit/shared/tls/meeting.h"

using namespace sallyport;
using namespace sallyport::test;

namespace {

// A deployment whose root takes over from another, and agents of both.
struct Succession {
  MovableClock clock;
  Pki before{clock};
  Pki after{clock};
  crypto::Certificate cross;

  Succession() : cross((rename(), must(crypto::make_cross_certificate(before.root, after.root.certificate, clock)))) {}
  void rename() {
    after.root = must(crypto::make_root("Test root 2", clock));
    after.org = before.org;
    after.server = must(crypto::make_server_certificate(after.root, {"127.0.0.1", "relay.test"}, clock));
    after.issuer = must(crypto::make_issuing_ca(after.root, after.trust_domain, after.org, clock));
  }
  crypto::Predecessor predecessor() const { return {before.root.certificate, cross}; }
  tls::ServerContext switched() const {
    return must(tls::make_server_context(
        {after.server.certificate, after.server.key, after.root.certificate, after.trust_domain, predecessor()},
        clock));
  }
  // Has renewed with a new issuing CA, but was not told of the new root: no agent does so, its chain alone is judged.
  tls::ClientContext old_trust_new_chain() const {
    const auto agent = after.agent();
    return must(tls::make_link_client_context({agent.chain, agent.key, before.root.certificate}, clock));
  }
};

std::string_view reason(const tls::Handshake& handshake) { return handshake ? "accepted" : handshake.error().reason; }

}  // namespace

ASYNC_TEST_CASE("before, between and after a switch, agents of either root are accepted as they should",
                "[tls][root]") {
  const Succession roots;
  struct Row {
    std::string_view name;
    tls::ServerContext relay;
    bool old_agents, new_agents;
  };
  const Row rows[] = {
      {"before", relay_context(roots.before), true, false},
      {"between", roots.switched(), true, true},
      {"after", relay_context(roots.after), false, true},
  };
  for (const auto& row : rows) {
    INFO(row.name);
    const auto old_agent = co_await meet(row.relay, agent_context(roots.before));
    CHECK(old_agent.agent.has_value() == row.old_agents);
    const auto new_agent = co_await meet(row.relay, agent_context(roots.after));
    CHECK(new_agent.agent.has_value() == row.new_agents);
    if (row.old_agents) {
      REQUIRE(old_agent.relay);
      CHECK((*old_agent.relay)->facts().agent->root == roots.before.root.certificate.key_pin());
    }
    if (row.new_agents) {
      REQUIRE(new_agent.relay);
      CHECK((*new_agent.relay)->facts().agent->root == roots.after.root.certificate.key_pin());
    }
    if (!row.old_agents) CHECK(reason(old_agent.agent) == tls::reason::kWrongCa);
  }
  const auto mixed = co_await meet(roots.switched(), roots.old_trust_new_chain());
  CHECK(mixed.agent);
}

ASYNC_TEST_CASE("enrolments that pin the old root work until it is retired", "[tls][root]") {
  const Succession roots;
  const auto old_pin = must(tls::make_enrol_client_context(roots.before.root.certificate.key_pin(), roots.clock));
  const auto new_pin = must(tls::make_enrol_client_context(roots.after.root.certificate.key_pin(), roots.clock));
  for (const auto& client : {old_pin, new_pin}) {
    const auto between = co_await meet(roots.switched(), client);
    CHECK(reason(between.agent) == "accepted");
  }
  const auto after = co_await meet(relay_context(roots.after), old_pin);
  CHECK(reason(after.agent) == tls::reason::kWrongPin);
  const auto now = co_await meet(relay_context(roots.after), new_pin);
  CHECK(now.agent);
}

TEST_CASE("a context is not made with a predecessor that is none", "[tls][root]") {
  const Succession roots;
  const Succession others;
  const auto made =
      tls::make_server_context({roots.after.server.certificate, roots.after.server.key, roots.after.root.certificate,
                                "relay.test", crypto::Predecessor{roots.before.root.certificate, others.cross}},
                               roots.clock);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Errc::invalid);
}

ASYNC_TEST_CASE("the old root's word serves no issuing CA: below it there are servers only", "[tls][root]") {
  const Succession roots;
  const auto agent = roots.after.agent();
  auto chain = agent.chain;
  chain.push_back(roots.cross);  // a relay of the old root, shown a chain up to it
  const auto client =
      must(tls::make_link_client_context({chain, agent.key, roots.before.root.certificate}, roots.clock));
  const auto met = co_await meet_to_refuse(relay_context(roots.before), client);
  CHECK_FALSE(met.relay);
}
