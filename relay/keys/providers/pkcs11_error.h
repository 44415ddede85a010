#pragma once

#include "shared/base/result.h"

#include <p11-kit/pkcs11.h>

#include <expected>
#include <string>
#include <string_view>

namespace sallyport::keys {

// What a PKCS#11 module returned (OASIS PKCS #11 v2.40, section 5.1), and what that means to a caller of a Provider.
struct CkError {
  CK_RV code = CKR_OK;  // CKR_OK: the fault is none of the module's, only `error` says it
  Error error;

  // The session, the login or the token is gone: once everything is opened anew it may work.
  bool lost() const;
  // The PIN is not accepted: to try it again would lock the token.
  bool pin_refused() const;
};

template <class T = void>
using CkResult = std::expected<T, CkError>;

// Nothing for CKR_OK. `call` is the function of the standard.
CkResult<> ck_check(std::string_view call, CK_RV code);
std::unexpected<CkError> ck_fail(Errc code, std::string message);

}  // namespace sallyport::keys
