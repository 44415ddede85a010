#include "relay/keys/hierarchy.h"
#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"
#include "shared/crypto/aead.h"

// New versions of keys, and keys that are wrapped anew. Each step is one write: whoever is cut short goes on.
namespace sallyport::keys {

namespace asio = boost::asio;

asio::awaitable<Result<std::uint32_t>> Hierarchy::rotate_global() {
  SP_CO_TRY(const auto known, co_await known_keys(OrgId()));
  SP_CO_TRY(const auto next, co_await make_global(known));
  SP_CO_CHECK(co_await witness_version(OrgId(), known.witness, next.version));
  cache_.forget(global_name(0));
  co_return next.version;
}

asio::awaitable<Result<store::KeyVersion>> Hierarchy::make_global(KnownKeys known) {
  SP_CO_CHECK(known.expect_newest());
  store::KeyVersion next{.version = known.next(), .under = 0, .wrapped = {}, .created_at = earliest()};
  SP_CO_TRY(next.wrapped, co_await parts_.provider.wrap(global_name(next.version), crypto::new_aead_key()));
  SP_CO_CHECK(co_await parts_.store.add_global_key(next));
  co_return next;
}

asio::awaitable<Result<std::uint32_t>> Hierarchy::rotate_tenant(OrgId org) {
  SP_CO_TRY(const auto known, co_await known_keys(org));
  SP_CO_TRY(const auto next, co_await make_tenant(known));
  SP_CO_CHECK(co_await witness_version(org, known.witness, next.version));
  cache_.forget(tenant_name(org, 0));
  co_return next.version;
}

// What cannot be had now, because its organisation's own key is refused, stays where it is and keeps nobody waiting.
asio::awaitable<Result<Hierarchy::Rewrapped>> Hierarchy::rewrap_tenants(std::size_t limit,
                                                                        store::TenantKeyPlace after) {
  SP_CO_TRY(const auto to, co_await global());
  SP_CO_TRY(auto old, co_await parts_.store.tenant_keys_before(to.version, limit, std::move(after)));
  Rewrapped done;
  if (old.size() == limit) done.next = store::TenantKeyPlace{old.back().org, old.back().key.version};
  for (auto& key : old) {
    if (key.key.own != 0 && !attachments_.find(key.org, key.key.own, now())) continue;
    SP_CO_TRY(const auto witness, co_await witness_of(key.org));
    SP_CO_TRY(const auto last_own, co_await parts_.store.last_own_key(key.org));
    if (misses_attachment(witness, last_own)) continue;  // nothing of it is touched until its owner acts
    const auto rewrapped = co_await rewrap_tenant(std::move(key), to);
    if (!rewrapped && rewrapped.error().code == Errc::conflict) continue;  // it was attached or detached meanwhile
    if (!rewrapped && rewrapped.error().code == Errc::invalid) {           // damaged: it keeps nobody else
      ++done.damaged;
      continue;
    }
    SP_CO_CHECK(rewrapped);
    ++done.keys;
  }
  co_return done;
}

asio::awaitable<Result<void>> Hierarchy::rewrap_tenant(store::TenantKey key, const HeldKey& to) {
  const auto from = key.key.under;
  const auto name = tenant_name(key.org, key.key.version);
  SP_CO_TRY(auto above, co_await parents_of(key.org, from, key.key.own));
  SP_CO_TRY(const auto plain, unwrap_under(above, name, key.key.wrapped));
  above.global = to;
  SP_CO_TRY(key.key.wrapped, wrap_under(above, name, plain));
  key.key.under = to.version;
  co_return co_await parts_.store.rewrap_tenant_key(std::move(key), from);
}

asio::awaitable<Result<std::size_t>> Hierarchy::rewrap_globals(Provider& next) {
  SP_CO_TRY(const auto versions, co_await parts_.store.global_keys());
  for (const auto& version : versions) {
    const auto name = global_name(version.version);
    auto plain = co_await parts_.provider.unwrap(name, version.wrapped);
    if (!plain && plain.error().code == Errc::invalid && (co_await next.unwrap(name, version.wrapped)).has_value()) {
      continue;  // an earlier try was cut short behind it
    }
    if (!plain) co_return std::unexpected(std::move(plain).error());
    SP_CO_TRY(auto wrapped, co_await next.wrap(name, *std::move(plain)));
    SP_CO_CHECK(co_await parts_.store.rewrap_global_key(version.version, std::move(wrapped)));
  }
  co_return versions.size();
}

}  // namespace sallyport::keys
