#include "agent/connectors/xml/xml_names.h"

#include "agent/connectors/decode.h"
#include "shared/base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace sallyport::connectors::xml {
namespace {

struct Range {
  std::uint32_t first, last;
  bool holds(std::uint32_t point) const { return first <= point && point <= last; }
};

// XML 1.0 (fifth edition), productions 4 and 4a, without the colon.
constexpr std::array kStart{Range{'A', 'Z'},       Range{'_', '_'},       Range{'a', 'z'},        Range{0xC0, 0xD6},
                            Range{0xD8, 0xF6},     Range{0xF8, 0x2FF},    Range{0x370, 0x37D},    Range{0x37F, 0x1FFF},
                            Range{0x200C, 0x200D}, Range{0x2070, 0x218F}, Range{0x2C00, 0x2FEF},  Range{0x3001, 0xD7FF},
                            Range{0xF900, 0xFDCF}, Range{0xFDF0, 0xFFFD}, Range{0x10000, 0xEFFFF}};
constexpr std::array kMore{Range{'-', '.'}, Range{'0', '9'}, Range{0xB7, 0xB7}, Range{0x300, 0x36F},
                           Range{0x203F, 0x2040}};

bool is_in(std::span<const Range> ranges, std::uint32_t point) {
  return std::ranges::any_of(ranges, [&](const Range& range) { return range.holds(point); });
}

}  // namespace

bool is_xml_name(std::string_view text) {
  if (text.empty() || !is_valid_utf8(text) || !is_in(kStart, take_code_point(text))) return false;
  while (!text.empty()) {
    const auto point = take_code_point(text);
    if (!is_in(kStart, point) && !is_in(kMore, point)) return false;
  }
  return true;
}

bool is_xml_text(std::string_view text) {
  if (!is_valid_utf8(text)) return false;
  while (!text.empty()) {
    const auto point = take_code_point(text);
    if (point == 0xFFFE || point == 0xFFFF) return false;
    if (point < 0x20 && point != '\t' && point != '\n' && point != '\r') return false;
  }
  return true;
}

}  // namespace sallyport::connectors::xml
