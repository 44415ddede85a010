#include "relay/keys/local_fingerprints.h"

#include "shared/base/text.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/digest.h"

namespace sallyport::keys {
namespace {

constexpr std::string_view kInfo = "sallyport-fingerprint-key-1";
constexpr std::array kBetween = {std::byte{0}};  // a purpose is text without it

}  // namespace

boost::asio::awaitable<Result<Fingerprint>> LocalFingerprints::of(OrgId org, std::string purpose, std::string text) {
  SP_CO_TRY(const Secret key, crypto::hkdf_sha256(key_, as_bytes(org.value), as_bytes(kInfo), sizeof(Fingerprint)));
  co_return crypto::hmac_sha256(key, {as_bytes(purpose), kBetween, as_bytes(text)});
}

}  // namespace sallyport::keys
