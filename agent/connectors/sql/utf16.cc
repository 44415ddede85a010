#include "agent/connectors/sql/utf16.h"

#include "agent/connectors/decode.h"
#include "shared/base/utf8.h"

#include <cstdint>

namespace sallyport::connectors::sql {
namespace {

constexpr std::uint32_t kFirstPlane = 0x10000;

bool is_high(unsigned unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low(unsigned unit) { return unit >= 0xDC00 && unit < 0xE000; }

void append(std::string& out, std::uint32_t point) {
  const auto more = [&](unsigned shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    more(0);
  } else if (point < kFirstPlane) {
    out += static_cast<char>(0xE0 | (point >> 12));
    more(6), more(0);
  } else {
    out += static_cast<char>(0xF0 | (point >> 18));
    more(12), more(6), more(0);
  }
}

}  // namespace

std::vector<unsigned short> to_utf16(std::string_view text) {
  const auto valid = with_valid_utf8(text);
  std::string_view rest(valid);
  std::vector<unsigned short> units;
  units.reserve(valid.size());
  while (!rest.empty()) {
    const auto point = take_code_point(rest);
    if (point < kFirstPlane) {
      units.push_back(static_cast<unsigned short>(point));
    } else {
      units.push_back(static_cast<unsigned short>(0xD800 + ((point - kFirstPlane) >> 10)));
      units.push_back(static_cast<unsigned short>(0xDC00 + ((point - kFirstPlane) & 0x3FF)));
    }
  }
  return units;
}

std::optional<std::string> from_utf16(const unsigned short* units, std::size_t count) {
  std::string text;
  text.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t point = units[i];
    if (is_low(point)) return std::nullopt;
    if (is_high(point)) {
      if (i + 1 == count || !is_low(units[i + 1])) return std::nullopt;
      point = kFirstPlane + ((point - 0xD800) << 10) + (units[++i] - 0xDC00u);
    }
    append(text, point);
  }
  return text;
}

}  // namespace sallyport::connectors::sql
