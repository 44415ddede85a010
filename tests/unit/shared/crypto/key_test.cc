#include "shared/crypto/key.h"

#include "shared/crypto/openssl.h"
#include "shared/crypto/signing_request.h"
#include "tests/support/pki.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;
using test::must;

namespace {

Secret pem_of(EVP_PKEY* key, const EVP_CIPHER* cipher) {
  const BioOwner bio(BIO_new(BIO_s_mem()));
  char passphrase[] = "open sesame";
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, cipher, passphrase, sizeof passphrase - 1, nullptr, nullptr);
  return Secret::take(bio_text(bio.get()));
}

Bytes request_of(EVP_PKEY* named, EVP_PKEY* signer) {
  const RequestOwner request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), named);
  X509_REQ_sign(request.get(), signer, EVP_sha256());
  return to_der<i2d_X509_REQ>(request.get());
}

}  // namespace

TEST_CASE("a private key survives PEM", "[crypto]") {
  const auto key = must(PrivateKey::generate());
  const auto pem = key.to_pem();
  CHECK(pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----"));
  const auto back = PrivateKey::from_pem(pem);
  REQUIRE(back);
  CHECK(back->public_key_der() == key.public_key_der());
  CHECK(must(PrivateKey::generate()).public_key_der() != key.public_key_der());
}

TEST_CASE("a private key of another kind or form is refused", "[crypto]") {
  const KeyHandle p384(EVP_EC_gen("P-384"));
  const KeyHandle rsa(EVP_RSA_gen(2048));
  const auto ours = must(PrivateKey::generate());
  struct Row {
    std::string_view what;
    Secret pem;
  };
  Row rows[] = {
      {"P-256", pem_of(p384.get(), nullptr)},
      {"P-256", pem_of(rsa.get(), nullptr)},
      {"unencrypted", pem_of(ours.native(), EVP_aes_128_cbc())},
      {"unencrypted", Secret::take(std::string("hello"))},
      {"unencrypted", Secret()},
      {"4 KiB", Secret::take(std::string(5000, 'A'))},
  };
  for (const auto& row : rows) {
    const auto key = PrivateKey::from_pem(row.pem);
    REQUIRE_FALSE(key);
    INFO(key.error().message);
    CHECK(key.error().message.find(row.what) != std::string::npos);
  }
}

TEST_CASE("a signing request carries its key and proves its possession", "[crypto]") {
  const auto key = must(PrivateKey::generate());
  const auto request = SigningRequest::from_der(must(make_signing_request(key)));
  REQUIRE(request);
  CHECK(request->public_key_der() == key.public_key_der());
}

TEST_CASE("a signing request that is cut, changed, long or signed by another key is refused", "[crypto]") {
  const auto key = must(PrivateKey::generate());
  const auto der = must(make_signing_request(key));
  for (std::size_t size = 0; size < der.size(); ++size)
    REQUIRE_FALSE(SigningRequest::from_der(std::span(der).first(size)));
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < der.size(); ++at) {
    auto changed = der;
    changed[at] ^= std::byte{0x01};
    accepted += SigningRequest::from_der(changed) ? 1 : 0;
  }
  CHECK(accepted == 0);
  auto longer = der;
  longer.push_back(std::byte{0});
  CHECK_FALSE(SigningRequest::from_der(longer));
  const auto huge = SigningRequest::from_der(Bytes(kMaxSigningRequestBytes + 1));
  REQUIRE_FALSE(huge);
  CHECK(huge.error().code == Errc::too_large);
  const auto other = must(PrivateKey::generate());
  CHECK_FALSE(SigningRequest::from_der(request_of(key.native(), other.native())));
  CHECK(SigningRequest::from_der(request_of(key.native(), key.native())));
}

TEST_CASE("a signing request for another kind of key is refused", "[crypto]") {
  const KeyHandle p384(EVP_EC_gen("P-384"));
  const KeyHandle rsa(EVP_RSA_gen(2048));
  for (auto* key : {p384.get(), rsa.get()}) {
    const auto request = SigningRequest::from_der(request_of(key, key));
    REQUIRE_FALSE(request);
    CHECK(request.error().message.find("P-256") != std::string::npos);
  }
}
