#include "agent/smb/line_guard.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::smb {
namespace {

using Bytes = LineGuard::Bytes;

constexpr std::size_t kLength = 4, kHead = kLength + 24;  // of the header as far as is looked at
constexpr std::uint8_t kSigned = 0x08;                    // of its flags
// Commands ([MS-SMB2] 2.2.1) that come before the files: the login, and where the share is.
constexpr std::uint64_t kNegotiate = 0, kSessionSetup = 1, kTreeConnect = 3, kTreeDisconnect = 4, kIoctl = 11;
constexpr std::uint64_t kEcho = 13, kEchoSize = 4 + 64 + 4;  // says nothing

std::uint64_t total(std::span<const Bytes> pieces) {
  std::uint64_t all = 0;
  for (const auto& piece : pieces) all += piece.size();
  return all;
}

// `count` bytes from `at` on, or fewer at the end.
std::size_t copy_from(std::span<const Bytes> pieces, std::uint64_t at, std::span<std::uint8_t> into) {
  std::size_t copied = 0;
  for (const auto& piece : pieces) {
    if (at >= piece.size()) {
      at -= piece.size();
      continue;
    }
    const auto count = std::min<std::uint64_t>(piece.size() - at, into.size() - copied);
    std::memcpy(into.data() + copied, piece.data() + at, count);
    copied += count;
    at = 0;
    if (copied == into.size()) break;
  }
  return copied;
}

enum class Sort { encrypted, negotiation, login, opening, echo, plain, unknown };

struct Message {
  Sort sort = Sort::unknown;
  std::uint64_t size = 0;  // with its length
  bool is_signed = false, has_followers = false;
};

// Before the login has ended there is no key, and an echo belongs to no session.
bool may_be_unsigned(const Message& message) {
  return message.sort == Sort::encrypted || message.sort == Sort::negotiation || message.sort == Sort::login ||
         message.sort == Sort::echo;
}

Message message_at(std::span<const Bytes> pieces, std::uint64_t at) {
  std::array<std::uint8_t, kHead> head{};
  if (copy_from(pieces, at, head) < head.size() || head[0] != 0) return {};
  Message message;
  message.size = kLength + (std::uint64_t{head[1]} << 16 | std::uint64_t{head[2]} << 8 | head[3]);
  if (std::memcmp(head.data() + kLength, "\xFDSMB", 4) == 0) message.sort = Sort::encrypted;
  if (std::memcmp(head.data() + kLength, "\xFESMB", 4) != 0) return message;
  const std::uint64_t command = head[kLength + 12] | std::uint64_t{head[kLength + 13]} << 8;
  message.is_signed = (head[kLength + 16] & kSigned) != 0;
  message.has_followers =
      std::ranges::any_of(std::span(head).subspan(kLength + 20), [](auto byte) { return byte != 0; });
  switch (command) {
    case kNegotiate: message.sort = Sort::negotiation; break;
    case kSessionSetup: message.sort = Sort::login; break;
    case kTreeConnect:
    case kTreeDisconnect:
    case kIoctl: message.sort = Sort::opening; break;
    case kEcho: message.sort = message.size == kEchoSize ? Sort::echo : Sort::plain; break;
    default: message.sort = Sort::plain;
  }
  return message;
}

}  // namespace

bool LineGuard::may_send(std::span<const Bytes> pieces) const {
  const auto end = total(pieces);
  for (auto at = rest_; at < end;) {
    const auto message = message_at(pieces, at);
    if (message.sort == Sort::unknown) return false;
    if (!message.is_signed && !may_be_unsigned(message)) return false;
    if (message.has_followers && message.sort != Sort::plain) return false;  // they could be anything
    if (encrypts_ && message.sort == Sort::plain) return false;
    if (encrypts_ && has_encrypted_ && (message.sort == Sort::opening || message.sort == Sort::login)) return false;
    at += message.size;
  }
  return true;
}

void LineGuard::has_sent(std::span<const Bytes> pieces, std::uint64_t count) {
  auto at = rest_;
  for (; at < count;) {
    const auto message = message_at(pieces, at);
    has_begun_login_ = has_begun_login_ || message.sort != Sort::negotiation;
    has_encrypted_ = has_encrypted_ || message.sort == Sort::encrypted;
    has_signed_ = has_signed_ || message.is_signed;
    at += message.size;
  }
  rest_ = at - count;
}

}  // namespace sallyport::smb
