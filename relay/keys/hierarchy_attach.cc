#include "relay/keys/hierarchy.h"
#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"

// The second key above an organisation's, and how it comes and goes.
namespace sallyport::keys {

namespace asio = boost::asio;

asio::awaitable<Result<Hierarchy::TenantParents>> Hierarchy::parents_of(const OrgId& org, std::uint32_t global,
                                                                        std::uint32_t own) {
  TenantParents above;
  if (own != 0) {  // first, because it is known at once
    SP_CO_TRY(above.attachment, attachments_.find(org, own, now()));
  }
  SP_CO_TRY(above.global, co_await this->global(global));
  co_return above;
}

Result<Bytes> Hierarchy::wrap_under(const TenantParents& above, std::string_view name, const LockedKey& key) {
  if (!above.attachment) return wrap_key(parts_.memory, {above.global.key->bytes()}, name, key);
  return wrap_key(parts_.memory, {above.global.key->bytes(), above.attachment->key->bytes()}, name, key);
}

Result<LockedKey> Hierarchy::unwrap_under(const TenantParents& above, std::string_view name, const Bytes& wrapped) {
  if (!above.attachment) return unwrap_key(parts_.memory, {above.global.key->bytes()}, name, wrapped);
  return unwrap_key(parts_.memory, {above.global.key->bytes(), above.attachment->key->bytes()}, name, wrapped);
}

asio::awaitable<Result<void>> Hierarchy::change_attachment(OrgId org, std::optional<HeldKey> from,
                                                           std::optional<Attached> to) {
  store::OwnKeyChange change;
  change.from = from ? from->version : 0;
  TenantParents above;
  SP_CO_TRY(above.global, co_await global());
  if (to) {
    above.attachment = std::move(to->key);
    change.to = std::move(to->row);
  }
  SP_CO_TRY(auto known, co_await known_keys(org));
  SP_CO_CHECK(known.expect_newest());
  change.known = known.keys.size();
  SP_CO_TRY(change.keys, co_await wrapped_anew(std::move(known), std::move(from), std::move(above)));
  SP_CO_CHECK(co_await parts_.store.change_own_key(org, std::move(change)));
  co_await settle_change(std::move(org));
  co_return Result<void>();
}

asio::awaitable<Result<void>> Hierarchy::give_up_attachment(OrgId org, std::uint32_t version) {
  store::OwnKeyChange change{.from = version, .to = {}, .keys = {}, .known = 0, .gives_up = true};
  TenantParents above;
  SP_CO_TRY(above.global, co_await global());
  SP_CO_TRY(const auto known, co_await known_keys(org));
  change.known = known.keys.size();
  SP_CO_TRY(auto next, new_version(known, above));
  change.keys.push_back(std::move(next));
  SP_CO_CHECK(co_await parts_.store.change_own_key(org, std::move(change)));
  co_await settle_change(std::move(org));
  co_return Result<void>();
}

asio::awaitable<void> Hierarchy::settle_change(OrgId org) {
  forget(org);
  co_await back_up();
}

asio::awaitable<Result<std::vector<store::KeyVersion>>> Hierarchy::wrapped_anew(KnownKeys known,
                                                                                std::optional<HeldKey> from,
                                                                                TenantParents to) {
  const std::uint32_t own = to.attachment ? to.attachment->version : 0;
  for (auto& version : known.keys) {
    const auto name = tenant_name(known.org, version.version);
    if (version.own != (from ? from->version : 0)) {
      co_return fail(Errc::conflict, "the organisation's own key was attached or detached meanwhile");
    }
    TenantParents above;
    SP_CO_TRY(above.global, co_await global(version.under));
    above.attachment = from;
    SP_CO_TRY(const auto plain, unwrap_under(above, name, version.wrapped));
    SP_CO_TRY(version.wrapped, wrap_under(to, name, plain));
    version.under = to.global.version;
    version.own = own;
  }
  SP_CO_TRY(auto next, new_version(known, to));
  known.keys.push_back(std::move(next));
  co_return std::move(known.keys);
}

Result<store::KeyVersion> Hierarchy::new_version(const KnownKeys& known, const TenantParents& above) {
  store::KeyVersion next{.version = known.next(),
                         .under = above.global.version,
                         .wrapped = {},
                         .created_at = parts_.clock.wall(),
                         .own = above.attachment ? above.attachment->version : 0};
  SP_TRY(const LockedKey fresh, random_key(parts_.memory));
  SP_TRY(next.wrapped, wrap_under(above, tenant_name(known.org, next.version), fresh));
  return next;
}

void Hierarchy::forget(const OrgId& org) {
  const auto is_its = [&](std::string_view name) { return organisation_of(name) == org.value; };
  cache_.forget_if(is_its);
  std::erase_if(failures_, [&](const auto& failure) { return is_its(failure.first); });
}

}  // namespace sallyport::keys
