#include "shared/expr/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace sallyport::expr {
namespace {

constexpr std::int64_t kComputedMemory = 128 << 10;
constexpr std::int64_t kSmallLiteral = 256 << 10;  // tried first: a pattern keeps an automaton of up to its limit
constexpr std::int64_t kLargeLiteral = re2::RE2::Options::kDefaultMaxMem;
constexpr std::size_t kMaxComputed = 4096;
constexpr std::size_t kMaxQuoted = 60;

constexpr std::uint64_t kPerPattern = 1000;
constexpr std::uint64_t kPerByte = 20;  // of a computed pattern: "a{1000}" is more work than its size tells
constexpr std::uint64_t kPerLiteralByte = 5;
constexpr std::uint64_t kPerClass = 200;  // \p{..}: hundreds of ranges from a few bytes
constexpr std::uint64_t kTooLargeComputed = 10'000;
constexpr std::uint64_t kTooLargeLiteral = 150'000;

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

Pattern compiled_within(std::string_view pattern, std::int64_t memory) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(memory);
  return std::make_shared<const re2::RE2>(piece(pattern), options);
}

std::string_view limit_of(PatternOrigin origin) {
  return origin == PatternOrigin::literal
             ? "the pattern is too large: compiled it takes more than 8 MiB"
             : "the pattern is too large: one that is not a literal may have 4096 bytes and take 128 KiB compiled";
}

// RE2's own words, "missing ): a(b"; without what it quotes from the pattern where that may be data.
std::string complaint(const re2::RE2& pattern, PatternOrigin origin) {
  std::string_view text = pattern.error();
  const auto& quoted = pattern.error_arg();
  const bool quotes = origin == PatternOrigin::literal && quoted.size() <= kMaxQuoted;
  if (!quotes && !quoted.empty() && text.ends_with(": " + quoted)) text.remove_suffix(quoted.size() + 2);
  return fmt::format("the pattern is not an RE2 regular expression: {}", text);
}

}  // namespace

std::expected<Pattern, PatternProblem> compile_pattern(std::string_view pattern, PatternOrigin origin) {
  const bool literal = origin == PatternOrigin::literal;
  const auto too_large = [&] { return std::unexpected(PatternProblem{true, std::string(limit_of(origin))}); };
  if (!literal && pattern.size() > kMaxComputed) return too_large();
  auto compiled = compiled_within(pattern, literal ? kSmallLiteral : kComputedMemory);
  const auto is_large = [&] { return compiled->error_code() == re2::RE2::ErrorPatternTooLarge; };
  if (literal && is_large()) compiled = compiled_within(pattern, kLargeLiteral);
  if (is_large()) return too_large();
  if (!compiled->ok()) return std::unexpected(PatternProblem{false, complaint(*compiled, origin)});
  return compiled;
}

std::uint64_t reading_cost(std::string_view pattern, PatternOrigin origin) {
  std::uint64_t classes = 0;
  for (auto at = pattern.find('\\'); at != std::string_view::npos; at = pattern.find('\\', at + 2)) {
    const auto next = pattern.substr(at + 1, 1);
    if (next == "p" || next == "P") ++classes;
    if (at + 2 >= pattern.size()) break;
  }
  const auto per_byte = origin == PatternOrigin::literal ? kPerLiteralByte : kPerByte;
  return kPerPattern + per_byte * pattern.size() + kPerClass * classes;
}

std::uint64_t compiling_cost(const std::expected<Pattern, PatternProblem>& compiled, PatternOrigin origin) {
  const bool literal = origin == PatternOrigin::literal;
  if (compiled) return static_cast<std::uint64_t>((*compiled)->ProgramSize()) * (literal ? 1 : 2);
  if (!compiled.error().too_large) return 0;
  return literal ? kTooLargeLiteral : kTooLargeComputed;
}

std::uint64_t match_cost(const re2::RE2& pattern, std::string_view text) {
  return text.size() * static_cast<std::uint64_t>(pattern.ProgramSize()) / 1000;
}

bool found_by(const re2::RE2& pattern, std::string_view text) { return re2::RE2::PartialMatch(piece(text), pattern); }

}  // namespace sallyport::expr
