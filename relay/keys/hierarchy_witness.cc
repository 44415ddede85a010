#include "relay/keys/hierarchy.h"

// What relay.db says that keys.db must hold: a keys.db that is older than what was sealed is never taken for whole
// (docs/decisions/0046).
namespace sallyport::keys {

namespace asio = boost::asio;

asio::awaitable<Result<store::KeyWitness>> Hierarchy::witness_of(OrgId org) {
  if (parts_.witnesses == nullptr) co_return store::KeyWitness();
  co_return co_await parts_.witnesses->find(std::move(org));
}

asio::awaitable<Result<KnownKeys>> Hierarchy::read_known(OrgId org) {
  KnownKeys known{.org = org};
  if (org.value.empty()) {
    SP_CO_TRY(known.keys, co_await parts_.store.global_keys());
  } else {
    SP_CO_TRY(known.keys, co_await parts_.store.tenant_keys(org));
    SP_CO_TRY(known.last_own, co_await parts_.store.last_own_key(org));
  }
  SP_CO_TRY(known.given_up, co_await parts_.store.given_up(org));
  if (known.keys.empty() && !org.value.empty()) {
    SP_CO_TRY(const auto erased, co_await parts_.store.erased(std::move(org)));
    known.erased = erased.has_value();
  }
  co_return known;
}

// The witness and keys.db as they are at one moment, whatever is changed meanwhile.
asio::awaitable<Result<KnownKeys>> Hierarchy::known_keys(OrgId org) {
  for (;;) {
    SP_CO_TRY(auto before, co_await witness_of(org));
    SP_CO_TRY(auto known, co_await read_known(org));
    SP_CO_TRY(known.witness, co_await witness_of(org));
    if (before == known.witness) co_return known;
  }
}

asio::awaitable<Result<void>> Hierarchy::expect_usable(OrgId org) {
  SP_CO_TRY(const auto known, co_await known_keys(org));
  SP_CO_CHECK(known.expect_attached());
  SP_CO_CHECK(known.expect_newest());
  if (known.keys.empty()) co_return Result<void>();
  SP_CO_CHECK(co_await (org.value.empty() ? global(known.newest()) : tenant(std::move(org), known.newest())));
  co_return Result<void>();
}

asio::awaitable<Result<HeldKey>> Hierarchy::oldest_tenant(OrgId org) {
  auto first = co_await tenant(org, 1);
  if (first || first.error().code != Errc::not_found) co_return first;
  SP_CO_TRY(const auto left, co_await parts_.store.tenant_keys(org));
  if (left.empty()) co_return first;
  co_return co_await tenant(std::move(org), left.front().version);
}

// Before anything is sealed under a version that was never used: a backup has it, and relay.db says so.
asio::awaitable<Result<void>> Hierarchy::witness_version(OrgId org, store::KeyWitness witness, std::uint32_t version) {
  if (version <= witness.version) co_return Result<void>();
  co_await back_up();
  if (parts_.witnesses == nullptr) co_return Result<void>();
  co_return co_await parts_.witnesses->use_version(std::move(org), version);
}

}  // namespace sallyport::keys
