#include "relay/keys/own_keys.h"
#include "relay/keys/tenant_fingerprints.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;

// What happens when keys.db is older than what relay.db says that it must hold.
namespace {

const OrgId kOrg("org_ours"), kOther("org_theirs");

OwnKeyOrder order_of(std::string name) { return {"file", {{Value("name"), Value(std::move(name))}}, {}}; }

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

RecordIdentity field_of(const OrgId& org) { return {org, "issuing_cas", "private_key", org.value}; }

// A process over keys.db as it was once, in a folder of its own, and over relay.db as it is.
struct Older {
  enum class Looks { at_witnesses, at_nothing };
  Older(KeysWorld& world, asio::any_io_executor on, Looks looks = Looks::at_witnesses)
      : ring(on, folder_of(world), world.clock, world.stores.job_keys, &world.provider, {},
             looks == Looks::at_witnesses ? &world.stores.key_witnesses : nullptr),
        own(on, {ring.store->keys(), ring.hierarchy, places, world.clock, world.log, metrics,
                 [this](OrgId, OwnKeys::Came came, std::string) -> awaitable<Result<void>> {
                   told.push_back(came);
                   co_return Result<void>();
                 }}) {}

  awaitable<void> begin() {
    must(co_await own.load());
    co_await own.look();
  }
  awaitable<Error> refusal(std::uint32_t version = 0, OrgId org = kOrg) {
    const auto key = co_await ring.hierarchy.tenant(std::move(org), version);
    REQUIRE_FALSE(key);
    co_return key.error();
  }

  TempDir folder;
  TestPlaces places;
  Metrics metrics;
  std::vector<OwnKeys::Came> told;
  KeyRing ring;
  OwnKeys own;

 private:
  std::filesystem::path folder_of(KeysWorld& world) {
    for (const auto* name : {"keys.db", "anchor"}) std::filesystem::copy(world.folder / "was" / name, folder / name);
    return folder.path();
  }
};

struct Aging : KeysWorld {
  explicit Aging(const asio::any_io_executor& executor)
      : KeysWorld(executor),
        on(executor),
        own(executor, {ring.store->keys(), ring.hierarchy, places, clock, log, metrics}) {}

  // What an older keys.db has.
  awaitable<void> remember() {
    std::filesystem::create_directory(folder / "was");
    must(co_await ring.store->copies().copy_to(folder / "was" / "keys.db"));
    std::filesystem::copy(folder / "anchor", folder / "was" / "anchor");
  }

  asio::any_io_executor on;
  TestPlaces places;
  OwnKeys own;
};

}  // namespace

ASYNC_TEST_CASE("a version of a key that an older keys.db lacks is lost, and its number never comes again",
                "[keys][witness]") {
  Aging world(co_await asio::this_coro::executor);
  const bool had_one = GENERATE(false, true);
  if (had_one) must(co_await world.ring.hierarchy.tenant(kOrg));
  must(co_await world.ring.hierarchy.tenant(kOther));
  co_await world.remember();
  if (had_one) must(co_await world.ring.hierarchy.rotate_tenant(kOrg));
  const std::uint32_t lost = had_one ? 2 : 1;
  const auto sealed = must(co_await world.ring.envelope.seal(field_of(kOrg), as_bytes("a key")));

  Older older(world, world.on);
  for (const auto version : {lost, 0u}) {
    const auto refused = co_await older.refusal(version);
    INFO(refused.message);
    CHECK(refused.code == Errc::unavailable);
    CHECK(contains(refused.message, "version " + std::to_string(lost)));
    CHECK(contains(refused.message, "is lost"));
    CHECK(contains(refused.message, "put back the keys.db that belongs to it"));
    CHECK(contains(refused.message, "keys restore; when no backup has that version either, --accept-loss"));
  }
  const auto rotated = co_await older.ring.hierarchy.rotate_tenant(kOrg);
  CHECK_FALSE(rotated);
  must(co_await older.ring.hierarchy.tenant(kOther));  // nobody else notices
  const auto usable = co_await older.ring.hierarchy.expect_usable(kOrg);
  REQUIRE_FALSE(usable);  // whatever versions there are
  CHECK(contains(usable.error().message, "is lost"));
  must(co_await older.ring.hierarchy.expect_usable(kOther));

  must(co_await older.ring.store->give_up({{kOrg, lost}}));
  world.clock.pass(kFailureLife);
  const auto gone = co_await older.refusal(lost);
  CHECK(gone.code == Errc::not_found);  // for good
  const auto opened = co_await older.ring.envelope.open(field_of(kOrg), sealed);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::not_found);
  const auto next = must(co_await older.ring.hierarchy.tenant(kOrg));
  CHECK(next.version == lost + 1);
  TenantFingerprints texts(older.ring.hierarchy);  // which are under the first version that there is
  const auto known = must(co_await texts.of(kOrg, "purpose", "text"));
  const auto again = must(co_await texts.of(kOrg, "purpose", "text"));
  CHECK(known == again);

  // Positive control: who does not look makes the number again, and the field looks changed.
  Older blind(world, world.on, Older::Looks::at_nothing);
  if (had_one) must(co_await blind.ring.hierarchy.rotate_tenant(kOrg));
  const auto made = must(co_await blind.ring.hierarchy.tenant(kOrg));
  CHECK(made.version == lost);
  const auto changed = co_await blind.ring.envelope.open(field_of(kOrg), sealed);
  REQUIRE_FALSE(changed);
  CHECK(changed.error().code == Errc::invalid);
}

ASYNC_TEST_CASE("a version of the global key that an older keys.db lacks is lost, too", "[keys][witness]") {
  Aging world(co_await asio::this_coro::executor);
  must(co_await world.ring.hierarchy.global());
  co_await world.remember();
  must(co_await world.ring.hierarchy.rotate_global());
  must(co_await world.ring.hierarchy.global());
  Older older(world, world.on);
  const auto lost = co_await older.ring.hierarchy.global();
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == Errc::unavailable);
  CHECK(contains(lost.error().message, "version 2 of the global key is lost"));
  const auto rotated = co_await older.ring.hierarchy.rotate_global();
  CHECK_FALSE(rotated);
  must(co_await older.ring.store->give_up({{OrgId(), 2}}));
  world.clock.pass(kFailureLife);
  const auto next = must(co_await older.ring.hierarchy.global());
  CHECK(next.version == 3);
  const auto gone = co_await older.ring.hierarchy.global(2);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Errc::not_found);
}

ASYNC_TEST_CASE("keys that were there before anybody witnessed them are witnessed when they are used",
                "[keys][witness]") {
  Aging world(co_await asio::this_coro::executor);
  co_await world.remember();
  Older before(world, world.on, Older::Looks::at_nothing);
  must(co_await before.ring.hierarchy.tenant(kOrg));
  must(co_await before.own.attach(kOrg, order_of("one")));
  auto witness = must(co_await world.stores.key_witnesses.find(kOrg));
  CHECK(witness == store::KeyWitness{});
  KeyRing after(world.on, before.folder.path(), world.clock, world.stores.job_keys, &world.provider, {},
                &world.stores.key_witnesses);
  OwnKeys own(world.on, {after.store->keys(), after.hierarchy, world.places, world.clock, world.log, world.metrics});
  must(co_await own.load());
  co_await own.look();
  must(co_await after.hierarchy.tenant(kOrg));
  witness = must(co_await world.stores.key_witnesses.find(kOrg));
  CHECK(witness.version == 2);
  CHECK(witness.attached.version == 1);
}

ASYNC_TEST_CASE("an organisation whose attached key is not in keys.db is refused until its owner acts",
                "[keys][own][witness]") {
  Aging world(co_await asio::this_coro::executor);
  const bool attaches = GENERATE(true, false);
  const bool had_older = GENERATE(false, true);
  must(co_await world.ring.hierarchy.tenant(kOrg));
  if (had_older) must(co_await world.own.attach(kOrg, order_of("two")));
  co_await world.remember();
  must(co_await world.own.attach(kOrg, order_of("one")));
  const auto newest = must(co_await world.ring.hierarchy.tenant(kOrg)).version;

  {  // Positive control: who does not look goes on without it.
    Older blind(world, world.on, Older::Looks::at_nothing);
    co_await blind.begin();
    CHECK(blind.own.usable(kOrg));
    must(co_await blind.ring.hierarchy.tenant(kOrg));
  }
  Older older(world, world.on);
  must(co_await older.ring.store->give_up({{kOrg, newest}}));
  co_await older.begin();
  CHECK_FALSE(older.own.usable(kOrg));
  CHECK(older.told == std::vector{OwnKeys::Came::refused});
  const auto facts = older.own.facts(kOrg);
  REQUIRE(facts);
  CHECK(facts->kind == "file");
  CHECK(facts->refused_since);
  CHECK(contains(facts->reason, "attach it again"));
  for (const std::uint32_t version : {0u, 1u}) {
    const auto refused = co_await older.refusal(version);
    CHECK(refused.code == Errc::unavailable);
    CHECK(contains(refused.message, "own key cannot be used"));
  }
  const auto rotated = co_await older.ring.hierarchy.rotate_tenant(kOrg);
  CHECK_FALSE(rotated);
  co_await older.own.look();
  CHECK_FALSE(older.own.usable(kOrg));
  OwnKeys restarted(world.on, {older.ring.store->keys(), older.ring.hierarchy, older.places, world.clock, world.log,
                               world.metrics, [&](OrgId, OwnKeys::Came came, std::string) -> awaitable<Result<void>> {
                                 older.told.push_back(came);
                                 co_return Result<void>();
                               }});
  must(co_await restarted.load());
  CHECK(older.told.size() == 1);  // once

  if (attaches) {
    must(co_await restarted.attach(kOrg, order_of("one")));
  } else {
    const auto needless = co_await restarted.detach(kOrg, OwnKeys::Detach::without_it);
    REQUIRE_FALSE(needless);
    CHECK(contains(needless.error().message, "nothing has to be given up"));
    must(co_await restarted.detach(kOrg));
  }
  CHECK(restarted.usable(kOrg));
  CHECK(older.told.back() == OwnKeys::Came::restored);
  const auto key = must(co_await older.ring.hierarchy.tenant(kOrg));
  CHECK(key.version > newest);
  const auto stands = must(co_await older.ring.store->keys().own_key(kOrg));
  CHECK(stands.has_value() == attaches);
  if (stands) CHECK(stands->version == (had_older ? 3 : 2));  // no number of an attachment comes twice
  const auto witness = must(co_await world.stores.key_witnesses.find(kOrg));
  CHECK(witness.attached.version == (stands ? stands->version : 0));
}

ASYNC_TEST_CASE("an own key that was detached after what an older relay.db says is missed by nobody",
                "[keys][own][witness]") {
  Aging world(co_await asio::this_coro::executor);
  must(co_await world.ring.hierarchy.tenant(kOrg));
  must(co_await world.own.attach(kOrg, order_of("one")));
  const auto then = must(co_await world.stores.key_witnesses.find(kOrg));
  REQUIRE(then.attached.version == 1);
  must(co_await world.own.detach(kOrg));
  must(co_await world.stores.key_witnesses.set_attached(kOrg, then.attached));  // relay.db comes back from a backup
  co_await world.remember();

  Older restarted(world, world.on);
  const auto before = co_await restarted.ring.hierarchy.tenant(kOrg);
  CHECK(before);
  co_await restarted.begin();
  CHECK(restarted.own.usable(kOrg));
  CHECK(restarted.told.empty());
  must(co_await restarted.ring.hierarchy.rotate_tenant(kOrg));
  CHECK(must(co_await world.stores.key_witnesses.find(kOrg)).attached.version == 0);
  must(co_await restarted.own.attach(kOrg, order_of("two")));
  CHECK(must(co_await world.stores.key_witnesses.find(kOrg)).attached.version == 2);
}

ASYNC_TEST_CASE("a version is in a backup before it is used, and before anybody is told of it", "[keys][witness]") {
  KeysWorld world(co_await asio::this_coro::executor);
  std::vector<std::uint32_t> backed_up;  // the newest version at that time
  Hierarchy keys(co_await asio::this_coro::executor,
                 {.store = world.ring.store->keys(),
                  .provider = world.provider,
                  .anchor = world.ring.anchor,
                  .memory = *world.ring.memory,
                  .clock = world.clock,
                  .after_change = [&]() -> awaitable<void> {
                    const auto versions = must(co_await world.ring.store->keys().tenant_keys(kOrg));
                    if (versions.empty()) co_return;  // of the global key
                    backed_up.push_back(versions.back().version);
                    const auto witness = must(co_await world.stores.key_witnesses.find(kOrg));
                    CHECK(witness.version < backed_up.back());
                  },
                  .witnesses = &world.stores.key_witnesses});
  must(co_await keys.tenant(kOrg));
  CHECK(backed_up.back() == 1);
  must(co_await keys.rotate_tenant(kOrg));
  CHECK(backed_up.back() == 2);
  const auto count = backed_up.size();
  must(co_await keys.tenant(kOrg));
  CHECK(backed_up.size() == count);  // nothing is new
  // Made by somebody who died before the backup.
  Hierarchy died(co_await asio::this_coro::executor, {.store = world.ring.store->keys(),
                                                      .provider = world.provider,
                                                      .anchor = world.ring.anchor,
                                                      .memory = *world.ring.memory,
                                                      .clock = world.clock});
  const auto made = must(co_await died.rotate_tenant(kOrg));
  keys.forget(kOrg);
  must(co_await keys.tenant(kOrg));
  CHECK(backed_up.back() == made);
}
