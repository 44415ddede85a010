#include "relay/keys/tenant_fingerprints.h"

#include "shared/base/secret.h"
#include "shared/base/text.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/digest.h"

namespace sallyport::keys {
namespace {

constexpr std::string_view kInfo = "sallyport/2/fingerprint";
constexpr std::array kBetween = {std::byte{0}};  // a purpose is text without it

}  // namespace

boost::asio::awaitable<Result<Fingerprint>> TenantFingerprints::of(OrgId org, std::string purpose, std::string text) {
  SP_CO_CHECK(co_await keys_.tenant(org));  // an organisation that has no key yet gets its first
  SP_CO_TRY(const auto first, co_await keys_.oldest_tenant(org));
  std::string derived(crypto::kAeadKeySize, '\0');
  const auto made = crypto::hkdf_sha256(first.key->bytes(), {}, as_bytes(kInfo),
                                        std::span(reinterpret_cast<std::byte*>(derived.data()), derived.size()));
  const Secret key = Secret::take(derived);
  SP_CO_CHECK(made);
  co_return crypto::hmac_sha256(key, {as_bytes(purpose), kBetween, as_bytes(text)});
}

}  // namespace sallyport::keys
