#include "relay/keys/providers/pkcs11_token.h"

#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace sallyport::keys {
namespace {

constexpr std::byte kFormat{1};
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kHeaderSize = 1 + kNonceSize;
constexpr CK_ULONG kKeySize = 32;

// What modules only read, though the standard's types do not say so.
CK_BYTE_PTR bytes_of(std::string_view text) { return reinterpret_cast<CK_BYTE_PTR>(const_cast<char*>(text.data())); }
CK_BYTE_PTR bytes_of(std::span<const std::byte> bytes) { return bytes_of(as_text(bytes)); }

template <class T>
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, T& value) {
  return {type, &value, sizeof(value)};
}
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, std::string_view text) { return {type, bytes_of(text), text.size()}; }

CkResult<std::vector<CK_SLOT_ID>> slots_of(Pkcs11Module::Use& module) {
  std::vector<CK_SLOT_ID> slots;
  CK_ULONG count = 0;
  CK_RV code = CKR_BUFFER_TOO_SMALL;
  while (code == CKR_BUFFER_TOO_SMALL) {  // a token may come between the two calls
    SP_CHECK(ck_check("C_GetSlotList", module->C_GetSlotList(CK_TRUE, nullptr, &count)));
    slots.resize(count);
    code = module->C_GetSlotList(CK_TRUE, slots.data(), &count);
  }
  SP_CHECK(ck_check("C_GetSlotList", code));
  slots.resize(count);
  return slots;
}

std::string_view label_of(const CK_TOKEN_INFO& info) {
  const std::string_view padded(reinterpret_cast<const char*>(info.label), sizeof(info.label));
  return padded.substr(0, padded.find_last_not_of(' ') + 1);
}

struct Token {
  CK_SLOT_ID slot;
  CK_FLAGS flags;
};

CkResult<Token> find_token(Pkcs11Module::Use& module, const std::string& label) {
  SP_TRY(const auto slots, slots_of(module));
  std::vector<Token> found;
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    if (module->C_GetTokenInfo(slot, &info) == CKR_OK && label_of(info) == label) found.push_back({slot, info.flags});
  }
  if (found.size() == 1) return found.front();
  if (!found.empty()) return ck_fail(Errc::invalid, fmt::format("{} tokens have this label", found.size()));
  return std::unexpected(
      CkError{CKR_TOKEN_NOT_PRESENT, {Errc::unavailable, "no token has this label now: is it plugged in?"}});
}

CkResult<> check_tries(CK_FLAGS flags) {
  if ((flags & CKF_USER_PIN_LOCKED) != 0) return ck_fail(Errc::forbidden, "the PIN is locked");
  if ((flags & CKF_USER_PIN_FINAL_TRY) == 0) return {};
  return ck_fail(Errc::forbidden,
                 "one more wrong PIN would lock the token: log in to it by hand first, with the right one");
}

CkResult<> log_in(Pkcs11Module::Use& module, CK_SESSION_HANDLE session, const Secret& pin) {
  const CK_RV code = module->C_Login(session, CKU_USER, bytes_of(pin.reveal()), pin.size());
  if (code == CKR_USER_ALREADY_LOGGED_IN) return {};  // by another session of this process
  return ck_check("C_Login", code);
}

struct Gcm {
  Gcm(std::span<const std::byte> nonce, std::string_view purpose) {
    parameters.pIv = bytes_of(nonce);
    parameters.ulIvLen = nonce.size();
    parameters.ulIvBits = nonce.size() * 8;
    parameters.pAAD = bytes_of(purpose);
    parameters.ulAADLen = purpose.size();
    parameters.ulTagBits = kTagSize * 8;
  }
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;
  CK_GCM_PARAMS parameters{};
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof(parameters)};
};

// Whether the token opens what it has just sealed.
bool works(Pkcs11Module::Use& module, const TokenSession& session, CK_OBJECT_HANDLE key) {
  constexpr std::string_view kProbe = "probe";
  const auto sealed = seal_in_token(module, session, key, kProbe, kProbe);
  if (!sealed) return false;
  const auto parts = std::span(*sealed);
  Gcm gcm(parts.subspan(1, kNonceSize), kProbe);
  std::string plain(sealed->size(), '\0');
  CK_ULONG size = plain.size();
  const auto body = parts.subspan(kHeaderSize);
  return module->C_DecryptInit(session.handle, &gcm.mechanism, key) == CKR_OK &&
         module->C_Decrypt(session.handle, bytes_of(body), body.size(), bytes_of(plain), &size) == CKR_OK &&
         plain.substr(0, size) == kProbe;
}

}  // namespace

CkResult<TokenSession> open_token(Pkcs11Module::Use& module, const std::string& token, const Secret& pin,
                                  Access access) {
  SP_TRY(const auto found, find_token(module, token));
  SP_CHECK(check_tries(found.flags));
  TokenSession session{.generation = module.generation()};
  const CK_FLAGS flags = CKF_SERIAL_SESSION | (access == Access::write ? CKF_RW_SESSION : 0);
  SP_CHECK(ck_check("C_OpenSession", module->C_OpenSession(found.slot, flags, nullptr, nullptr, &session.handle)));
  auto logged_in = log_in(module, session.handle, pin);
  if (logged_in) return session;
  module->C_CloseSession(session.handle);
  return std::unexpected(std::move(logged_in).error());
}

CkResult<CK_OBJECT_HANDLE> find_key(Pkcs11Module::Use& module, const TokenSession& session, const std::string& label) {
  CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  std::array wanted{attribute(CKA_CLASS, kind), attribute(CKA_KEY_TYPE, type),
                    attribute(CKA_LABEL, std::string_view(label))};
  SP_CHECK(ck_check("C_FindObjectsInit", module->C_FindObjectsInit(session.handle, wanted.data(), wanted.size())));
  std::array<CK_OBJECT_HANDLE, 2> found{};
  CK_ULONG count = 0;
  const auto looked =
      ck_check("C_FindObjects", module->C_FindObjects(session.handle, found.data(), found.size(), &count));
  module->C_FindObjectsFinal(session.handle);
  SP_CHECK(looked);
  if (count == 0) return ck_fail(Errc::not_found, "the token has no AES key with this label");
  if (count > 1) return ck_fail(Errc::invalid, "several AES keys of the token have this label");
  CK_ULONG size = 0;
  std::array asked{attribute(CKA_VALUE_LEN, size)};
  SP_CHECK(ck_check("C_GetAttributeValue",
                    module->C_GetAttributeValue(session.handle, found[0], asked.data(), asked.size())));
  if (size != kKeySize) return ck_fail(Errc::invalid, fmt::format("the key has {} bits, and must have 256", size * 8));
  return found[0];
}

CkResult<> generate_key(Pkcs11Module::Use& module, const TokenSession& session, const std::string& label) {
  CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  CK_ULONG size = kKeySize;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  std::array wanted{attribute(CKA_CLASS, kind),     attribute(CKA_KEY_TYPE, type),
                    attribute(CKA_VALUE_LEN, size), attribute(CKA_LABEL, std::string_view(label)),
                    attribute(CKA_TOKEN, yes),      attribute(CKA_PRIVATE, yes),
                    attribute(CKA_SENSITIVE, yes),  attribute(CKA_EXTRACTABLE, no),
                    attribute(CKA_ENCRYPT, yes),    attribute(CKA_DECRYPT, yes),
                    attribute(CKA_WRAP, no),        attribute(CKA_UNWRAP, no)};
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  return ck_check("C_GenerateKey",
                  module->C_GenerateKey(session.handle, &mechanism, wanted.data(), wanted.size(), &key));
}

CkResult<Bytes> seal_in_token(Pkcs11Module::Use& module, const TokenSession& session, CK_OBJECT_HANDLE key,
                              std::string_view purpose, std::string_view plain) {
  const Bytes nonce = crypto::random_bytes(kNonceSize);
  Gcm gcm(nonce, purpose);
  Bytes body(plain.size() + kTagSize);
  CK_ULONG size = body.size();
  SP_CHECK(ck_check("C_EncryptInit", module->C_EncryptInit(session.handle, &gcm.mechanism, key)));
  SP_CHECK(
      ck_check("C_Encrypt", module->C_Encrypt(session.handle, bytes_of(plain), plain.size(), bytes_of(body), &size)));
  if (size != body.size()) return ck_fail(Errc::unavailable, "the token does not do AES-GCM as the standard has it");
  Bytes sealed{kFormat};
  sealed.insert(sealed.end(), nonce.begin(), nonce.end());
  sealed.insert(sealed.end(), body.begin(), body.end());
  return sealed;
}

CkResult<Secret> open_in_token(Pkcs11Module::Use& module, const TokenSession& session, CK_OBJECT_HANDLE key,
                               std::string_view purpose, std::span<const std::byte> sealed) {
  if (sealed.size() <= kHeaderSize + kTagSize || sealed.front() != kFormat) {
    return ck_fail(Errc::invalid, "not wrapped by a token, or changed since");
  }
  Gcm gcm(sealed.subspan(1, kNonceSize), purpose);
  const auto body = sealed.subspan(kHeaderSize);
  std::string plain(body.size(), '\0');
  CK_ULONG size = plain.size();
  SP_CHECK(ck_check("C_DecryptInit", module->C_DecryptInit(session.handle, &gcm.mechanism, key)));
  const CK_RV code = module->C_Decrypt(session.handle, bytes_of(body), body.size(), bytes_of(plain), &size);
  plain.resize(code == CKR_OK ? std::min<std::size_t>(size, plain.size()) : 0);
  Secret opened = Secret::take(plain);
  // Some tokens, SoftHSM among them, say of a wrong tag what they say when they are broken. Which it is they show.
  const bool vague = code == CKR_GENERAL_ERROR || code == CKR_FUNCTION_FAILED || code == CKR_DEVICE_ERROR;
  SP_CHECK(ck_check("C_Decrypt", vague && works(module, session, key) ? CKR_ENCRYPTED_DATA_INVALID : code));
  return opened;
}

}  // namespace sallyport::keys
