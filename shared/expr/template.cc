#include "shared/expr/template.h"
#include "shared/expr/carrying.h"

#include "shared/expr/ast.h"
#include "shared/expr/convert.h"
#include "shared/expr/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace sallyport::expr {
namespace {

constexpr std::string_view kOpening = "${{";
constexpr std::string_view kEscape = "$${{";

struct Placed {
  Program program;
  std::size_t offset;  // of the program's source in the template
};

Problem moved(Problem problem, std::size_t by, std::string_view text) {
  problem.offset += by;
  return located(std::move(problem), text);
}

// Where the `}}` of the expression that starts at `start` begins.
Outcome<std::size_t> closing(std::string_view text, std::size_t start) {
  Lexer lexer(text, start);
  int open = 0;
  std::size_t previous = std::string_view::npos;  // a '}' that no '{' opened, right before
  while (true) {
    SP_TRY(const auto token, lexer.next());
    if (token.kind == Token::Kind::end)
      return problem_at(start - kOpening.size(), "'${{' without '}}'; a literal '${{' is written '$${{'");
    if (token.is("{")) ++open;
    if (token.is("}")) {
      if (open > 0) {
        --open;
      } else if (previous != std::string_view::npos && previous + 1 == token.offset) {
        return previous;
      } else {
        previous = token.offset;
        continue;
      }
    }
    previous = std::string_view::npos;
  }
}

Answer interpolated(const Value& value, SecretUse secrets) {
  const bool may_fail = value.is(Value::Kind::bytes) && has(value.label(), Label::secret);
  if (may_fail && secrets == SecretUse::carry_only) return std::unexpected(looks_into("text from bytes"));
  if (value.is(Value::Kind::type)) return Value(value.as_type().name);
  auto text = to_text(value);
  if (text || text.error().kind != Failure::Kind::no_overload) return text;
  const std::string_view advice = value.is(Value::Kind::handle)
                                      ? "select one of its attributes, or make the expression the whole field"
                                  : value.is_null() ? "test for null with ?:"
                                                    : "choose an element, or use join() or format()";
  return failed(
      fmt::format("no such overload: a {} cannot become part of a text; {}", to_string(value.kind()), advice));
}

}  // namespace

struct Template::Parts {
  std::string text;
  std::vector<std::variant<std::string, Placed>> pieces;
  std::vector<Reference> references;

  const Placed* only_expression() const { return pieces.size() == 1 ? std::get_if<Placed>(&pieces[0]) : nullptr; }
};

Outcome<Template> Template::parse(std::string_view text, const Environment& environment, Checking checking,
                                  CompileLimits limits) {
  auto parts = std::make_shared<Parts>();
  parts->text = text;
  const std::string_view whole = parts->text;
  const auto wrong = [&](Problem problem, std::size_t by) {
    return std::unexpected(moved(std::move(problem), by, whole));
  };
  if (whole.contains(kOpening) && !is_valid_utf8(whole))
    return wrong(Problem{.message = "the text is not valid UTF-8"}, 0);
  std::string literal;
  for (std::size_t at = 0; at < whole.size();) {
    if (whole.substr(at).starts_with(kEscape)) {
      literal += kOpening;
      at += kEscape.size();
      continue;
    }
    if (!whole.substr(at).starts_with(kOpening)) {
      literal += whole[at++];
      continue;
    }
    const auto start = at + kOpening.size();
    const auto end = closing(whole, start);
    if (!end) return wrong(end.error(), 0);
    auto program = compile(whole.substr(start, *end - start), environment, checking, limits);
    if (!program) return wrong(std::move(program).error(), start);
    for (auto reference : program->references()) {
      reference.offset += start;
      parts->references.push_back(std::move(reference));
    }
    if (!literal.empty()) parts->pieces.emplace_back(std::exchange(literal, {}));
    parts->pieces.emplace_back(Placed{*std::move(program), start});
    at = *end + 2;
  }
  if (!literal.empty()) parts->pieces.emplace_back(std::move(literal));
  return Template(std::move(parts));
}

bool Template::is_literal() const {
  return std::ranges::all_of(parts_->pieces,
                             [](const auto& piece) { return std::holds_alternative<std::string>(piece); });
}
bool Template::is_whole() const { return parts_->only_expression() != nullptr; }
const std::string& Template::text() const { return parts_->text; }
std::span<const Reference> Template::references() const { return parts_->references; }

std::string Template::literal_text() const {
  std::string out;
  for (const auto& piece : parts_->pieces) {
    if (const auto* literal = std::get_if<std::string>(&piece)) out += *literal;
  }
  return out;
}

Outcome<Value> Template::evaluate(const Activation& activation, EvalLimits limits) const {
  const auto wrong = [&](Problem problem, std::size_t by) {
    return std::unexpected(moved(std::move(problem), by, parts_->text));
  };
  if (const auto* only = parts_->only_expression()) {
    auto value = expr::evaluate(only->program, activation, limits);
    if (!value) return wrong(std::move(value).error(), only->offset);
    return value;
  }
  std::string out;
  Label label = Label::none;
  for (const auto& piece : parts_->pieces) {
    if (const auto* literal = std::get_if<std::string>(&piece)) {
      out += *literal;
      continue;
    }
    const auto& [program, offset] = std::get<Placed>(piece);
    auto value = expr::evaluate(program, activation, limits);
    if (!value) return wrong(std::move(value).error(), offset);
    auto text = interpolated(*value, limits.secrets);
    if (!text) return wrong(Problem{.message = text.error().message, .label = text.error().label}, offset);
    label = label | value->label();
    out += text->as_string();
    if (out.size() > limits.max_output_bytes)
      return wrong(Problem{.message = fmt::format("the text becomes larger than {} bytes", limits.max_output_bytes)},
                   offset);
  }
  return Value(std::move(out)).with_label(label);
}

}  // namespace sallyport::expr
