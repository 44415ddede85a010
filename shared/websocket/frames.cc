#include "shared/websocket/frames.h"

#include <algorithm>
#include <utility>

namespace sallyport::websocket {
namespace {

constexpr unsigned kFin = 0x80;
constexpr unsigned kReserved = 0x70;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kLength16 = 126;
constexpr unsigned kLength64 = 127;

bool is_control(Opcode opcode) { return static_cast<unsigned>(opcode) >= 8; }

bool is_known(unsigned opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

void append_number(Bytes& to, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) to.push_back(static_cast<std::byte>(number >> shift));
}

void apply(const MaskKey& mask, std::span<std::byte> bytes, std::size_t offset) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= mask[(offset + i) % mask.size()];
}

std::unexpected<Error> violation(std::string what) { return fail(Errc::invalid, "RFC 6455: " + std::move(what)); }

}  // namespace

void append_frame(Bytes& to, Opcode opcode, std::span<const std::byte> payload, const std::optional<MaskKey>& mask) {
  const unsigned mask_bit = mask ? kMasked : 0;
  to.push_back(static_cast<std::byte>(kFin | static_cast<unsigned>(opcode)));
  if (payload.size() < kLength16) {
    to.push_back(static_cast<std::byte>(mask_bit | payload.size()));
  } else if (payload.size() <= 0xffff) {
    to.push_back(static_cast<std::byte>(mask_bit | kLength16));
    append_number(to, payload.size(), 2);
  } else {
    to.push_back(static_cast<std::byte>(mask_bit | kLength64));
    append_number(to, payload.size(), 8);
  }
  if (mask) to.insert(to.end(), mask->begin(), mask->end());
  const auto at = to.size();
  to.insert(to.end(), payload.begin(), payload.end());
  if (mask) apply(*mask, std::span(to).subspan(at), 0);
}

void FrameReader::feed(std::span<const std::byte> bytes) {
  if (broken_) return;
  if (taken_ > 0) {
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }
  input_.insert(input_.end(), bytes.begin(), bytes.end());
}

Bytes FrameReader::take(std::size_t size) {
  const auto from = input_.begin() + static_cast<std::ptrdiff_t>(taken_);
  Bytes bytes(from, from + static_cast<std::ptrdiff_t>(size));
  taken_ += size;
  return bytes;
}

// Nothing: more bytes are needed.
Result<std::optional<FrameReader::Header>> FrameReader::read_header() {
  const auto bytes = std::span(input_).subspan(taken_);
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  if (bytes.size() < 2) return std::nullopt;
  if ((at(0) & kReserved) != 0) return violation("a reserved bit is set, and no extension was agreed on");
  if (!is_known(at(0) & 0x0f)) return violation("an unknown kind of frame");
  const unsigned short_length = at(1) & ~kMasked;
  const bool is_masked = (at(1) & kMasked) != 0;
  const std::size_t wide = short_length == kLength16 ? 2 : short_length == kLength64 ? 8 : 0;
  const std::size_t size = 2 + wide + (is_masked ? 4 : 0);
  Header header{static_cast<Opcode>(at(0) & 0x0f), (at(0) & kFin) != 0, short_length, {}, 0};
  if (is_masked != (sender_ == Side::client)) return violation("clients mask what they send, servers do not");
  if (bytes.size() < 2 + wide) return std::nullopt;
  if (wide > 0) header.left = 0;
  for (std::size_t i = 0; i < wide; ++i) header.left = header.left << 8 | at(2 + i);
  if ((wide == 2 && header.left < kLength16) || (wide == 8 && header.left <= 0xffff))
    return violation("a length that is not written the shortest way");
  SP_CHECK(check(header));
  if (bytes.size() < size) return std::nullopt;
  if (is_masked) std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(2 + wide), 4, header.mask.emplace().begin());
  taken_ += size;
  return header;
}

Result<void> FrameReader::check(const Header& header) const {
  if (is_control(header.opcode)) {
    if (!header.last || header.left > kMaxControl) return violation("a control frame in pieces or over 125 bytes");
    return {};
  }
  if (header.opcode == Opcode::text) return violation("a text message where only binary ones are spoken");
  if ((header.opcode == Opcode::continuation) != message_.has_value())
    return violation("the frames of two messages are mixed up");
  if (header.left > kMaxFrame || message_.value_or(0) + header.left > kMaxMessage)
    return fail(Errc::too_large, "a WebSocket message over the limit");
  return {};
}

Result<std::optional<Part>> FrameReader::next() {
  while (!broken_) {
    if (!header_) {
      const auto begun = read_header();
      broken_ = !begun;
      if (!begun) return std::unexpected(begun.error());
      if (!*begun) return std::nullopt;
      header_ = **begun;
      if (!is_control(header_->opcode)) message_ = message_.value_or(0) + header_->left;
    }
    auto& header = *header_;
    if (is_control(header.opcode) && held() < header.left) return std::nullopt;
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(header.left, held()));
    if (size == 0 && header.left > 0) return std::nullopt;
    Part part{is_control(header.opcode) ? header.opcode : Opcode::binary, take(size)};
    if (header.mask) apply(*header.mask, part.bytes, header.masked);
    header.masked += size;
    header.left -= size;
    if (header.left == 0) {
      if (!is_control(header.opcode) && header.last) message_.reset();
      header_.reset();
    }
    if (!part.bytes.empty() || is_control(part.kind)) return part;
  }
  return fail(Errc::invalid, "the WebSocket has broken the protocol");
}

}  // namespace sallyport::websocket
