#include "relay/keys/resealer.h"

#include "relay/keys/custodian.h"
#include "relay/keys/sealed_credentials.h"
#include "relay/store/audit_log.h"
#include "shared/crypto/new_id.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

// The store, with somebody who comes in between.
class Interrupted final : public store::StandingRecords {
 public:
  explicit Interrupted(store::StandingRecords& real) : real_(real) {}
  awaitable<Result<std::vector<store::StandingRecord>>> not_under(OrgId org, Bytes head, store::StandingPlace after,
                                                                  std::size_t limit) override {
    ++reads;
    return real_.not_under(std::move(org), std::move(head), std::move(after), limit);
  }
  awaitable<Result<std::uint64_t>> count_not_under(OrgId org, Bytes head, std::size_t most) override {
    return real_.count_not_under(std::move(org), std::move(head), most);
  }
  awaitable<Result<std::size_t>> reseal(OrgId org, std::vector<store::ResealedRecord> records) override {
    if (writes-- == 0) co_return fail(Errc::unavailable, "planted: cut short");
    if (before_write) co_await std::exchange(before_write, nullptr)();
    if (blind) {  // the planted fault: whatever is there is taken for what was read
      const auto there = must(co_await real_.not_under(org, {std::byte{0}}, {}, 1'000));
      for (auto& one : records) {
        const auto now = std::ranges::find(there, one.before.record, &store::StandingRecord::record);
        if (now != there.end()) one.before.sealed = now->sealed;
      }
    }
    co_return co_await real_.reseal(std::move(org), std::move(records));
  }

  int reads = 0;
  int writes = 1'000;  // that succeed
  bool blind = false;
  std::function<awaitable<void>()> before_write;

 private:
  store::StandingRecords& real_;
};

RecordIdentity ca_identity(const OrgId& org) { return {org, "issuing_cas", "private_key", org.value}; }
RecordIdentity token_identity(const OrgId& org, const std::string& id) {
  return {org, "enrolment_tokens", "secret", id};
}

struct Standing : KeysWorld {
  explicit Standing(const asio::any_io_executor& on) : KeysWorld(on), executor(on) {}

  Resealer::Parts parts(KeyRing& of) {
    return {of.store->keys(), records, of.hierarchy, of.envelope, own, log, [this]() -> awaitable<bool> {
              ++copies;
              co_return can_copy;
            }};
  }

  awaitable<OrgId> settle_with_ca(std::string name) {
    const auto org = co_await settle(std::move(name));
    must(co_await stores.issuing_cas.add(org, co_await ca(org, "the CA's key")));
    co_return org;
  }
  awaitable<store::IssuingCa> ca(OrgId org, std::string_view key) {
    auto sealed = must(co_await ring.envelope.seal(ca_identity(org), as_bytes(key)));
    co_return store::IssuingCa{org, Bytes(as_bytes(key).begin(), as_bytes(key).end()), std::move(sealed), clock.wall(),
                               clock.wall()};
  }
  awaitable<void> add_tokens(OrgId org, int count) {
    const auto groups = must(co_await stores.groups.list(org, {}));
    for (int i = 0; i < count; ++i) {
      store::EnrolmentToken token{.id = crypto::new_id<EnrolmentId>(clock),
                                  .org = org,
                                  .group = groups.items.at(0).id,
                                  .sealed_secret = {},
                                  .created_at = clock.wall(),
                                  .expires_at = clock.wall()};
      token.sealed_secret =
          must(co_await ring.envelope.seal(token_identity(org, token.id.value), as_bytes(token.id.value)));
      must(co_await stores.enrolment_tokens.add(org, std::move(token)));
    }
  }
  // The organisation's CA is sealed under these versions, and its key is this one.
  awaitable<void> expect_ca(OrgId org, StandingVersions under, std::string key = "the CA's key") {
    const auto found = must(co_await stores.issuing_cas.find(org));
    const auto split = must(split_sealed(found.sealed_private_key));
    CHECK(split.header.global == under.global);
    CHECK(split.header.inner == under.organisation);
    const auto opened = co_await ring.envelope.open(ca_identity(org), found.sealed_private_key);
    const auto said = opened ? std::string(opened->reveal()) : std::string(to_string(opened.error().code));
    CHECK(said == key);
  }
  awaitable<void> expect_waiting(std::size_t organisations) {
    const auto facts = must(co_await custodian.of_deployment());
    CHECK(facts.to_reseal == organisations);
  }
  awaitable<void> expect_waiting(OrgId org, std::uint64_t records) {
    const auto facts = must(co_await custodian.of_organisation(org));
    CHECK(facts.waiting == records);
  }
  awaitable<void> put_ca(OrgId org, store::IssuingCa fresh) {
    const auto present = must(co_await stores.issuing_cas.find(org));
    must(co_await stores.issuing_cas.replace(org, present.certificate_der, std::move(fresh)));
  }
  std::function<awaitable<void>()> renewal_of(OrgId org) {
    return [this, org]() -> awaitable<void> { co_await put_ca(org, co_await ca(org, "another CA's key")); };
  }
  awaitable<void> look() {
    while (must(co_await custodian.look())) {
    }
  }

  asio::any_io_executor executor;
  int copies = 0;  // of keys.db
  bool can_copy = true;
  Metrics metrics;
  TestPlaces places;
  OwnKeys own{executor, {ring.store->keys(), ring.hierarchy, places, clock, log, metrics}};
  Interrupted records{stores.standing_records};
  Resealer resealer{parts(ring)};
  Custodian custodian{executor,
                      {ring.store->keys(), provider, ring.hierarchy, own,
                       [this] { return std::optional(clock.wall()); }, log, metrics, nullptr, &resealer}};
};

}  // namespace

ASYNC_TEST_CASE("after a rotation standing records come under the newest keys, and open", "[keys][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle_with_ca("ours"), theirs = co_await world.settle_with_ca("theirs");
  co_await world.add_tokens(ours, 3);
  const auto system = store::system_ledger();
  const RecordIdentity receipts{system, "receipt_keys", "private_key", "key"};
  must(co_await world.stores.erasures.add_receipt_key(
      {"key", Bytes(32), must(co_await world.ring.envelope.seal(receipts, as_bytes("seed"))), world.clock.wall()}));
  co_await world.look();
  co_await world.expect_waiting(0);
  CHECK(world.lines.find("keys.resealed") == std::string::npos);

  must(co_await world.custodian.rotate_organisation(ours));
  co_await world.expect_waiting(ours, 4);
  must(co_await world.custodian.rotate_deployment());
  co_await world.expect_waiting(3);  // the system has a key, too
  co_await world.look();
  co_await world.expect_waiting(0);
  co_await world.expect_waiting(ours, 0);
  co_await world.expect_ca(ours, {2, 2});
  co_await world.expect_ca(theirs, {2, 1});
  const auto tokens = must(co_await world.stores.enrolment_tokens.list(ours, {}));
  CHECK(tokens.items.size() == 3);
  for (const auto& token : tokens.items) {
    const auto secret =
        must(co_await world.ring.envelope.open(token_identity(ours, token.id.value), token.sealed_secret));
    CHECK(secret.reveal() == token.id.value);
  }
  const auto receipt_key = must(co_await world.stores.erasures.receipt_key()).value();
  const auto seed = must(co_await world.ring.envelope.open(receipts, receipt_key.sealed_private_key));
  CHECK(seed.reveal() == "seed");
  for (const auto& [org, newest] :
       {std::pair(ours, StandingVersions{2, 2}), std::pair(system, StandingVersions{2, 1})}) {
    const auto left = must(co_await world.stores.standing_records.count_not_under(org, head_of(newest), 10));
    CHECK(left == 0);
  }
}

ASYNC_TEST_CASE("what is written while it is sealed anew stays as it was written", "[keys][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle_with_ca("ours");
  must(co_await world.custodian.rotate_organisation(org));
  world.records.before_write = world.renewal_of(org);
  co_await world.look();
  co_await world.expect_ca(org, {1, 2}, "another CA's key");

  // The control: without the comparison it is lost.
  must(co_await world.custodian.rotate_organisation(org));
  co_await world.put_ca(org, co_await world.ca(org, "a third CA's key"));
  must(co_await world.custodian.rotate_organisation(org));
  world.records.blind = true;
  world.records.before_write = world.renewal_of(org);
  co_await world.look();
  co_await world.expect_ca(org, {1, 4}, "a third CA's key");
}

ASYNC_TEST_CASE("cut short between two batches, another process seals the rest anew", "[keys][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle_with_ca("ours");
  co_await world.add_tokens(org, 119);
  must(co_await world.custodian.rotate_organisation(org));
  world.records.writes = 1;
  const auto cut = co_await world.custodian.look();
  REQUIRE(!cut);
  co_await world.expect_waiting(org, 70);

  KeyRing again(world.executor, world.folder.path(), world.clock, world.stores.job_keys, &world.provider);
  Resealer other(world.parts(again));
  world.records.writes = 1'000;
  must(co_await other.look());
  const auto waiting = must(co_await other.organisations_waiting());
  CHECK(waiting == 0);
  CHECK(world.lines.find("\"records\":70") != std::string::npos);
  const auto left = must(co_await world.stores.standing_records.count_not_under(org, head_of({1, 2}), 1'000));
  CHECK(left == 0);
}

ASYNC_TEST_CASE("who took an older key before the rotation and writes after it is found, then there is rest",
                "[keys][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle_with_ca("ours");
  auto late = co_await world.ca(org, "a late CA's key");
  must(co_await world.custodian.rotate_organisation(org));
  co_await world.look();
  co_await world.put_ca(org, std::move(late));
  world.records.reads = 0;
  co_await world.look();
  CHECK(world.records.reads == 0);
  co_await world.expect_ca(org, {1, 1}, "a late CA's key");
  world.clock.pass(kLateWriters);
  co_await world.look();
  co_await world.expect_ca(org, {1, 2}, "a late CA's key");
  world.clock.pass(10 * kLateWriters);
  world.records.reads = 0;
  co_await world.look();
  CHECK(world.records.reads == 0);
}

ASYNC_TEST_CASE("an organisation whose own key is refused is passed over, and sealed anew when it is restored",
                "[keys][own][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto closed = co_await world.settle_with_ca("closed"), open = co_await world.settle_with_ca("open");
  must(co_await world.own.attach(closed, {"file", {{Value("name"), Value("one")}}, Secret::take(std::string())}));
  world.places.kept.at("one").broken = Errc::forbidden;
  world.clock.pass(kKeyLife);
  co_await world.own.look();
  must(co_await world.custodian.rotate_deployment());
  co_await world.look();
  co_await world.expect_ca(open, {2, 1});
  co_await world.expect_ca(closed, {1, 1}, "unavailable");
  co_await world.expect_waiting(1);
  CHECK(world.lines.find("keys.not_resealed") == std::string::npos);

  world.places.kept.at("one").broken.reset();
  world.clock.pass(kRefusedAgain);
  co_await world.own.look();
  co_await world.look();
  co_await world.expect_ca(closed, {2, 2}, "the CA's key");
  co_await world.expect_waiting(0);
}

ASYNC_TEST_CASE("credentials for organisations' own keys come under the newest global key, and serve after it",
                "[keys][own][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle_with_ca("ours"), other = co_await world.settle_with_ca("other");
  must(co_await world.own.attach(org, {"file", {{Value("name"), Value("one")}}, Secret::take("a word")}));
  must(co_await world.own.attach(other, {"file", {{Value("name"), Value("two")}}, Secret::take("")}));
  world.places.kept.at("one").broken = Errc::forbidden;  // it is not needed for this
  must(co_await world.custodian.rotate_deployment());
  co_await world.look();
  const auto row = must(co_await world.ring.store->keys().own_key(org)).value();
  CHECK(must(global_version_of(row.credentials)) == 2);
  const auto again = must(co_await world.own.reseal_credentials());
  CHECK(again == 0);

  world.places.kept.at("one").broken.reset();
  KeyRing ring(world.executor, world.folder.path(), world.clock, world.stores.job_keys, &world.provider);
  OwnKeys later(world.executor,
                {ring.store->keys(), ring.hierarchy, world.places, world.clock, world.log, world.metrics});
  must(co_await later.load());
  co_await later.look();
  CHECK(world.places.words.back() == "a word");
  CHECK(later.usable(org));

  // Damaged ones are told of, and hold up nobody.
  auto spoilt = row.credentials;
  spoilt.back() ^= std::byte{1};
  must(co_await ring.store->keys().reseal_credentials(org, row.credentials, spoilt));
  OwnKeys damaged(world.executor,
                  {ring.store->keys(), ring.hierarchy, world.places, world.clock, world.log, world.metrics});
  must(co_await damaged.load());
  must(co_await ring.hierarchy.rotate_global());
  const auto none = must(co_await damaged.reseal_credentials());
  CHECK(none == 0);
  CHECK(world.lines.find("organisation_key.not_resealed") != std::string::npos);

  // Attached anew while it was sealed anew: what belongs to the new one stays.
  const auto stale = co_await world.ring.store->keys().reseal_credentials(org, Bytes(40), Bytes(41));
  REQUIRE(!stale);
  CHECK(stale.error().code == Errc::conflict);
}

ASYNC_TEST_CASE("a record that does not open is told of and tried again, and holds up no other",
                "[keys][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle_with_ca("ours");
  co_await world.add_tokens(org, 2);
  auto spoilt = co_await world.ca(org, "the CA's key");
  auto mended = spoilt;
  spoilt.sealed_private_key.back() ^= std::byte{1};
  co_await world.put_ca(org, spoilt);
  must(co_await world.custodian.rotate_organisation(org));
  co_await world.look();
  CHECK(world.lines.find("keys.not_resealed") != std::string::npos);
  co_await world.expect_waiting(org, 1);
  co_await world.expect_waiting(1);
  co_await world.put_ca(org, mended);
  world.clock.pass(kLateWriters);
  co_await world.look();
  co_await world.expect_waiting(org, 0);
  co_await world.expect_ca(org, {1, 2});
}

ASYNC_TEST_CASE("without the master key nothing is touched; what is erased is not waited for",
                "[keys][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto kept = co_await world.settle_with_ca("kept"), erased = co_await world.settle_with_ca("erased");
  must(co_await world.custodian.rotate_deployment());
  world.clock.pass(kKeyLife);
  world.provider.broken = Errc::unavailable;
  const auto refused = co_await world.resealer.look();
  CHECK(!refused);
  co_await world.expect_waiting(2);
  world.provider.broken.reset();
  world.clock.pass(kFailureLife);
  must(co_await world.ring.hierarchy.erase(erased));
  co_await world.look();
  co_await world.expect_ca(kept, {2, 1});
  co_await world.expect_waiting(0);
  co_await world.expect_waiting(erased, 0);
}

ASYNC_TEST_CASE("nothing is sealed under keys of which there is no backup, and one is made for all",
                "[keys][rotate][standing]") {
  Standing world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle_with_ca("ours"), theirs = co_await world.settle_with_ca("theirs");
  co_await world.look();
  CHECK(world.copies == 0);
  world.can_copy = false;
  must(co_await world.custodian.rotate_deployment());
  const auto refused = co_await world.custodian.look();
  REQUIRE(!refused);
  CHECK(refused.error().message.find("backup of keys.db") != std::string::npos);
  co_await world.expect_ca(ours, {1, 1});
  world.can_copy = true;
  world.copies = 0;
  co_await world.look();
  CHECK(world.copies == 1);
  co_await world.expect_ca(ours, {2, 1});
  co_await world.expect_ca(theirs, {2, 1});
}
