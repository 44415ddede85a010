#include "tests/support/broken_ledger.h"
#include "tests/unit/relay/identity/world.h"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace reason = tls::reason;

namespace {

Bytes fresh_request() { return must(crypto::make_signing_request(must(crypto::PrivateKey::generate()))); }

// The identity that the renewed certificate gives.
tls::PeerIdentity peer_of(const IdentityWorld& world, const identity::IssuedCertificate& issued) {
  const std::vector chain{issued.certificate, issued.chain.front(), world.deployment.root};
  auto peer = tls::check_agent_chain(chain, "relay.test");
  if (!peer) throw std::runtime_error(peer.error().error.message);
  return *std::move(peer);
}

asio::awaitable<std::string> admission(IdentityWorld& world, tls::PeerIdentity peer) {
  auto admitted = co_await world.admissions.admit(std::move(peer));
  co_return std::string(admitted ? "admitted" : admitted.error().reason);
}

}  // namespace

ASYNC_TEST_CASE("a renewal gives a new serial, a new key and the next generation", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto enrolled = co_await world.enrol(ours, {});
  auto renewed = co_await world.renewals.renew(world.peer_of(enrolled), fresh_request());
  REQUIRE(renewed);
  CHECK(renewed->certificate.serial() != enrolled.certificate.serial());
  CHECK(renewed->chain == enrolled.chain);
  CHECK(peer_of(world, *renewed).id.agent == enrolled.agent);
  const auto row = must(co_await world.stores.certificates.find(ours.org, renewed->row.serial));
  CHECK(row.generation == 2);
  const auto events = co_await world.audited(ours.org);
  CHECK(mentions(events, {"certificate.renew", "done", renewed->row.serial.value, enrolled.certificate.serial()}));
}

ASYNC_TEST_CASE("a renewal is refused for the same key, a bad request and a revoked agent", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const Applicant applicant;
  const auto enrolled = co_await world.enrol(ours, applicant);
  const auto peer = world.peer_of(enrolled);
  auto same_key = co_await world.renewals.renew(peer, must(crypto::make_signing_request(applicant.key)));
  REQUIRE_FALSE(same_key);
  CHECK(same_key.error().code == Errc::invalid);
  auto garbage = co_await world.renewals.renew(peer, Bytes(10));
  REQUIRE_FALSE(garbage);
  CHECK(garbage.error().code == Errc::invalid);
  must(co_await world.revocations.revoke_agent(ours.org, enrolled.agent));
  auto revoked = co_await world.renewals.renew(peer, fresh_request());
  REQUIRE_FALSE(revoked);
  CHECK(revoked.error().code == Errc::forbidden);
  const auto events = co_await world.audited(ours.org);
  CHECK(mentions(events, {"certificate.renew", "refused", "new key"}));
}

ASYNC_TEST_CASE("an agent cannot hoard certificates", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto peer = world.peer_of(co_await world.enrol(ours, {}));
  for (std::size_t i = 1; i < identity::kMostValidCertificates; ++i) {
    auto renewed = co_await world.renewals.renew(peer, fresh_request());
    REQUIRE(renewed);
  }
  auto one_more = co_await world.renewals.renew(peer, fresh_request());
  REQUIRE_FALSE(one_more);
  CHECK(one_more.error().code == Errc::exhausted);
  world.clock.advance(crypto::kAgentLifetime);
  auto later = co_await world.renewals.renew(peer, fresh_request());
  CHECK(later);
}

ASYNC_TEST_CASE("a renewal that cannot be audited does not happen", "[identity][audit]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto peer = world.peer_of(co_await world.enrol(ours, {}));
  {
    BrokenLedger broken(world.database());
    auto renewed = co_await world.renewals.renew(peer, fresh_request());
    CHECK_FALSE(renewed);
  }
  const auto held = must(co_await world.stores.certificates.of_agent(ours.org, peer.id.agent));
  CHECK(held.size() == 1);
  const auto before = co_await world.audited(ours.org);
  must(co_await world.renewals.renew(peer, fresh_request()));
  const auto after = co_await world.audited(ours.org);
  CHECK(after.size() == before.size() + 1);
}

ASYNC_TEST_CASE("the old certificate is good until the new one has been used, then it is a copy", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto old_peer = world.peer_of(co_await world.enrol(ours, {}));
  auto outcome = co_await admission(world, old_peer);
  CHECK(outcome == "admitted");
  const auto renewed = must(co_await world.renewals.renew(old_peer, fresh_request()));
  outcome = co_await admission(world, old_peer);
  CHECK(outcome == "admitted");
  const auto new_peer = peer_of(world, renewed);
  outcome = co_await admission(world, new_peer);
  CHECK(outcome == "admitted");
  outcome = co_await admission(world, old_peer);
  CHECK(outcome == reason::kOldGeneration);
  outcome = co_await admission(world, new_peer);
  CHECK(outcome == "admitted");
  const auto events = co_await world.audited(ours.org);
  CHECK(mentions(events, {"agent.quarantine", "refused", "tls.old_generation", old_peer.serial}));
}

ASYNC_TEST_CASE("a second process with one identity is told in the ledger, and not each time it comes", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto peer = world.peer_of(co_await world.enrol(ours, {}));
  for (int i = 0; i < 3; ++i) co_await world.admissions.note_copy(peer, "192.0.2.7:4711");
  const auto events = co_await world.audited(ours.org);
  CHECK(std::ranges::count_if(events, [](const auto& event) { return event.find("second_process") != event.npos; }) ==
        1);
  CHECK(mentions(events, {"agent.quarantine", "refused", "second_process", "192.0.2.7:4711", peer.serial}));
}

ASYNC_TEST_CASE("a certificate that this relay did not store is not admitted", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  const auto peer = world.peer_of(co_await world.enrol(ours, {}));
  const auto other = world.peer_of(co_await world.enrol(ours, {}));

  auto unknown = peer;
  unknown.serial = std::string(32, 'a');
  auto outcome = co_await admission(world, unknown);
  CHECK(outcome == reason::kUnknownSerial);
  auto borrowed = peer;
  borrowed.serial = other.serial;
  outcome = co_await admission(world, borrowed);
  CHECK(outcome == reason::kUnknownSerial);
  auto foreign = peer;
  foreign.id.org = theirs.org;
  outcome = co_await admission(world, foreign);
  CHECK(outcome == reason::kUnknownSerial);
  outcome = co_await admission(world, peer);
  CHECK(outcome == "admitted");
}

ASYNC_TEST_CASE("an agent that is refused again and again does not fill the ledger", "[identity][audit]") {
  IdentityWorld world;
  world.clock.freeze();
  const auto ours = co_await world.settle("ours");
  const auto peer = world.peer_of(co_await world.enrol(ours, {})),
             other = world.peer_of(co_await world.enrol(ours, {}));
  must(co_await world.revocations.revoke_agent(ours.org, peer.id.agent));
  must(co_await world.revocations.revoke_agent(ours.org, other.id.agent));
  const auto before = (co_await world.audited(ours.org)).size();
  for (int i = 0; i < 50; ++i) {
    const auto outcome = co_await admission(world, peer);
    CHECK(outcome == reason::kRevoked);
  }
  auto events = co_await world.audited(ours.org);
  CHECK(events.size() == before + 1);
  co_await admission(world, other);
  events = co_await world.audited(ours.org);
  CHECK(events.size() == before + 2);
  world.clock.advance(kAuditEvery);
  co_await admission(world, peer);
  events = co_await world.audited(ours.org);
  REQUIRE(events.size() == before + 3);
  CHECK_THAT(events.front(), Catch::Contains("\"unsaid\":49") && Catch::Contains(peer.serial));
}

ASYNC_TEST_CASE("an agent that asks for bad renewals again and again does not fill the ledger", "[identity][audit]") {
  IdentityWorld world;
  world.clock.freeze();
  const auto ours = co_await world.settle("ours");
  const auto peer = world.peer_of(co_await world.enrol(ours, {})),
             other = world.peer_of(co_await world.enrol(ours, {}));
  const auto before = (co_await world.audited(ours.org)).size();
  for (int i = 0; i < 50; ++i) {
    const auto refused = co_await world.renewals.renew(peer, Bytes(static_cast<std::size_t>(i), std::byte{0x30}));
    CHECK_FALSE(refused);
  }
  auto events = co_await world.audited(ours.org);
  REQUIRE(events.size() == before + 1);
  CHECK_THAT(events.front(), Catch::Contains("certificate.renew") && Catch::Contains("refused"));
  must(co_await world.renewals.renew(peer, fresh_request()));  // what succeeds is always written
  events = co_await world.audited(ours.org);
  CHECK(events.size() == before + 2);
  const auto refused = co_await world.renewals.renew(other, Bytes());
  CHECK_FALSE(refused);
  events = co_await world.audited(ours.org);
  CHECK(events.size() == before + 3);
  world.clock.advance(kAuditEvery);
  const auto again = co_await world.renewals.renew(peer, Bytes());
  CHECK_FALSE(again);
  events = co_await world.audited(ours.org);
  REQUIRE(events.size() == before + 4);
  CHECK_THAT(events.front(), Catch::Contains("\"unsaid\":49") && Catch::Contains(peer.serial));
}

ASYNC_TEST_CASE("revoking an agent reaches the set, the subscribers and the next admission", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto peer = world.peer_of(co_await world.enrol(ours, {}));
  const auto other = world.peer_of(co_await world.enrol(ours, {}));
  const auto renewed = must(co_await world.renewals.renew(peer, fresh_request()));
  std::vector<AgentId> told;
  auto subscription = world.revocations.subscribe([&](const OrgId&, const AgentId& agent) { told.push_back(agent); });
  CHECK_FALSE(world.revocations.is_revoked(store::Serial(peer.serial)));

  must(co_await world.revocations.revoke_agent(ours.org, peer.id.agent));
  CHECK(told == std::vector{peer.id.agent});
  CHECK(world.revocations.is_revoked(store::Serial(peer.serial)));
  CHECK(world.revocations.is_revoked(renewed.row.serial));
  CHECK_FALSE(world.revocations.is_revoked(store::Serial(other.serial)));
  auto outcome = co_await admission(world, peer);
  CHECK(outcome == reason::kRevoked);
  outcome = co_await admission(world, other);
  CHECK(outcome == "admitted");

  subscription = {};
  must(co_await world.revocations.revoke_agent(ours.org, other.id.agent));
  CHECK(told.size() == 1);
}

ASYNC_TEST_CASE("revocations survive a restart and leave the set when they have expired", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto peer = world.peer_of(co_await world.enrol(ours, {}));
  must(co_await world.revocations.revoke_agent(ours.org, peer.id.agent));
  identity::Revocations restarted(world.stores.agents, world.stores.certificates, world.clock);
  CHECK_FALSE(restarted.is_revoked(store::Serial(peer.serial)));
  must(co_await restarted.load());
  CHECK(restarted.is_revoked(store::Serial(peer.serial)));
  world.clock.advance(crypto::kAgentLifetime + 1h);
  must(co_await restarted.load());
  CHECK_FALSE(restarted.is_revoked(store::Serial(peer.serial)));
}

ASYNC_TEST_CASE("an agent of another organisation cannot be revoked", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  const auto peer = world.peer_of(co_await world.enrol(ours, {}));
  auto revoked = co_await world.revocations.revoke_agent(theirs.org, peer.id.agent);
  REQUIRE_FALSE(revoked);
  CHECK(revoked.error().code == Errc::not_found);
  CHECK_FALSE(world.revocations.is_revoked(store::Serial(peer.serial)));
}

ASYNC_TEST_CASE("a master key that is not the database's is noticed at the start", "[identity]") {
  IdentityWorld world;
  auto proven = co_await world.authority.prove_keys();
  CHECK(proven);  // nothing is sealed yet
  co_await world.enrol(co_await world.settle("ours"), {});
  proven = co_await world.authority.prove_keys();
  CHECK(proven);
  TestEnvelope another;
  identity::AgentAuthority mistaken(world.deployment, world.stores.issuing_cas, another, world.clock);
  proven = co_await mistaken.prove_keys();
  REQUIRE_FALSE(proven);
}

namespace {

// Some of what is sealed does not open, with this error.
class Locked final : public keys::Envelope {
 public:
  explicit Locked(keys::Envelope& real) : real_(real) {}
  awaitable<Result<keys::NewJobKeys>> make_job_keys(OrgId org, JobId job, domain::JobRetention retention) override {
    return real_.make_job_keys(std::move(org), std::move(job), retention);
  }
  awaitable<Result<Bytes>> seal(keys::RecordIdentity identity, std::span<const std::byte> plaintext) override {
    return real_.seal(std::move(identity), plaintext);
  }
  awaitable<Result<Bytes>> seal_new(const keys::NewJobKeys& keys, keys::RecordIdentity identity,
                                    std::span<const std::byte> plaintext) override {
    return real_.seal_new(keys, std::move(identity), plaintext);
  }
  awaitable<Result<Secret>> open(keys::RecordIdentity identity, std::span<const std::byte> sealed) override {
    for (const auto& one : locked) {
      if (std::ranges::equal(one, sealed)) co_return fail(why, "planted: sealed under a key that is not there");
    }
    co_return co_await real_.open(std::move(identity), sealed);
  }
  std::vector<Bytes> locked;
  Errc why = Errc::not_found;

 private:
  keys::Envelope& real_;
};

class Lines final : public LogSink {
 public:
  explicit Lines(std::string& to) : text_(to) {}
  void write(std::string_view line) override { text_.append(line).append("\n"); }

 private:
  std::string& text_;
};

}  // namespace

ASYNC_TEST_CASE("an issuing CA whose key is lost for good is replaced, and what it signed stays good", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto before = co_await world.enrol(ours, {});
  const auto ca = must(co_await world.stores.issuing_cas.find(ours.org));
  Locked locked(world.envelope);
  locked.locked.push_back(ca.sealed_private_key);
  std::string lines;
  Lines sink(lines);
  const Log log(sink, world.clock, LogLevel::info);
  identity::AgentAuthority authority(world.deployment, world.stores.issuing_cas, locked, world.clock,
                                     identity::AgentAuthority::Reports{world.audit, log});
  const auto issue = [&]() -> awaitable<Result<identity::IssuedCertificate>> {
    co_return co_await authority.issue(ours.org, crypto::new_id<AgentId>(world.clock),
                                       must(crypto::SigningRequest::from_der(fresh_request())));
  };
  // A key that cannot be had for now, or a field that was changed, makes no new CA.
  for (const auto why : {Errc::unavailable, Errc::invalid, Errc::internal}) {
    locked.why = why;
    const auto refused = co_await issue();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == why);
    const auto stands = must(co_await world.stores.issuing_cas.find(ours.org));
    CHECK(stands.certificate_der == ca.certificate_der);
  }
  locked.why = Errc::not_found;
  const auto issued = must(co_await issue());
  CHECK(issued.chain.front().der() != ca.certificate_der);
  CHECK(issued.chain.front().signed_by(world.deployment.root));
  CHECK(lines.find("certificate.renewed") != std::string::npos);
  const auto events = co_await world.audited(ours.org);
  CHECK(mentions(events, {"issuing_ca.renew", "was lost"}));
  const auto outcome = co_await admission(world, world.peer_of(before));
  CHECK(outcome == "admitted");
  CHECK(peer_of(world, issued).id.org == ours.org);
  must(co_await issue());  // and the new one is kept
}

ASYNC_TEST_CASE("one organisation's key that is not there does not stop the relay; all of them do", "[identity]") {
  IdentityWorld world;
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  co_await world.enrol(ours, {});
  co_await world.enrol(theirs, {});
  Locked locked(world.envelope);
  identity::AgentAuthority authority(world.deployment, world.stores.issuing_cas, locked, world.clock);
  const auto lock = [&](const OrgId& org) -> awaitable<void> {
    locked.locked.push_back(must(co_await world.stores.issuing_cas.find(org)).sealed_private_key);
  };
  co_await lock(ours.org);
  for (const auto why : {Errc::not_found, Errc::unavailable}) {
    locked.why = why;
    const auto proven = must(co_await authority.prove_keys());
    CHECK(proven);
  }
  co_await lock(theirs.org);
  const auto none = co_await authority.prove_keys();
  CHECK_FALSE(none);  // keys.db is another database's
  locked.why = Errc::not_found;
  const auto given_up = must(co_await authority.prove_keys());
  CHECK_FALSE(given_up);
}
