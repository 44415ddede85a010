#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/x509.h"
#include "shared/tls/refusal.h"

#include <string>

// Translation of OpenSSL's errors, for the .cc files of this folder only. The take_ functions empty its queue.
namespace sallyport::tls {

// Why a handshake failed, when no callback of ours said so. `input_ended`: the connection had ended.
Refusal take_handshake_refusal(bool input_ended);

// Why an established session failed.
// Errc::unauthenticated: the other side said that it did not accept us.
Error take_session_error();

// "valid from A to B, and this machine's clock says C": what tells a certificate that has ended from a clock that is
// wrong.
std::string validity(const crypto::Certificate& certificate, const Clock& clock);

}  // namespace sallyport::tls
