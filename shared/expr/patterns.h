#pragma once

#include "shared/expr/regex.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::expr {

// The literal patterns of expressions that count together, such as those of one recipe: each distinct text is compiled
// once, and compiling all of them stays within one bound of time and memory, whatever the texts are. One thread.
class Patterns {
 public:
  // Bounds the compiling to some tenths of a second and, automata included, the memory to about 130 MiB.
  static constexpr std::uint64_t kMaxCost = 1'000'000;

  explicit Patterns(std::uint64_t max_cost = kMaxCost) : left_(max_cost) {}

  // The error is a message for people and quotes nothing but the pattern.
  std::expected<Pattern, std::string> compile(std::string_view text);

 private:
  std::map<std::string, std::expected<Pattern, std::string>, std::less<>> known_;
  std::uint64_t left_;
};

// Patterns that one evaluation computed last, so that a loop compiles its pattern once. Bounded.
class RecentPatterns {
 public:
  using Compiled = std::expected<Pattern, std::string>;

  const Compiled* find(std::string_view text) const;
  const Compiled& keep(std::string_view text, Compiled compiled);

 private:
  static constexpr std::size_t kKept = 16;
  struct Entry {
    std::string text;
    Compiled compiled;
  };
  std::vector<Entry> entries_;
  std::size_t next_ = 0;  // to be replaced
};

}  // namespace sallyport::expr
