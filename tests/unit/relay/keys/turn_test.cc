#include "tests/unit/relay/keys/world.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;
using store::Hour;
using store::KeyVersion;
using store::RetentionLane;

namespace {

// Says that a turn has failed although it stands, and for a while not even where it is.
class LyingStore final : public store::KeyStore {
 public:
  explicit LyingStore(store::KeyStore& real) : real_(real) {}
  awaitable<Result<std::vector<KeyVersion>>> global_keys() override { return real_.global_keys(); }
  awaitable<Result<void>> add_global_key(KeyVersion key) override { return real_.add_global_key(std::move(key)); }
  awaitable<Result<std::vector<KeyVersion>>> tenant_keys(OrgId org) override { return real_.tenant_keys(org); }
  awaitable<Result<void>> add_tenant_key(OrgId org, KeyVersion key) override {
    return real_.add_tenant_key(org, std::move(key));
  }
  awaitable<Result<std::uint32_t>> given_up(OrgId org) override { return real_.given_up(std::move(org)); }
  awaitable<Result<void>> rewrap_global_key(std::uint32_t version, Bytes wrapped) override {
    return real_.rewrap_global_key(version, std::move(wrapped));
  }
  awaitable<Result<std::vector<store::TenantKey>>> tenant_keys_before(std::uint32_t version, std::size_t limit,
                                                                      store::TenantKeyPlace after) override {
    return real_.tenant_keys_before(version, limit, std::move(after));
  }
  awaitable<Result<std::vector<store::TenantKeyPlace>>> newest_tenant_keys(OrgId after, std::size_t limit) override {
    return real_.newest_tenant_keys(std::move(after), limit);
  }
  awaitable<Result<void>> reseal_credentials(OrgId org, Bytes from, Bytes to) override {
    return real_.reseal_credentials(std::move(org), std::move(from), std::move(to));
  }
  awaitable<Result<std::vector<store::AttachedKey>>> own_keys() override { return real_.own_keys(); }
  awaitable<Result<std::optional<store::OwnKey>>> own_key(OrgId org) override { return real_.own_key(std::move(org)); }
  awaitable<Result<std::uint32_t>> last_own_key(OrgId org) override { return real_.last_own_key(std::move(org)); }
  awaitable<Result<std::vector<store::RestoreNote>>> restore_notes() override { return real_.restore_notes(); }
  awaitable<Result<void>> drop_restore_note(std::int64_t id) override { return real_.drop_restore_note(id); }
  awaitable<Result<void>> change_own_key(OrgId org, store::OwnKeyChange change) override {
    return real_.change_own_key(std::move(org), std::move(change));
  }
  awaitable<Result<void>> note_own_key(OrgId org, std::uint32_t version, std::optional<WallTime> since,
                                       std::string reason) override {
    return real_.note_own_key(std::move(org), version, since, std::move(reason));
  }
  awaitable<Result<void>> rewrap_tenant_key(store::TenantKey key, std::uint32_t from) override {
    return real_.rewrap_tenant_key(std::move(key), from);
  }
  awaitable<Result<std::optional<store::Ratchet>>> ratchet(OrgId org, RetentionLane lane) override {
    return real_.ratchet(org, lane);
  }
  awaitable<Result<std::optional<store::HourKey>>> hour_key(OrgId org, RetentionLane lane, Hour hour) override {
    return real_.hour_key(org, lane, hour);
  }
  awaitable<Result<store::HourKey>> add_hour_key(OrgId org, store::NewHourKey key) override {
    return real_.add_hour_key(org, std::move(key));
  }
  awaitable<Result<std::uint64_t>> epoch() override {
    if (turned_ && silent) co_return fail(Errc::unavailable, "planted: nothing can be read");
    co_return co_await real_.epoch();
  }
  awaitable<Result<std::vector<store::Ratchet>>> ratchets() override { return real_.ratchets(); }
  awaitable<Result<std::vector<store::LaneState>>> lanes() override { return real_.lanes(); }
  awaitable<Result<std::vector<store::CountedLane>>> lanes_of(OrgId org) override { return real_.lanes_of(org); }
  awaitable<Result<std::size_t>> turn(store::Turn turn) override {
    must(co_await real_.turn(std::move(turn)));
    turned_ = true;
    co_return fail(Errc::unavailable, "planted: it is said to have failed");
  }
  awaitable<Result<std::optional<store::ErasedKeys>>> erased(OrgId org) override { return real_.erased(org); }
  bool silent = false;

 private:
  store::KeyStore& real_;
  bool turned_ = false;
};

}  // namespace

ASYNC_TEST_CASE("a turn that is said to have failed and stands loses no key, whatever is tried then",
                "[keys][anchor]") {
  const bool silent = GENERATE(false, true);
  INFO("where it stands cannot be read: " << silent);
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  LyingStore lying(world.ring.store->keys());
  lying.silent = silent;
  Hierarchy keys(co_await boost::asio::this_coro::executor,
                 {lying, world.provider, world.ring.anchor, *world.ring.memory, world.clock});
  const auto first = co_await keys.shred({});
  CHECK(first.has_value() == !silent);
  lying.silent = false;
  if (silent) {
    const auto again = co_await keys.shred({});
    REQUIRE(!again);
    CHECK(again.error().message.find("restart") != std::string::npos);
  }
  KeyRing next(co_await boost::asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys,
               &world.provider);
  const RecordIdentity identity{org, "jobs", "trigger", job.job.value, KeyClass::payload, job.job};
  const auto data = must(co_await next.envelope.open(identity, job.trigger));
  CHECK(data.reveal() == "data of " + job.job.value);
}
