#include "relay/keys/providers/pkcs11_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::keys {
namespace {

enum class Kind { plain, lost, pin };

struct Meaning {
  CK_RV code;
  std::string_view name;
  Errc errc;
  std::string_view what = "";
  Kind kind = Kind::plain;
};

constexpr std::string_view kPin = "the PIN is wrong; this one is not tried again, so that the token is not locked";
constexpr std::string_view kAway = "the token is away or does not answer";

constexpr std::array kMeanings{
    Meaning{CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT", Errc::forbidden, kPin, Kind::pin},
    Meaning{CKR_PIN_INVALID, "CKR_PIN_INVALID", Errc::forbidden, kPin, Kind::pin},
    Meaning{CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE", Errc::forbidden, kPin, Kind::pin},
    Meaning{CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED", Errc::forbidden, "the PIN has expired", Kind::pin},
    Meaning{CKR_PIN_LOCKED, "CKR_PIN_LOCKED", Errc::forbidden, "the PIN is locked", Kind::pin},
    Meaning{CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED", Errc::forbidden,
            "the token has no user PIN yet", Kind::pin},
    Meaning{CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED", Errc::forbidden,
            "the key may not be used for this"},
    Meaning{CKR_FUNCTION_REJECTED, "CKR_FUNCTION_REJECTED", Errc::forbidden, "the token refuses"},
    Meaning{CKR_ENCRYPTED_DATA_INVALID, "CKR_ENCRYPTED_DATA_INVALID", Errc::invalid,
            "not wrapped by this key for this purpose, or changed since"},
    Meaning{CKR_ENCRYPTED_DATA_LEN_RANGE, "CKR_ENCRYPTED_DATA_LEN_RANGE", Errc::invalid, "not wrapped by this key"},
    Meaning{CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID", Errc::invalid, "the token does not do AES-GCM"},
    Meaning{CKR_MECHANISM_PARAM_INVALID, "CKR_MECHANISM_PARAM_INVALID", Errc::invalid,
            "the token does not do AES-GCM with a nonce of the caller's"},
    Meaning{CKR_KEY_TYPE_INCONSISTENT, "CKR_KEY_TYPE_INCONSISTENT", Errc::invalid, "the key is not one for AES"},
    Meaning{CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED", Errc::forbidden, "the token takes no new key"},
    Meaning{CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_SLOT_ID_INVALID, "CKR_SLOT_ID_INVALID", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_OPERATION_ACTIVE, "CKR_OPERATION_ACTIVE", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_CRYPTOKI_NOT_INITIALIZED, "CKR_CRYPTOKI_NOT_INITIALIZED", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR", Errc::unavailable, kAway, Kind::lost},
    Meaning{CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED", Errc::unavailable, kAway, Kind::lost},
};

const Meaning* meaning_of(CK_RV code) {
  const auto* found = std::ranges::find(kMeanings, code, &Meaning::code);
  return found == kMeanings.end() ? nullptr : found;
}

Kind kind_of(CK_RV code) {
  const auto* meaning = meaning_of(code);
  return meaning == nullptr ? Kind::plain : meaning->kind;
}

}  // namespace

bool CkError::lost() const { return kind_of(code) == Kind::lost; }
bool CkError::pin_refused() const { return kind_of(code) == Kind::pin; }

CkResult<> ck_check(std::string_view call, CK_RV code) {
  if (code == CKR_OK) return {};
  if (const auto* known = meaning_of(code)) {
    return std::unexpected(CkError{code, {known->errc, fmt::format("{} ({}: {})", known->what, call, known->name)}});
  }
  return std::unexpected(CkError{code, {Errc::unavailable, fmt::format("{} failed with code {:#x}", call, code)}});
}

std::unexpected<CkError> ck_fail(Errc code, std::string message) {
  return std::unexpected(CkError{CKR_OK, {code, std::move(message)}});
}

}  // namespace sallyport::keys
