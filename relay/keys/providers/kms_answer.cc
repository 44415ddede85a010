#include "relay/keys/providers/kms_answer.h"

#include "relay/keys/providers/json_answer.h"
#include "relay/keys/providers/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::keys {
namespace {

// May AWS's own words be shown? Those about signatures quote what was signed, session tokens among it.
enum class Words { shown, kept };

struct KmsError {
  std::string_view name;
  Errc code;
  std::string_view what;  // and what to do
  Words words = Words::shown;
};

constexpr std::string_view kSignature =
    "the signature is not accepted: is this machine's clock right (AWS allows 5 min), and is the secret access key?";
constexpr std::string_view kCredentials = "the credentials are not accepted; temporary ones may have expired";

// API reference of Encrypt and Decrypt, and "Common Errors".
constexpr std::array kErrors{
    KmsError{"DisabledException", Errc::forbidden, "the key is disabled"},
    KmsError{"KMSInvalidStateException", Errc::forbidden, "the key is disabled or about to be deleted"},
    KmsError{"AccessDeniedException", Errc::forbidden, "this relay may not use the key"},
    KmsError{"NotFoundException", Errc::not_found, "there is no such key"},
    KmsError{"InvalidCiphertextException", Errc::invalid, "not wrapped for this purpose, or changed since",
             Words::kept},
    KmsError{"IncorrectKeyException", Errc::invalid, "wrapped by another key", Words::kept},
    KmsError{"InvalidKeyUsageException", Errc::invalid, "the key is not one to encrypt and decrypt with"},
    KmsError{"InvalidSignatureException", Errc::forbidden, kSignature, Words::kept},
    KmsError{"SignatureDoesNotMatch", Errc::forbidden, kSignature, Words::kept},
    KmsError{"RequestExpired", Errc::forbidden, kSignature, Words::kept},
    KmsError{"RequestTimeTooSkewed", Errc::forbidden, kSignature, Words::kept},
    KmsError{"IncompleteSignature", Errc::forbidden, kSignature, Words::kept},
    KmsError{"ExpiredTokenException", Errc::forbidden, kCredentials, Words::kept},
    KmsError{"UnrecognizedClientException", Errc::forbidden, kCredentials, Words::kept},
    KmsError{"InvalidClientTokenId", Errc::forbidden, kCredentials, Words::kept},
    KmsError{"MissingAuthenticationTokenException", Errc::forbidden, kCredentials, Words::kept},
    KmsError{"ThrottlingException", Errc::unavailable, "too many calls"},
    KmsError{"LimitExceededException", Errc::unavailable, "too many calls"},
    KmsError{"KeyUnavailableException", Errc::unavailable, "the key is not available for now"},
};

// "com.amazonaws.kms#DisabledException" and "DisabledException:http://..." name the same.
std::string_view plain_name(std::string_view type) {
  if (const auto hash = type.rfind('#'); hash != type.npos) type.remove_prefix(hash + 1);
  return type.substr(0, type.find(':'));
}

Error error_of(long status, const Value& answer) {
  const auto type = text_at(answer, std::array{std::string_view("__type")});
  const auto name = plain_name(type);
  auto words = text_at(answer, std::array{std::string_view("message")});
  if (words.empty()) words = text_at(answer, std::array{std::string_view("Message")});
  if (const auto* known = std::ranges::find(kErrors, name, &KmsError::name); known != kErrors.end()) {
    const bool shown = known->words == Words::shown && !words.empty();
    return {known->code, fmt::format("{} ({}{}{})", known->what, name, shown ? ": " : "", shown ? quoted(words) : "")};
  }
  const auto code = status == 401 || status == 403 ? Errc::forbidden : Errc::unavailable;
  return {code, fmt::format("answered with status {} {}", status, quoted(name))};
}

Result<void> check_status(const outbound::HttpsAnswer& answer) {
  if (answer.status == 200) return {};
  const auto value = parse_answer(answer.body.reveal());
  return std::unexpected(error_of(answer.status, value ? *value : Value()));
}

}  // namespace

Result<Bytes> read_encrypt_answer(const outbound::HttpsAnswer& answer) {
  SP_CHECK(check_status(answer));
  SP_TRY(const Value value, parse_answer(answer.body.reveal()));
  auto blob = from_base64(text_at(value, std::array{std::string_view("CiphertextBlob")}));
  if (blob && !blob->empty() && blob->size() <= kMaxWrappedSize) return blob;
  return fail(Errc::unavailable, "the answer is not understood: it has no CiphertextBlob");
}

Result<Secret> read_decrypt_answer(const outbound::HttpsAnswer& answer) {
  SP_CHECK(check_status(answer));
  return take_secret(answer.body, std::array{std::string_view("Plaintext")});
}

}  // namespace sallyport::keys
