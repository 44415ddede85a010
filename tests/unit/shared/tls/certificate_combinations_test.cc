// Every combination of what can be right or wrong with an agent's certificate: let in when nothing is, and never else.
#include "tests/unit/shared/tls/forge.h"
#include "tests/unit/shared/tls/meeting.h"

#include <functional>
#include <utility>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using crypto::AltName;

namespace {

using Spoil = std::function<void(Plan&)>;
struct Choice {
  std::string what;
  bool good;
  Spoil spoil;
};

std::vector<Choice> names(const Forge& forge) {
  const auto another =
      "spiffe://relay.test/org/" + forge.pki.org.value + "/agent/" + crypto::new_id<AgentId>(forge.pki.clock).value;
  return {{"its name", true, [](Plan&) {}},
          {"another agent's name", true, [another](Plan& plan) { plan.names = uri(another); }},
          {"no name", false, [](Plan& plan) { plan.names.clear(); }},
          {"a DNS name", false, [](Plan& plan) { plan.names = {{AltName::Kind::dns, "relay.test"}}; }},
          {"a name with a port", false, [&forge](Plan& plan) { plan.names = uri(forge.id("relay.test:443")); }},
          {"two names", false, [](Plan& plan) { plan.names.push_back(plan.names.front()); }}};
}

std::vector<Choice> usages() {
  return {{"for clients", true, [](Plan&) {}},
          {"for servers", false, [](Plan& plan) { plan.extended_usage = NID_server_auth; }},
          {"for anything", false, [](Plan& plan) { plan.extended_usage = 0; }}};
}

std::vector<Choice> lives() {
  const auto between = [](std::chrono::hours from, std::chrono::hours until) {
    return [from, until](Plan& plan) {
      plan.from = from;
      plan.until = until;
    };
  };
  return {{"for a day", true, [](Plan&) {}},
          {"for thirty days", true, between(-24h * 29, 24h)},
          {"expired", false, between(-48h, -1h)},
          {"from tomorrow", false, between(24h, 48h)}};
}

// One that ought to be refused is listened to until it has heard so.
boost::asio::awaitable<bool> lets_in(tls::ServerContext relay, tls::ClientContext agent, const bool& expected) {
  if (expected) {
    const auto met = co_await meet(std::move(relay), std::move(agent));
    co_return met.relay.has_value();
  }
  const auto met = co_await meet_to_refuse(std::move(relay), std::move(agent));
  co_return met.relay.has_value();
}

// How many were let in, of how many.
boost::asio::awaitable<std::pair<int, int>> try_all(const Forge& forge, const crypto::Authority& issuer) {
  const auto relay = relay_context(forge.pki);
  int chains = 0, accepted = 0;
  for (const auto& name : names(forge)) {
    for (const auto& usage : usages()) {
      for (const auto& life : lives()) {
        INFO(name.what << ", " << usage.what << ", " << life.what);
        auto plan = forge.good();
        for (const auto* choice : {&name, &usage, &life}) choice->spoil(plan);
        const bool good = name.good && usage.good && life.good && &issuer == &forge.pki.issuer;
        auto agent = must(tls::make_link_client_context(
            {{forge.leaf(plan, issuer), issuer.certificate}, forge.key, forge.pki.root.certificate}, forge.pki.clock));
        const bool let_in = co_await lets_in(relay, std::move(agent), good);
        CHECK(let_in == good);
        ++chains;
        accepted += let_in ? 1 : 0;
      }
    }
  }
  co_return std::pair(accepted, chains);
}

}  // namespace

ASYNC_TEST_CASE("of all combinations of what a certificate may say only those without a fault are let in",
                "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  const auto counted = co_await try_all(forge, forge.pki.issuer);
  CHECK(counted == std::pair(4, 72));
}

ASYNC_TEST_CASE("whatever a certificate of another organisation's CA says, it is not let in", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  const auto counted = co_await try_all(forge, forge.other_org);
  CHECK(counted == std::pair(0, 72));
}

ASYNC_TEST_CASE("whatever a certificate of the root itself says, it is not let in", "[tls][certificates]") {
  const MovableClock clock;
  const Forge forge(clock);
  const auto counted = co_await try_all(forge, forge.pki.root);
  CHECK(counted == std::pair(0, 72));
}
