#include "relay/erasure/receipts.h"

#include "relay/store/audit_log.h"
#include "shared/crypto/signed_document.h"

namespace sallyport::erasure {

namespace asio = boost::asio;

namespace {

keys::RecordIdentity key_identity(const OrgId& org, const std::string& id) {
  return {org, "receipt_keys", "private_key", id};
}

}  // namespace

asio::awaitable<Result<Value>> Receipts::sign(Value document) {
  SP_CO_TRY(auto stored, co_await key());
  SP_CO_TRY(const auto seed,
            co_await envelope_.open(key_identity(store::system_ledger(), stored.id), stored.sealed_private_key));
  SP_CO_TRY(const auto signing, crypto::SigningKey::from_seed(seed));
  co_return crypto::sign_document(signing, crypto::kReceiptKind, std::move(document));
}

asio::awaitable<Result<Bytes>> Receipts::public_key() {
  SP_CO_TRY(auto stored, co_await key());
  co_return std::move(stored.public_key);
}

// Of two that make the first key at once one stays, and both go on with it.
asio::awaitable<Result<store::ReceiptKey>> Receipts::key() {
  SP_CO_TRY(auto stored, co_await store_.receipt_key());
  if (!stored) {
    SP_CO_CHECK(co_await make_key());
    SP_CO_TRY(stored, co_await store_.receipt_key());
  }
  if (!stored) co_return fail(Errc::internal, "the key of receipts is not where it was put");
  co_return *std::move(stored);
}

asio::awaitable<Result<void>> Receipts::make_key() {
  SP_CO_TRY(const auto made, crypto::SigningKey::generate());
  SP_CO_TRY(auto public_key, made.public_key());
  SP_CO_TRY(const auto seed, made.seed());
  const auto id = crypto::key_id(public_key);
  SP_CO_TRY(auto sealed, co_await envelope_.seal(key_identity(store::system_ledger(), id), as_bytes(seed.reveal())));
  co_return co_await store_.add_receipt_key({id, std::move(public_key), std::move(sealed), clock_.wall()});
}

}  // namespace sallyport::erasure
