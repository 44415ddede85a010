#include "shared/mux/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::mux {
namespace {

struct Bounds {
  std::size_t least;
  std::size_t most;
};

// What each type may carry; nullopt for a type that does not exist.
std::optional<Bounds> payload_bounds(std::uint8_t type) {
  switch (static_cast<FrameType>(type)) {
    case FrameType::control: return Bounds{1, kMaxPayload};
    case FrameType::open: return Bounds{1, kMaxText};
    case FrameType::data: return Bounds{1, kMaxPayload};
    case FrameType::credit: return Bounds{4, 4};
    case FrameType::fin: return Bounds{0, 0};
    case FrameType::reset: return Bounds{4, 4 + kMaxText};
  }
  return std::nullopt;
}

std::uint32_t byte_at(std::span<const std::byte> bytes, std::size_t index) {
  return std::to_integer<std::uint32_t>(bytes[index]);
}

Frame frame_of(std::span<const std::byte> whole) {
  return {read_u32(whole.first<4>()), static_cast<FrameType>(whole[4]), whole.subspan(kHeaderSize)};
}

}  // namespace

std::string_view to_string(ResetCode code) {
  switch (code) {
    case ResetCode::cancelled: return "cancelled";
    case ResetCode::refused: return "refused";
    case ResetCode::exhausted: return "exhausted";
    case ResetCode::shutting_down: return "shutting_down";
    case ResetCode::forbidden: return "forbidden";
    case ResetCode::internal: return "internal";
    case ResetCode::unreachable: return "unreachable";
    case ResetCode::broken: return "broken";
  }
  return "unknown";
}

Errc errc_of(ResetCode code) {
  switch (code) {
    case ResetCode::cancelled: return Errc::cancelled;
    case ResetCode::refused: return Errc::not_found;
    case ResetCode::exhausted: return Errc::exhausted;
    case ResetCode::forbidden: return Errc::forbidden;
    case ResetCode::internal: return Errc::internal;
    case ResetCode::shutting_down:
    case ResetCode::unreachable:
    case ResetCode::broken: return Errc::unavailable;
  }
  return Errc::unavailable;
}

std::array<std::byte, 4> u32_bytes(std::uint32_t value) {
  std::array<std::byte, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(value >> (24 - 8 * i));
  return bytes;
}

void append_u32(Bytes& out, std::uint32_t value) {
  const auto bytes = u32_bytes(value);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint32_t read_u32(std::span<const std::byte, 4> bytes) {
  return byte_at(bytes, 0) << 24 | byte_at(bytes, 1) << 16 | byte_at(bytes, 2) << 8 | byte_at(bytes, 3);
}

void write_header(std::span<std::byte, kHeaderSize> into, ChannelNumber channel, FrameType type, std::size_t length) {
  const auto put = [&](std::size_t at, std::uint32_t value) {
    std::ranges::copy(u32_bytes(value), into.subspan(at).begin());
  };
  put(0, channel);
  put(4, static_cast<std::uint32_t>(type) << 24 | static_cast<std::uint32_t>(length));
}

void append_frame(Bytes& out, const Frame& frame) {
  std::array<std::byte, kHeaderSize> header;
  write_header(header, frame.channel, frame.type, frame.payload.size());
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), frame.payload.begin(), frame.payload.end());
}

void FrameReader::feed(std::span<const std::byte> bytes) { fed_ = bytes; }

// The size of the whole frame that `bytes` begin with; nullopt while its header is incomplete.
Result<std::optional<std::size_t>> FrameReader::frame_size(std::span<const std::byte> bytes) const {
  if (bytes.size() < kHeaderSize) return std::nullopt;
  const auto type = std::to_integer<std::uint8_t>(bytes[4]);
  const std::size_t length = byte_at(bytes, 5) << 16 | byte_at(bytes, 6) << 8 | byte_at(bytes, 7);
  const auto bounds = payload_bounds(type);
  if (!bounds) return fail(Errc::invalid, fmt::format("P4.2: frame of unknown type {}", type));
  if (length < bounds->least || length > std::min(bounds->most, limit_)) {
    return fail(Errc::too_large, fmt::format("P4.3: frame of type {} with a payload of {} bytes, allowed are {} to {}",
                                             type, length, bounds->least, std::min(bounds->most, limit_)));
  }
  return kHeaderSize + length;
}

// Moves fed bytes behind the kept ones until they are `wanted` in all, or nothing is left.
void FrameReader::keep_partial(std::size_t wanted) {
  const auto count = std::min(wanted - std::min(wanted, partial_.size()), fed_.size());
  partial_.insert(partial_.end(), fed_.begin(), fed_.begin() + static_cast<std::ptrdiff_t>(count));
  fed_ = fed_.subspan(count);
}

Result<std::optional<Frame>> FrameReader::next() {
  if (broken_) return std::unexpected(*broken_);
  if (partial_taken_) {
    partial_ = {};
    partial_taken_ = false;
  }
  if (!partial_.empty()) keep_partial(kHeaderSize);
  auto size = frame_size(partial_.empty() ? fed_ : std::span<const std::byte>(partial_));
  if (!size) {
    broken_ = size.error();
    return std::unexpected(*broken_);
  }
  const auto wanted = size->value_or(kHeaderSize);
  if (!partial_.empty() || fed_.size() < wanted) {
    keep_partial(wanted);
    if (!*size || partial_.size() < wanted) return std::nullopt;
    partial_taken_ = true;
    return frame_of(partial_);
  }
  const auto whole = fed_.first(wanted);
  fed_ = fed_.subspan(wanted);
  return frame_of(whole);
}

}  // namespace sallyport::mux
