#include "shared/recipe/problem.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace sallyport::yaml {
namespace {

constexpr std::size_t kMaxQuoted = 64;
constexpr std::size_t kMaxShown = 10;

}  // namespace

std::string to_string(const Problem& problem) {
  if (problem.line == 0) return fmt::format("{}: {} [{}]", problem.file, problem.message, problem.rule);
  return fmt::format("{}:{}:{}: {} [{}]", problem.file, problem.line, problem.column, problem.message, problem.rule);
}

Error to_error(const Problems& problems) {
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), kMaxShown); ++i) {
    if (i > 0) text += '\n';
    text += to_string(problems[i]);
  }
  if (problems.size() > kMaxShown) text += fmt::format("\nand {} more", problems.size() - kMaxShown);
  return Error{Errc::invalid, std::move(text)};
}

void Report::add(Position at, std::string_view rule, std::string message) {
  Problem problem{file_, at.line, at.column, std::string(rule), std::move(message)};
  if (!full() && std::ranges::find(problems_, problem) == problems_.end()) problems_.push_back(std::move(problem));
}

Problems Report::take() {
  std::ranges::sort(problems_, {}, [](const Problem& p) { return std::tie(p.line, p.column, p.rule, p.message); });
  return std::move(problems_);
}

std::string quoted(std::string_view name) {
  std::string out = "`";
  for (char c : name.substr(0, kMaxQuoted)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  while (!is_valid_utf8(out)) out.pop_back();
  if (name.size() > kMaxQuoted) out += "...";
  return out + "`";
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > kMaxQuoted) return {};
  const auto near = nearest(word, candidates);
  return near ? fmt::format(" (did you mean `{}`?)", *near) : std::string();
}

}  // namespace sallyport::yaml
