#include "shared/expr/expr.h"

#include "shared/expr/ast.h"
#include "shared/expr/checker.h"
#include "shared/expr/compare.h"
#include "shared/expr/evaluator.h"
#include "shared/expr/names.h"
#include "shared/expr/parser.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::expr {
namespace {

Outcome<std::shared_ptr<const Code>> compiled(std::string_view source, const Environment& environment,
                                              Checking checking, CompileLimits limits) {
  if (source.size() > limits.max_bytes)
    return problem_at(0, fmt::format("the expression has {} bytes; the limit is {}", source.size(), limits.max_bytes));
  if (!is_valid_utf8(source)) return problem_at(0, "the expression is not valid UTF-8");
  auto code = std::make_shared<Code>();
  code->source = source;
  SP_TRY(code->ast, parse(code->source, limits));
  Patterns own;
  SP_CHECK(resolve_names(code->ast, environment, checking, limits.patterns != nullptr ? *limits.patterns : own));
  if (checking == Checking::strict) {
    SP_TRY(code->result_type, check_types(code->ast, environment));
  }
  code->references = references_in(code->ast);
  return code;
}

}  // namespace

Problem located(Problem problem, std::string_view source) {
  const auto before = source.substr(0, std::min(problem.offset, source.size()));
  const auto line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  problem.line = 1 + static_cast<int>(std::ranges::count(before, '\n'));
  problem.column = 1 + static_cast<int>(utf8_length(before.substr(line_start)));
  return problem;
}

std::string to_string(const Problem& problem) {
  return fmt::format("line {}, column {}: {}", problem.line, problem.column, problem.message);
}

Environment& Environment::declare(std::string name, Type type) {
  variables_.insert_or_assign(std::move(name), std::move(type));
  return *this;
}

Environment& Environment::set_container(std::string name) {
  container_ = std::move(name);
  return *this;
}

std::string Reference::text() const { return fmt::format("{}", fmt::join(path, ".")); }

const std::string& Program::source() const { return code_->source; }
const Type& Program::result_type() const { return code_->result_type; }
std::span<const Reference> Program::references() const { return code_->references; }

Outcome<Program> compile(std::string_view source, const Environment& environment, Checking checking,
                         CompileLimits limits) {
  auto code = compiled(source, environment, checking, limits);
  if (!code) return std::unexpected(located(std::move(code).error(), source));
  return Program(*std::move(code));
}

Outcome<Value> evaluate(const Program& program, const Activation& activation, EvalLimits limits) {
  const auto& code = program.code();
  auto answer = Evaluator(code.ast, activation, limits).evaluate(code.ast.root);
  if (answer && !measured(*answer, limits.max_output_bytes)) {
    answer = exhausted(fmt::format("the result is larger than {} bytes", limits.max_output_bytes));
    answer.error().offset = 0;
  }
  if (answer) return *std::move(answer);
  return std::unexpected(located(
      Problem{.message = answer.error().message, .offset = answer.error().offset, .label = answer.error().label},
      code.source));
}

}  // namespace sallyport::expr
