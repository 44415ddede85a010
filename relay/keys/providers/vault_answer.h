#pragma once

#include "relay/outbound/https_call.h"
#include "shared/base/text.h"

#include <string_view>

namespace sallyport::keys {

// What HashiCorp Vault's Transit engine answers, read, and the bytes that its ciphertext is kept as. Anything but a
// success becomes the error that it stands for: forbidden, not_found, invalid, or unavailable, which is also what no
// answer of Vault becomes.
Result<Bytes> read_transit_encrypt(const outbound::HttpsAnswer& answer);
Result<Secret> read_transit_decrypt(const outbound::HttpsAnswer& answer);

// "vault:v3:<base64>" as format (1 byte, = 1) ‖ version of Vault's key (4, big endian) ‖ the decoded bytes. Vault takes
// several texts for the same ciphertext; written so there is one form only, and whatever differs from it is refused.
Result<Bytes> pack_ciphertext(std::string_view text);
Result<std::string> unpack_ciphertext(std::span<const std::byte> wrapped);

}  // namespace sallyport::keys
