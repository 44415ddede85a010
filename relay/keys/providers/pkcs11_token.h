#pragma once

#include "relay/keys/providers/pkcs11_module.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <string>
#include <string_view>

namespace sallyport::keys {

enum class Access { read, write };

// A session with a token in which the user is logged in. Its handles are good for one generation of the module.
struct TokenSession {
  unsigned generation = 0;
  CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
};

// Finds the token by its label and logs in. Says nothing to a token that would be locked by one more wrong PIN. Errors:
// unavailable (lost(): no token has the label), invalid: several have it; forbidden.
CkResult<TokenSession> open_token(Pkcs11Module::Use& module, const std::string& token, const Secret& pin,
                                  Access access);

// The only secret AES key of 256 bits with this label. Errors: not_found; invalid: there are several, or it is shorter.
CkResult<CK_OBJECT_HANDLE> find_key(Pkcs11Module::Use& module, const TokenSession& session, const std::string& label);
// Makes such a key, which encrypts and decrypts and cannot leave the token.
CkResult<> generate_key(Pkcs11Module::Use& module, const TokenSession& session, const std::string& label);

// CKM_AES_GCM with a fresh random nonce and `purpose` as associated data: format (1 byte, = 1) ‖ nonce (12) ‖
// ciphertext ‖ tag (16).
CkResult<Bytes> seal_in_token(Pkcs11Module::Use& module, const TokenSession& session, CK_OBJECT_HANDLE key,
                              std::string_view purpose, std::string_view plain);
// Errc::invalid: not sealed so, or changed since.
CkResult<Secret> open_in_token(Pkcs11Module::Use& module, const TokenSession& session, CK_OBJECT_HANDLE key,
                               std::string_view purpose, std::span<const std::byte> sealed);

}  // namespace sallyport::keys
