#include "relay/cli/caret.h"

#include "shared/expr/unicode.h"

#include <algorithm>
#include <array>
#include <span>

namespace sallyport::cli {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Blocks whose characters are wide or of full width; what lies between scripts of the same kind is taken with them.
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0xA4CF},   Range{0xA960, 0xA97F},
    Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
    Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF},
    Range{0x20000, 0x3FFFD},
};
constexpr std::array kCombining = {Range{0x0300, 0x036F}, Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF},
                                   Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F},
                                   Range{0xFE20, 0xFE2F}};

bool is_in(std::span<const Range> ranges, char32_t c) {
  return std::ranges::any_of(ranges, [c](const Range& range) { return c >= range.first && c <= range.last; });
}

std::string_view blank_like(char32_t c) {
  if (c == '\t') return "\t";
  if (is_in(kCombining, c)) return "";
  return is_in(kWide, c) ? "  " : " ";
}

}  // namespace

std::string caret_under(std::string_view line, std::int64_t column) {
  std::string out;
  for (; column > 1 && !line.empty(); --column) out += blank_like(expr::take_code_point(line));
  return out + "^";
}

}  // namespace sallyport::cli
