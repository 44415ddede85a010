#include "relay/keys/providers/json_answer.h"
#include "relay/keys/providers/kms_answer.h"
#include "relay/keys/providers/vault_answer.h"

#include <array>
#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::keys;

namespace {

outbound::HttpsAnswer answered(long status, std::string_view body) {
  outbound::HttpsAnswer answer;
  answer.status = status;
  answer.body = Secret::take(std::string(body));
  return answer;
}

// A secret that was taken out is the one that the whole answer, read by the parser, has there.
void check_taken(const Result<Secret>& taken, std::string_view body, std::span<const std::string_view> path) {
  if (!taken) return;
  const auto whole = parse_answer(body);
  if (!whole) std::abort();
  const auto bytes = from_base64(text_at(*whole, path));
  if (!bytes || as_text(*bytes) != taken->reveal()) std::abort();
}

void check_error(const Error& error) {
  if (error.message.size() > 600) std::abort();
  for (const char c : error.message) {
    if (static_cast<unsigned char>(c) < 0x20) std::abort();
  }
}

}  // namespace

// The first byte chooses the status; what is read from the rest is what stands there, and errors can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array<long, 8> statuses{200, 400, 403, 404, 429, 500, 503, 307};
  const long status = statuses[data[0] % statuses.size()];
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto answer = answered(status, body);
  const auto decrypted = read_decrypt_answer(answer);
  const auto unwrapped = read_transit_decrypt(answer);
  check_taken(decrypted, body, std::array<std::string_view, 1>{"Plaintext"});
  check_taken(unwrapped, body, std::array<std::string_view, 2>{"data", "plaintext"});
  if (!decrypted) check_error(decrypted.error());
  if (!unwrapped) check_error(unwrapped.error());
  if (const auto blob = read_encrypt_answer(answer); blob ? blob->empty() : blob.error().message.empty()) std::abort();
  if (const auto packed = read_transit_encrypt(answer)) {
    const auto text = unpack_ciphertext(*packed);
    if (!text || pack_ciphertext(*text) != packed) std::abort();
  }
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto text = unpack_ciphertext(bytes)) {
    const auto packed = pack_ciphertext(*text);
    if (!packed || !std::ranges::equal(*packed, bytes)) std::abort();
  }
  return 0;
}
