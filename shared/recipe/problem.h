#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::yaml {

// Where something stands in a file. Both count from 1; the column counts characters (code points), not bytes.
// {0, 0} means that there is no text to point at (a recipe that came as canonical JSON).
struct Position {
  int line = 0;
  int column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

// One thing that is wrong with a file written by a person. `rule` is a stable id in kebab-case (docs/recipes.md).
// `message` says what is wrong and what to write instead; it names keys, never values, because a value may be a secret.
struct Problem {
  std::string file;
  int line = 0;
  int column = 0;
  std::string rule;
  std::string message;

  friend bool operator==(const Problem&, const Problem&) = default;
};
using Problems = std::vector<Problem>;

// "recipe.yaml:12:5: unknown key `timout` (did you mean `timeout`?) [unknown-key]"; without position "recipe.yaml:
// ...".
std::string to_string(const Problem& problem);
// Errc::invalid with one line per problem: what a program that can only show one error shows.
Error to_error(const Problems& problems);

// Collects the problems of one file, each once, and at most kMaxProblems of them (a broken file has more than anyone
// reads).
class Report {
 public:
  static constexpr std::size_t kMaxProblems = 100;

  explicit Report(std::string file) : file_(std::move(file)) {}
  void add(Position at, std::string_view rule, std::string message);
  bool clean() const { return problems_.empty(); }
  bool full() const { return problems_.size() >= kMaxProblems; }  // what is added now is dropped
  const Problems& problems() const { return problems_; }
  Problems take();  // sorted by position

 private:
  std::string file_;
  Problems problems_;
};

// A name out of a file, in backticks and fit for a message: shortened, without control characters.
std::string quoted(std::string_view name);
// " (did you mean `timeout`?)", or nothing when no candidate is near.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace sallyport::yaml
