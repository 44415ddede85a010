#pragma once

#include "shared/base/result.h"
#include "shared/base/text.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

// For the .cc files of shared/crypto and shared/tls only: owners of libcrypto's objects and the translation of its
// errors.
namespace sallyport::crypto {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioOwner = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using X509Owner = std::unique_ptr<X509, FreeWith<X509_free>>;
using RequestOwner = std::unique_ptr<X509_REQ, FreeWith<X509_REQ_free>>;
using BignumOwner = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

// Empties the thread's error queue into a text for logs: the first reason, or "no detail".
std::string take_openssl_reason();

// An error with the reason appended; the queue is empty afterwards.
std::unexpected<Error> fail_openssl(Errc code, std::string_view what);

BioOwner read_only_bio(std::string_view text);
std::string bio_text(BIO* bio);

inline const unsigned char* octets(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* writable_octets(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

// The DER form of any object with a classic i2d function; empty when libcrypto fails.
template <auto Encode, class T>
Bytes to_der(const T* object) {
  const int length = Encode(object, nullptr);
  if (length <= 0) return {};
  Bytes der(static_cast<std::size_t>(length));
  auto* end = writable_octets(der);
  Encode(object, &end);
  return der;
}

// True for a P-256 key given by the curve's name, the only kind in use here.
bool is_p256(const EVP_PKEY* key);

}  // namespace sallyport::crypto
