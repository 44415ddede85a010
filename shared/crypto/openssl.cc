#include "shared/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <array>

namespace sallyport::crypto {

std::string take_openssl_reason() {
  const auto first = ERR_get_error();
  ERR_clear_error();
  if (first == 0) return "no detail";
  const char* reason = ERR_reason_error_string(first);
  return reason != nullptr ? reason : "reason " + std::to_string(ERR_GET_REASON(first));
}

std::unexpected<Error> fail_openssl(Errc code, std::string_view what) {
  return fail(code, std::string(what) + ": " + take_openssl_reason());
}

BioOwner read_only_bio(std::string_view text) {
  return BioOwner(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string bio_text(BIO* bio) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

bool is_p256(const EVP_PKEY* key) {
  std::array<char, 64> curve{};
  if (EVP_PKEY_is_a(key, "EC") != 1) return false;
  if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve.data(), curve.size(), nullptr) != 1 ||
      std::string_view(curve.data()) != "prime256v1") {
    return false;
  }
  std::array<char, 64> encoding{};
  return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding.data(), encoding.size(), nullptr) ==
             1 &&
         std::string_view(encoding.data()) == OSSL_PKEY_EC_ENCODING_GROUP;
}

}  // namespace sallyport::crypto
