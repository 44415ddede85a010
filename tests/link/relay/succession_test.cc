#include "shared/async/timeout.h"
#include "shared/crypto/certificate_draft.h"
#include "tests/link/relay/rotating_rig.h"

#include <boost/asio/this_coro.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using agent::LinkState;

ASYNC_TEST_CASE("a linked agent stays linked while the root is prepared, switched to and retired", "[link][root]") {
  RotatingRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto agent = co_await rig.linked(identity);
  co_await rig.prepare_and_switch();
  CHECK_FALSE(identity.root == rig.world.deployment.root);
  const bool followed = co_await rig.until([&] { return rig.is_trusted_by(agent->identities); });
  REQUIRE(followed);
  const bool counted = co_await rig.until([&] { return rig.of_old_root() == 0; });
  CHECK(counted);
  CHECK(agent->identities.installed == 1);
  co_await rig.retire();
  CHECK(agent->status().state == LinkState::ready);
  CHECK(agent->links == 1);

  const auto followed_as = must(agent->identities.load());
  co_await agent->finish();
  const bool gone = co_await rig.until([&] { return rig.links.count() == 0; });
  REQUIRE(gone);
  const auto restarted = co_await rig.linked(followed_as, 2);
  CHECK(restarted->identities.installed == 0);
  co_await restarted->finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent that slept through the switch follows when it links, and survives the retirement",
                "[link][root]") {
  RotatingRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  co_await rig.prepare_and_switch();
  CHECK(rig.of_old_root() == 1);
  RealAgent agent(rig, identity);
  agent.start();
  const bool followed =
      co_await rig.until([&] { return rig.is_trusted_by(agent.identities) && rig.of_old_root() == 0; });
  REQUIRE(followed);
  const auto followed_as = must(agent.identities.load());
  co_await agent.finish();
  co_await rig.retire();
  const auto restarted = co_await rig.linked(followed_as, 2);
  co_await restarted->finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("while the new root's key is offline no link costs a certificate, and then each agent follows once",
                "[link][root]") {
  RotatingRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  co_await rig.prepare_and_switch_with_root_key_offline();
  for (char boot = 1; boot <= 3; ++boot) {
    const auto agent = co_await rig.linked(identity, boot);
    co_await sleep_for(100ms);  // who is asked renews within 20 ms
    CHECK(agent->identities.installed == 0);
    co_await agent->finish();
    const bool gone = co_await rig.until([&] { return rig.links.count() == 0; });
    REQUIRE(gone);
  }
  const auto agent = co_await rig.linked(identity, 4);
  co_await rig.put_root_key_back();
  const bool followed =
      co_await rig.until([&] { return rig.is_trusted_by(agent->identities) && rig.of_old_root() == 0; });
  CHECK(followed);
  CHECK(agent->identities.installed == 1);
  const auto held = must(co_await rig.world.stores.certificates.of_agent(rig.tenant.org, identity.id.agent));
  CHECK(held.size() == 2);
  co_await agent->finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent that never followed neither trusts the relay nor is trusted after a forced retirement",
                "[link][root]") {
  RotatingRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  co_await rig.prepare_and_switch();
  co_await rig.retire();
  RealAgent agent(rig, identity);
  agent.start();
  const bool refused =
      co_await rig.until([&] { return agent.status().last_problem.find("tls.wrong_ca") != std::string::npos; });
  CHECK(refused);
  CHECK(agent.links == 0);
  co_await agent.finish();

  auto knowing = must(agent.identities.load());
  knowing.root = rig.world.deployment.root;  // it would trust the relay, with a certificate of the old root
  auto raw = co_await RawAgent::connect(rig, knowing);
  if (raw) co_await raw->listen();
  const bool told = co_await rig.until([&] { return rig.lines.has({"link.refused", "tls.wrong_ca"}); });
  CHECK(told);
  co_await rig.finish();
}

ASYNC_TEST_CASE("an enrolment string made before the switch leads to the new root, until the old one is retired",
                "[link][root]") {
  RotatingRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto text = co_await rig.string_for(rig.tenant, 2);
  const auto old_root = rig.world.deployment.root;
  co_await rig.prepare_and_switch();
  const auto enrolled = co_await rig.enrol(text);
  REQUIRE(enrolled);
  CHECK(enrolled->root == rig.world.deployment.root);
  const auto fresh = co_await rig.enrolled();
  CHECK(fresh.root == rig.world.deployment.root);
  co_await rig.retire();
  const auto late = co_await rig.enrol(text);
  REQUIRE_FALSE(late);
  CHECK(late.error().message.find("pinned root") != std::string::npos);
  co_await rig.finish();
}

namespace {

// A relay that holds the old root's server certificate and a root of its own, with its own word for it.
struct Pretender {
  explicit Pretender(GatewayRig& at) : rig(at), old_root(at.world.deployment.root) {}
  crypto::CertificateDraft draft(const crypto::Authority& of, std::string_view name) const {
    constexpr std::array usage{crypto::kCertificateSigningBit, crypto::kCrlSigningBit};
    const auto now = rig.world.clock.wall();
    crypto::CertificateDraft made;
    made.subject("", name).valid(now - 48h, now + 48h).public_key(of.key.native()).authority(0).key_usage(usage);
    return made;
  }
  // From now on it signs with `root`, and says that the old root vouches for it.
  awaitable<void> take_over(crypto::Certificate cross) {
    auto& deployment = rig.world.deployment;
    deployment.root = root.certificate;
    deployment.root_key = must(crypto::PrivateKey::from_pem(root.key.to_pem()));
    deployment.predecessor = crypto::Predecessor{old_root, std::move(cross)};
    const auto present = must(co_await rig.world.stores.issuing_cas.find(rig.tenant.org));
    must(co_await rig.world.authority.renew(rig.tenant.org,
                                            must(crypto::Certificate::from_der(present.certificate_der))));
    rig.gateway.lead_agents_to_root();
  }

  GatewayRig& rig;
  crypto::Certificate old_root;
  crypto::Authority root = must(crypto::make_root("Pretender", rig.world.clock));
  crypto::Authority other = must(crypto::make_root("Pretender", rig.world.clock));
};

using MakeCross = std::function<crypto::Certificate(Pretender&, const crypto::Authority& old_root)>;

struct Offer {
  std::string_view fragment;  // of the agent's complaint; "" when it must follow
  MakeCross cross;
};

const Offer kOffers[] = {
    {"not signed by the old root",
     [](Pretender& by, const auto&) {
       return must(by.draft(by.root, "Pretender").sign(by.other.key.native(), &by.old_root));
     }},
    {"another key",
     [](Pretender& by, const auto& old_root) {
       return must(by.draft(by.other, "Pretender").sign(old_root.key.native(), &old_root.certificate));
     }},
    {"another name",
     [](Pretender& by, const auto& old_root) {
       return must(by.draft(by.root, "Somebody").sign(old_root.key.native(), &old_root.certificate));
     }},
    {"expired",
     [](Pretender& by, const auto& old_root) {
       const auto now = by.rig.world.clock.wall();
       auto draft = by.draft(by.root, "Pretender");
       return must(draft.valid(now - 48h, now - 24h).sign(old_root.key.native(), &old_root.certificate));
     }},
    {"path length", [](Pretender& by, const auto&) { return by.root.certificate; }},
    {"",
     [](Pretender& by, const auto& old_root) {
       return must(crypto::make_cross_certificate(old_root, by.root.certificate, by.rig.world.clock));
     }},
};

}  // namespace

ASYNC_TEST_CASE("a relay that offers a root without the trusted root's word for it gets nowhere", "[link][root]") {
  for (const auto& offer : kOffers) {
    INFO(offer.fragment);
    GatewayRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    const auto identity = co_await rig.enrolled();
    const auto agent = co_await rig.linked(identity);
    const crypto::Authority old_root{rig.world.deployment.root,
                                     must(crypto::PrivateKey::from_pem(rig.world.deployment.root_key->to_pem()))};
    Pretender pretender(rig);
    co_await pretender.take_over(offer.cross(pretender, old_root));
    const auto judged = [&] {
      return agent->identities.installed > 0 || agent->lines.has({"certificate.not_renewed", "P7.7"});
    };
    const bool heard = co_await rig.until(judged);
    REQUIRE(heard);
    const auto kept = must(agent->identities.load());
    if (offer.fragment.empty()) {
      CHECK(kept.root == pretender.root.certificate);
    } else {
      CHECK(agent->lines.has({"certificate.not_renewed", offer.fragment}));
      CHECK(kept.root == identity.root);
      CHECK(kept.chain == identity.chain);
    }
    CHECK(agent->links == 1);
    co_await agent->finish();
    co_await rig.finish();
  }
}
