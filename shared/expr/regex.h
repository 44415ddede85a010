#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

// RE2: linear time, bounded memory. The rest of the folder sees only this.
namespace sallyport::expr {

using Pattern = std::shared_ptr<const re2::RE2>;  // may be used by several threads

// Where a pattern stands, which says how large it may be and what its message may quote.
enum class PatternOrigin {
  literal,   // in the text of an expression: up to RE2's own default of 8 MiB, messages quote the pattern
  computed,  // made while evaluating, maybe from data: 4,096 bytes, 128 KiB compiled, messages quote nothing
};

struct PatternProblem {
  bool too_large = false;
  std::string message;
};
std::expected<Pattern, PatternProblem> compile_pattern(std::string_view pattern, PatternOrigin origin);

// Work in the units of evaluation costs. Reading: before compile_pattern, from the text alone. Compiling: after it,
// also for a pattern that turned out too large; of a computed one both directions, as it is used at once.
std::uint64_t reading_cost(std::string_view pattern, PatternOrigin origin);
std::uint64_t compiling_cost(const std::expected<Pattern, PatternProblem>& compiled, PatternOrigin origin);
// What matching does in the worst case, when no automaton fits in memory.
std::uint64_t match_cost(const re2::RE2& pattern, std::string_view text);
bool found_by(const re2::RE2& pattern, std::string_view text);  // anywhere in the text

}  // namespace sallyport::expr
