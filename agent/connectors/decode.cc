#include "agent/connectors/decode.h"

#include "shared/base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sallyport::connectors {
namespace {

// 0x80..0x9F of windows-1252.
constexpr std::array<std::uint16_t, 32> kWindows{0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                                 0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

void append_code_point(std::string& out, unsigned point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

std::optional<char> byte_for(std::uint32_t point, Encoding encoding) {
  for (unsigned code = 0x80; encoding == Encoding::windows_1252 && code < 0xA0; ++code) {
    if (kWindows[code - 0x80] == point) return static_cast<char>(code);
  }
  const bool is_own = point < 0x80 || (point < 0x100 && (encoding == Encoding::iso_8859_1 || point >= 0xA0));
  return is_own ? std::optional(static_cast<char>(point)) : std::nullopt;
}

}  // namespace

std::optional<Encoding> parse_encoding(std::string_view name) {
  if (name == "utf-8") return Encoding::utf8;
  if (name == "iso-8859-1") return Encoding::iso_8859_1;
  if (name == "windows-1252") return Encoding::windows_1252;
  return std::nullopt;
}

std::uint32_t take_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::uint32_t point = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (const char c : text.substr(1, length - 1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3F);
  text.remove_prefix(std::min(length, text.size()));
  return point;
}

unsigned code_point_of(std::byte byte, Encoding encoding) {
  const auto code = std::to_integer<unsigned>(byte);
  const bool special = encoding == Encoding::windows_1252 && code >= 0x80 && code < 0xA0;
  return special ? kWindows[code - 0x80] : code;
}

void append_utf8(std::string& out, std::span<const std::byte> bytes, Encoding encoding) {
  if (encoding == Encoding::utf8) {
    out += as_text(bytes);
    return;
  }
  for (const auto byte : bytes) append_code_point(out, code_point_of(byte, encoding));
}

std::optional<std::string> encoded(std::string_view text, Encoding encoding) {
  if (encoding == Encoding::utf8) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const auto point = take_code_point(text);
    const auto byte = byte_for(point, encoding);
    if (!byte) return std::nullopt;
    out += *byte;
  }
  return out;
}

}  // namespace sallyport::connectors
