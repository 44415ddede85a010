#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::cli {

// Blanks that take as much room on a terminal as what stands before the `column`-th character of `line` (from 1), and a
// caret: tabs stay tabs, wide characters (Unicode Standard Annex 11) take two places, combining marks none. `line` is
// valid UTF-8.
std::string caret_under(std::string_view line, std::int64_t column);

}  // namespace sallyport::cli
