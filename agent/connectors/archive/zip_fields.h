#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport::connectors::archive {

// Takes the little-endian fields of a record one after the other. Beyond its end they are 0 and ok() is false.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::uint16_t u16() { return take<std::uint16_t>(); }
  std::uint32_t u32() { return take<std::uint32_t>(); }
  std::uint64_t u64() { return take<std::uint64_t>(); }
  void skip(std::size_t count) { bytes(count); }
  std::span<const std::byte> bytes(std::size_t count) {
    ok_ = ok_ && count <= rest_.size();
    if (!ok_) return rest_ = {};
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::size_t left() const { return rest_.size(); }
  bool ok() const { return ok_; }

 private:
  template <class Number>
  Number take() {
    static_assert(std::endian::native == std::endian::little);
    Number number = 0;
    const auto from = bytes(sizeof number);
    if (ok_) std::memcpy(&number, from.data(), sizeof number);
    return number;
  }

  std::span<const std::byte> rest_;
  bool ok_ = true;
};

// And puts them: FieldsOut().u32(mark).u16(version).text().
class FieldsOut {
 public:
  FieldsOut& u16(std::uint16_t number) { return put(number); }
  FieldsOut& u32(std::uint32_t number) { return put(number); }
  FieldsOut& u64(std::uint64_t number) { return put(number); }
  FieldsOut& text(std::string_view text) { return out_ += text, *this; }
  std::string take() { return std::move(out_); }

 private:
  template <class Number>
  FieldsOut& put(Number number) {
    out_.append(reinterpret_cast<const char*>(&number), sizeof number);
    return *this;
  }
  std::string out_;
};

}  // namespace sallyport::connectors::archive
