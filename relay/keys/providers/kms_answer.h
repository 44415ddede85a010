#pragma once

#include "relay/outbound/https_call.h"
#include "shared/base/text.h"

namespace sallyport::keys {

// What AWS KMS answers (API of 2014-11-01, JSON 1.1), read. Anything but a success becomes the error that it stands
// for: forbidden, not_found, invalid, or unavailable, which is also what no answer of AWS KMS becomes.
Result<Bytes> read_encrypt_answer(const outbound::HttpsAnswer& answer);
Result<Secret> read_decrypt_answer(const outbound::HttpsAnswer& answer);

}  // namespace sallyport::keys
