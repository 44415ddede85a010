#include "shared/expr/regex.h"

#include <re2/re2.h>

namespace sallyport::expr {
namespace {

constexpr std::int64_t kMaxMemory = 1 << 20;
constexpr std::size_t kMaxPattern = 4096;

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::shared_ptr<const re2::RE2> compile_pattern(std::string_view pattern) {
  if (pattern.size() > kMaxPattern) return nullptr;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxMemory);
  auto compiled = std::make_shared<const re2::RE2>(piece(pattern), options);
  return compiled->ok() ? compiled : nullptr;
}

std::uint64_t pattern_cost(std::string_view pattern) { return 1000 + pattern.size() * 20; }

std::uint64_t match_cost(const re2::RE2& pattern, std::string_view text) {
  return text.size() * static_cast<std::uint64_t>(pattern.ProgramSize()) / 1000;
}

bool found_by(const re2::RE2& pattern, std::string_view text) { return re2::RE2::PartialMatch(piece(text), pattern); }

}  // namespace sallyport::expr
