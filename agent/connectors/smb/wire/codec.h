#pragma once

#include "agent/connectors/smb/wire/messages.h"
#include "shared/base/result.h"

#include <span>
#include <vector>

namespace sallyport::connectors::smb::wire {

// The message with its length, into `into`, which it replaces. A text over kMostText or a piece over kMostPiece is
// too_large.
Result<void> encode(const Request& request, std::vector<std::byte>& into);
Result<void> encode(const Answer& answer, std::vector<std::byte>& into);

// The length that the first four bytes tell. Errors: invalid, when there is no such message.
inline constexpr std::size_t kLengthSize = 4;
Result<std::size_t> decode_length(std::span<const std::byte, kLengthSize> bytes);

// A message without its length, to the last byte. Errors: invalid. `Bytes` point into it.
Result<Request> decode_request(std::span<const std::byte> message);
Result<Answer> decode_answer(std::span<const std::byte> message);

}  // namespace sallyport::connectors::smb::wire
