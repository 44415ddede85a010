#pragma once

#include "shared/tls/refusal.h"

// Translation of OpenSSL's error queue; for engine.cc only. Both empty the queue.
namespace sallyport::tls {

// Why a handshake failed, when no callback of ours said so. `input_ended`: the connection had ended.
Refusal take_handshake_refusal(bool input_ended);

// Why an established session failed.
Error take_session_error();

}  // namespace sallyport::tls
