// What the helper program for SMB answers, and what the agent asks it: no crash, no text or piece over its limit, and
// whatever was understood is the same after another way over the wire.
#include "agent/connectors/smb/wire/codec.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace sallyport::connectors::smb::wire;

namespace {

template <class Message>
void go_round(const sallyport::Result<Message>& message, std::span<const std::byte> bytes) {
  if (!message) return;
  std::vector<std::byte> again;
  if (!encode(*message, again)) std::abort();
  if (!std::ranges::equal(std::span(again).subspan(kLengthSize), bytes)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  go_round(decode_answer(bytes), bytes);
  go_round(decode_request(bytes), bytes);
  if (size < kLengthSize) return 0;
  const auto length = decode_length(bytes.first<kLengthSize>());
  if (length && (*length == 0 || *length > kMostMessage)) std::abort();
  return 0;
}
