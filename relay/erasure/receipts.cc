#include "relay/erasure/receipts.h"

#include "relay/store/audit_log.h"
#include "shared/crypto/signed_document.h"

#include <algorithm>
#include <utility>

namespace sallyport::erasure {

namespace asio = boost::asio;

namespace {

keys::RecordIdentity key_identity(const OrgId& org, const std::string& id) {
  return {org, "receipt_keys", "private_key", id};
}

}  // namespace

asio::awaitable<Result<Value>> Receipts::sign(Value document) {
  SP_CO_TRY(auto key, co_await usable());
  SP_CO_TRY(const auto seed, std::move(key.seed));
  SP_CO_TRY(const auto signing, crypto::SigningKey::from_seed(seed));
  co_return crypto::sign_document(signing, crypto::kReceiptKind, std::move(document));
}

asio::awaitable<Result<Bytes>> Receipts::public_key(std::string id) {
  if (id.empty()) {
    SP_CO_TRY(auto key, co_await usable());
    co_return std::move(key.stored.public_key);
  }
  SP_CO_TRY(auto stored, co_await parts_.store.receipt_key(std::move(id)));
  if (!stored) co_return fail(Errc::not_found, "no receipt was signed with a key of this id");
  co_return std::move(stored->public_key);
}

// Of two that make a key at once one stays, and both go on with it. Only what is gone for good is not_found: a key that
// is away for now, or was changed, is not replaced.
asio::awaitable<Result<Receipts::Usable>> Receipts::usable() {
  for (bool made = false;; made = true) {
    SP_CO_TRY(auto stored, co_await parts_.store.receipt_key());
    std::string why;
    if (stored) {
      auto seed =
          co_await parts_.envelope.open(key_identity(store::system_ledger(), stored->id), stored->sealed_private_key);
      const bool is_lost = !seed && seed.error().code == Errc::not_found;
      if (!is_lost || made) co_return Usable{*std::move(stored), std::move(seed)};
      why = std::move(seed).error().message;
    } else if (made) {
      co_return fail(Errc::internal, "the key of receipts is not where it was put");
    }
    SP_CO_CHECK(co_await make_key(std::move(stored), std::move(why)));
  }
}

asio::awaitable<Result<void>> Receipts::make_key(std::optional<store::ReceiptKey> lost, std::string why) {
  SP_CO_TRY(const auto made, crypto::SigningKey::generate());
  SP_CO_TRY(auto public_key, made.public_key());
  SP_CO_TRY(const auto seed, made.seed());
  const auto id = crypto::key_id(public_key);
  SP_CO_TRY(auto sealed,
            co_await parts_.envelope.seal(key_identity(store::system_ledger(), id), as_bytes(seed.reveal())));
  auto at = parts_.clock.wall();
  if (lost) {
    at = std::max(at, lost->created_at + std::chrono::milliseconds(1));  // the newest counts
    AuditRecord record{.actor = "system", .action = "receipt_key.renew", .target = "key:receipts"};
    record.detail.emplace("old_key", lost->id);
    record.detail.emplace("reason", "the key of the one before was lost");
    SP_CO_CHECK(co_await parts_.audit.record(store::system_ledger(), std::move(record)));
    parts_.log.warn("receipt_key.renewed", {{"reason", why}});
  }
  auto after = lost ? std::move(lost->id) : std::string();
  co_return co_await parts_.store.add_receipt_key({id, std::move(public_key), std::move(sealed), at}, std::move(after));
}

}  // namespace sallyport::erasure
