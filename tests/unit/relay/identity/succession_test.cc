#include "relay/identity/root_rotation.h"
#include "relay/identity/upkeep.h"
#include "relay/store/sqlite/root_census.h"
#include "tests/unit/relay/identity/world.h"

using namespace sallyport;
using namespace sallyport::test;

namespace {

class TextSink final : public LogSink {
 public:
  void write(std::string_view line) override { text.append(line).append("\n"); }
  bool has(std::string_view word) const { return text.find(word) != std::string::npos; }
  std::string text;
};

// A relay that looks after its certificates while its root changes.
struct RotatingWorld : IdentityWorld {
  std::filesystem::path directory() const { return folder.path() / "ca"; }
  void prepare() { must(identity::prepare_root(directory(), clock, changes)); }
  void switch_over() { must(identity::switch_root(directory(), clock, changes)); }
  void retire() { must(identity::retire_root(directory(), changes)); }
  awaitable<identity::IssuedCertificate> renew(tls::PeerIdentity peer) {
    const auto key = must(crypto::PrivateKey::generate());
    auto csr = must(crypto::make_signing_request(key));
    co_return must(co_await renewals.renew(std::move(peer), std::move(csr)));
  }
  store::RootCensus census() const {
    const auto pin = deployment.root.key_pin();
    return must(store::count_other_roots(database(), Bytes(pin.begin(), pin.end()), clock.wall(), 2));
  }

  identity::FileChanges changes;
  TextSink sink;
  Log log{sink, clock, LogLevel::debug};
  int served = 0, led = 0;
  identity::Upkeep upkeep{deployment,
                          {directory(), stores.issuing_cas, authority, audit, log, metrics, clock,
                           [this](const identity::Deployment&) -> Result<void> {
                             ++served;
                             return {};
                           },
                           [this] { ++led; }}};
};

tls::PeerIdentity peer_with(const identity::IssuedCertificate& issued, const crypto::Certificate& root) {
  auto peer = tls::check_agent_chain(std::vector{issued.certificate, issued.chain.front(), root}, "relay.test");
  if (!peer) throw std::runtime_error(peer.error().error.message);
  return *std::move(peer);
}

}  // namespace

ASYNC_TEST_CASE("a look after each step serves it, tells of it once, and renews the issuing CAs", "[identity][root]") {
  RotatingWorld world;
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  const auto first = co_await world.enrol(ours, {});
  co_await world.enrol(theirs, {});
  const auto old_root = world.deployment.root;

  world.prepare();
  co_await world.upkeep.check();
  CHECK(world.sink.has("root.prepared"));
  CHECK(world.served == 0);
  world.switch_over();
  co_await world.upkeep.check();
  CHECK(world.sink.has("root.switched"));
  CHECK(world.served == 1);
  CHECK(world.led == 1);
  CHECK_FALSE(world.deployment.root == old_root);
  const auto later = co_await world.enrol(ours, {});
  CHECK(later.chain.front().signed_by(world.deployment.root));
  CHECK(later.root == world.deployment.root);
  REQUIRE(later.predecessor);
  CHECK(later.predecessor->root == old_root);
  auto events = co_await world.audited(theirs.org);
  CHECK(mentions(events, {"issuing_ca.renew"}));

  co_await world.upkeep.check();
  CHECK(world.served == 1);
  CHECK(world.led == 1);
  world.retire();
  co_await world.upkeep.check();
  CHECK(world.served == 2);
  CHECK(world.sink.has("root.retired"));
  events = co_await world.audited(store::system_ledger());
  for (const auto* action : {"root.prepare", "root.switch", "root.retire"}) CHECK(mentions(events, {action}));
  CHECK(events.size() == 3);
  const auto last = co_await world.enrol(ours, {});
  CHECK_FALSE(last.predecessor);
}

ASYNC_TEST_CASE("without the new root's key the old issuing CAs go on, until it is put back", "[identity][root]") {
  RotatingWorld world;
  const auto ours = co_await world.settle("ours");
  const auto first = co_await world.enrol(ours, {});
  const auto old_root = world.deployment.root;
  world.prepare();
  world.switch_over();
  const auto away = world.folder.path() / "stick";
  std::filesystem::rename(world.directory() / "root.key", away);
  co_await world.upkeep.check();
  CHECK(world.led == 0);
  CHECK(world.served == 1);
  const auto between = co_await world.enrol(ours, {});
  CHECK(between.root == old_root);
  const auto peer = world.peer_of(between);
  bool leads = must(co_await world.renewals.leads_to_root(peer));
  CHECK_FALSE(leads);
  CHECK_FALSE(between.predecessor);
  std::filesystem::rename(away, world.directory() / "root.key");
  co_await world.upkeep.check();
  CHECK(world.led == 1);
  leads = must(co_await world.renewals.leads_to_root(peer));
  CHECK(leads);
  const auto after = co_await world.enrol(ours, {});
  CHECK(after.root == world.deployment.root);
}

ASYNC_TEST_CASE("an agent's renewal leads it to the new root, and the census counts those who are not there",
                "[identity][root]") {
  RotatingWorld world;
  const auto ours = co_await world.settle("ours");
  std::vector<identity::Enrolled> agents;
  for (int i = 0; i < 3; ++i) {
    auto enrolled = co_await world.enrol(ours, {});
    agents.push_back(std::move(enrolled));
  }
  CHECK(world.census().agents == 0);
  world.prepare();
  world.switch_over();
  co_await world.upkeep.check();
  CHECK(world.census().agents == 3);
  CHECK(world.census().named.size() == 2);

  const auto peer = world.peer_of(agents[0]);
  bool leads = must(co_await world.renewals.leads_to_root(peer));
  CHECK(leads);
  const auto renewed = co_await world.renew(peer);
  REQUIRE(renewed.succession);
  CHECK(renewed.succession->root == world.deployment.root);
  CHECK(crypto::check_succession(renewed.succession->before, renewed.succession->root, world.clock.wall()));
  CHECK(world.census().agents == 3);  // it may not have arrived
  const auto confirmed = co_await world.admissions.confirm_installed(peer, renewed.certificate.serial());
  CHECK(confirmed);
  CHECK(world.census().agents == 2);
  const auto moved = peer_with(renewed, world.deployment.root);
  leads = must(co_await world.renewals.leads_to_root(moved));
  CHECK_FALSE(leads);
  const auto again = co_await world.renew(moved);
  CHECK_FALSE(again.succession);

  must(co_await world.revocations.load());
  must(co_await world.revocations.revoke_agent(ours.org, agents[1].agent));
  CHECK(world.census().agents == 1);
  world.clock.advance(std::chrono::days(31));
  CHECK(world.census().agents == 0);  // a certificate that has ended needs no root
}

ASYNC_TEST_CASE("over a link that is older than two changes of the root its agent renews and follows all the same",
                "[identity][root]") {
  RotatingWorld world;
  const auto ours = co_await world.settle("ours");
  const auto first = co_await world.enrol(ours, {});
  const auto peer = world.peer_of(first);  // what the link goes on to be, whatever is installed meanwhile
  auto trusted = first.root;
  for (int rotation = 1; rotation <= 2; ++rotation) {
    INFO(rotation);
    world.prepare();
    world.switch_over();
    co_await world.upkeep.check();
    const auto followed = co_await world.renew(peer);
    REQUIRE(followed.succession);
    CHECK(followed.succession->before.root == trusted);
    must(co_await world.admissions.confirm_installed(peer, followed.certificate.serial()));
    trusted = followed.succession->root;
    world.retire();
    co_await world.upkeep.check();
    const auto routine = co_await world.renew(peer);
    CHECK_FALSE(routine.succession);
    CHECK(routine.chain.front().signed_by(world.deployment.root));
  }
}

ASYNC_TEST_CASE("an agent cannot confirm what is not its own", "[identity][root]") {
  RotatingWorld world;
  const auto ours = co_await world.settle("ours");
  const auto first = co_await world.enrol(ours, {}), second = co_await world.enrol(ours, {});
  for (const auto& serial : {second.certificate.serial(), std::string("00"), std::string()}) {
    const auto confirmed = co_await world.admissions.confirm_installed(world.peer_of(first), serial);
    CHECK_FALSE(confirmed);
  }
}

ASYNC_TEST_CASE("an agent of a retired root is told to enrol anew", "[identity][root]") {
  RotatingWorld world;
  const auto ours = co_await world.settle("ours");
  const auto first = co_await world.enrol(ours, {});
  world.prepare();
  world.switch_over();
  co_await world.upkeep.check();
  world.retire();
  co_await world.upkeep.check();
  const auto key = must(crypto::PrivateKey::generate());
  auto csr = must(crypto::make_signing_request(key));
  const auto renewed = co_await world.renewals.renew(world.peer_of(first), std::move(csr));
  REQUIRE_FALSE(renewed);
  CHECK(renewed.error().message.find("make an enrolment token for this agent") != std::string::npos);
}

ASYNC_TEST_CASE("a relay whose issuing CAs a retirement left behind proves its keys, and renews them",
                "[identity][root]") {
  RotatingWorld world;
  const auto ours = co_await world.settle("ours");
  co_await world.enrol(ours, {});
  world.prepare();
  world.switch_over();
  world.retire();  // no relay ran meanwhile
  world.deployment = must(identity::load_deployment(world.directory()));
  const auto proven = co_await world.authority.prove_keys();
  CHECK(proven);
  identity::Upkeep restarted{world.deployment,
                             {world.directory(),
                              world.stores.issuing_cas,
                              world.authority,
                              world.audit,
                              world.log,
                              world.metrics,
                              world.clock,
                              [](const identity::Deployment&) { return Result<void>(); },
                              {}}};
  co_await restarted.check();
  const auto later = co_await world.enrol(ours, {});
  CHECK(later.chain.front().signed_by(world.deployment.root));
}

TEST_CASE("a census of a file that is no relay's database says so", "[identity][root]") {
  const TempFolder folder;
  const auto counted = store::count_other_roots(folder.path() / "none.db", Bytes(32), SystemClock().wall(), 2);
  REQUIRE_FALSE(counted);
  CHECK(counted.error().code == Errc::unavailable);
}
