#include "shared/crypto/signing_request.h"

#include "shared/crypto/openssl.h"

namespace sallyport::crypto {

Result<Bytes> make_signing_request(const PrivateKey& key) {
  const RequestOwner request(X509_REQ_new());
  if (X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.native()) != 1 ||
      X509_REQ_sign(request.get(), key.native(), EVP_sha256()) == 0) {
    return fail_openssl(Errc::internal, "making a certificate signing request");
  }
  return to_der<i2d_X509_REQ>(request.get());
}

Result<SigningRequest> SigningRequest::from_der(std::span<const std::byte> der) {
  if (der.size() > kMaxSigningRequestBytes) return fail(Errc::too_large, "a certificate signing request over 4 KiB");
  const auto* at = octets(der);
  const RequestOwner request(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  if (!request) return fail_openssl(Errc::invalid, "not a certificate signing request");
  if (at != octets(der) + der.size()) return fail(Errc::invalid, "bytes after the certificate signing request");
  KeyHandle key(X509_REQ_get_pubkey(request.get()));
  if (!key) return fail_openssl(Errc::invalid, "no usable public key in the certificate signing request");
  if (!is_p256(key.get())) return fail(Errc::invalid, "the key to be signed is not of the curve P-256");
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    return fail_openssl(Errc::invalid, "the certificate signing request is not signed by its own key");
  }
  return SigningRequest(std::move(key));
}

Bytes SigningRequest::public_key_der() const { return to_der<i2d_PUBKEY>(key_.get()); }

}  // namespace sallyport::crypto
