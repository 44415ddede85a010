#pragma once

#include "shared/base/result.h"
#include "shared/base/text.h"

#include <cstdint>

// Numbers and lengths as they are signed, bound and sent: big-endian.
namespace sallyport::sealing {

template <std::size_t Size>
void append_number(Bytes& to, std::uint64_t number) {
  for (std::size_t i = Size; i-- > 0;) to.push_back(static_cast<std::byte>(number >> (8 * i)));
}

inline void append(Bytes& to, std::span<const std::byte> bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// f(x) = length (4) ‖ x.
inline void append_framed(Bytes& to, std::string_view text) {
  append_number<4>(to, text.size());
  append(to, as_bytes(text));
}

// Takes bytes from the front; Errc::invalid beyond the end.
class OctetReader {
 public:
  explicit OctetReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  Result<std::span<const std::byte>> take(std::size_t count) {
    if (count > rest_.size()) return fail(Errc::invalid, "it ends too early");
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  template <std::size_t Size>
  Result<std::uint64_t> number() {
    SP_TRY(const auto bytes, take(Size));
    std::uint64_t number = 0;
    for (const auto byte : bytes) number = number << 8 | std::to_integer<std::uint64_t>(byte);
    return number;
  }
  // Behind a length of two bytes.
  Result<std::span<const std::byte>> framed() {
    SP_TRY(const auto length, number<2>());
    return take(length);
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace sallyport::sealing
