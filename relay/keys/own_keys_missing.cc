#include "relay/keys/own_keys.h"

#include <algorithm>
#include <vector>

// Keys that organisations have attached, and that keys.db does not have (docs/decisions/0046).
namespace sallyport::keys {

namespace asio = boost::asio;

asio::awaitable<Result<void>> OwnKeys::find_missing() {
  auto* witnesses = parts_.keys.witnesses();
  if (witnesses == nullptr) co_return Result<void>();
  SP_CO_TRY(const auto all, co_await witnesses->attached());
  for (const auto& [org, witness] : all) {
    SP_CO_TRY(const auto erased, co_await parts_.store.erased(org));
    if (erased) continue;
    SP_CO_TRY(const auto last, co_await parts_.store.last_own_key(org));
    if (misses_attachment(witness, last)) {
      co_await miss(org, witness.attached);
    } else if (!attached_.contains(org)) {
      SP_CO_CHECK(co_await witness_none(org));  // detached after what this relay.db knows of
    }
  }
  for (const auto& [org, one] : std::vector(attached_.begin(), attached_.end())) co_await witness(org, one);
  co_return Result<void>();
}

// An older key of its own may stand in keys.db: nobody asks for it, but who attaches another or detaches.
asio::awaitable<void> OwnKeys::miss(OrgId org, store::WitnessedAttachment missing) {
  if (const auto older = attached_.find(org); older != attached_.end() && older->second->row.refused_since) {
    older->second->row.refused_since.reset();
    refused_now_.add(-1);
  }
  refused_now_.add(1);
  const bool is_told = missing.missing_since.has_value();
  const auto version = missing.version;
  const auto since = missing.missing_since.value_or(parts_.clock.wall());
  missing.missing_since = since;
  missing_.insert_or_assign(org, std::move(missing));
  count();
  if (is_told) co_return;
  const bool told = co_await tell(org, Came::refused, std::string(kMissing));
  if (!told) co_return;  // again at the next start
  const auto noted = co_await parts_.keys.witnesses()->note_missing(org, version, since);
  if (!noted) parts_.log.error("organisation_key.not_noted", {{"org", org.value}, {"reason", noted.error().message}});
}

// That it stands: at once, or when it is asked for next.
asio::awaitable<void> OwnKeys::witness(OrgId org, Shared one) {
  auto* witnesses = parts_.keys.witnesses();
  if (witnesses == nullptr || one->witnessed || missing_.contains(org) || !is_present(org, one)) co_return;
  const auto known = co_await witnesses->find(org);
  Result<void> set;
  if (!known) {
    set = std::unexpected(known.error());
  } else if (known->attached.version < one->row.version) {
    set = co_await witnesses->set_attached(
        org, {.version = one->row.version, .kind = one->row.kind, .attached_at = one->row.attached_at});
  }
  one->witnessed = set.has_value();
  if (!set) parts_.log.error("organisation_key.not_noted", {{"org", org.value}, {"reason", set.error().message}});
}

asio::awaitable<Result<void>> OwnKeys::witness_none(OrgId org) {
  auto* witnesses = parts_.keys.witnesses();
  if (witnesses == nullptr) co_return Result<void>();
  co_return co_await witnesses->set_attached(std::move(org), {});
}

// Of an attachment, also of one that keys.db does not know: no later one has it again.
asio::awaitable<Result<std::uint32_t>> OwnKeys::last_version(OrgId org) {
  SP_CO_TRY(const auto last, co_await parts_.store.last_own_key(org));
  auto* witnesses = parts_.keys.witnesses();
  if (witnesses == nullptr) co_return last;
  SP_CO_TRY(const auto witness, co_await witnesses->find(std::move(org)));
  co_return std::max(last, witness.last_attached);
}

}  // namespace sallyport::keys
