#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace re2 {
class RE2;
}

// RE2: linear time, bounded memory. The rest of the folder sees only this.
namespace sallyport::expr {

// Null when it is not a regular expression or too large a one. The result may be used by several threads.
std::shared_ptr<const re2::RE2> compile_pattern(std::string_view pattern);
// What compiling a pattern costs, and what matching does in the worst case, when no automaton fits in memory.
std::uint64_t pattern_cost(std::string_view pattern);
std::uint64_t match_cost(const re2::RE2& pattern, std::string_view text);
bool found_by(const re2::RE2& pattern, std::string_view text);  // anywhere in the text

}  // namespace sallyport::expr
