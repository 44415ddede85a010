#include "shared/expr/parser.h"

#include "shared/expr/lexer.h"
#include "shared/expr/macros.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace sallyport::expr {
namespace {

constexpr std::array<std::string_view, 4> kKeywords = {"false", "in", "null", "true"};
constexpr std::array<std::string_view, 17> kReserved = {"as",        "break",  "const",  "continue", "else", "for",
                                                        "function",  "if",     "import", "let",      "loop", "package",
                                                        "namespace", "return", "var",    "void",     "while"};

// Binary operators by how tightly they bind; 0 is none.
int precedence_of(const Token& token) {
  if (token.is("||")) return 1;
  if (token.is("&&")) return 2;
  for (auto sign : {"==", "!=", "<", "<=", ">", ">="}) {
    if (token.is(sign)) return 3;
  }
  if (token.is_word("in")) return 3;
  if (token.is("+") || token.is("-")) return 4;
  if (token.is("*") || token.is("/") || token.is("%")) return 5;
  return 0;
}

enum class Sign { plus, minus };

class Parser {
 public:
  Parser(std::string_view source, CompileLimits limits) : lexer_(source), limits_(limits) {}

  Outcome<Ast> run() {
    SP_CHECK(advance());
    SP_TRY(ast_.root, expression());
    if (token_.kind != Token::Kind::end) return unexpected_token("the end of the expression");
    return std::move(ast_);
  }

 private:
  Outcome<void> advance() {
    SP_TRY(token_, lexer_.next());
    return {};
  }
  std::unexpected<Problem> unexpected_token(std::string_view wanted) const {
    if (token_.kind == Token::Kind::end)
      return problem_at(token_.offset, fmt::format("syntax error: the expression ends where {} should be", wanted));
    if (token_.is("?") || token_.is("."))
      return problem_at(token_.offset, fmt::format("syntax error: '{}' where {} should be", token_.text, wanted));
    return problem_at(token_.offset,
                      fmt::format("syntax error: unexpected '{}' where {} should be", token_.text, wanted));
  }
  Outcome<void> expect(std::string_view sign) {
    if (!token_.is(sign)) return unexpected_token(fmt::format("'{}'", sign));
    return advance();
  }
  Outcome<NodeId> add(Node node) {
    for (auto child : node.children) node.depth = std::max(node.depth, ast_[child].depth + 1);
    if (node.depth > limits_.max_depth) return too_deep(node.offset);
    ast_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(ast_.nodes.size() - 1);
  }
  std::unexpected<Problem> too_deep(std::size_t offset) const {
    return problem_at(offset, fmt::format("the expression is nested deeper than {}", limits_.max_depth));
  }
  Node node(Node::Kind kind, std::size_t offset, std::string name = {}, std::vector<NodeId> children = {}) const {
    Node made;
    made.kind = kind;
    made.offset = static_cast<std::uint32_t>(offset);
    made.name = std::move(name);
    made.children = std::move(children);
    return made;
  }

  Outcome<NodeId> expression();
  Outcome<NodeId> binary(int least);
  Outcome<NodeId> combine(const Token& sign, NodeId left, NodeId right);
  Outcome<NodeId> unary();
  Outcome<NodeId> member();
  Outcome<NodeId> selection(NodeId target);
  Outcome<NodeId> indexing(NodeId target);
  Outcome<NodeId> record(NodeId type);
  Outcome<NodeId> primary(Sign sign);
  Outcome<NodeId> name(bool absolute);
  Outcome<NodeId> number(Sign sign);
  Outcome<NodeId> constant(Value value);
  Outcome<NodeId> list();
  Outcome<NodeId> map();
  Outcome<void> arguments(std::vector<NodeId>& into, std::string_view closing);
  Outcome<NodeId> add_call(Node call);
  Outcome<std::string> selector();
  std::optional<std::string> qualified_name(NodeId id) const;

  Lexer lexer_;
  CompileLimits limits_;
  Token token_;
  Ast ast_;
  std::size_t nesting_ = 0;
};

Outcome<NodeId> Parser::expression() {
  if (nesting_ >= limits_.max_depth) return too_deep(token_.offset);
  ++nesting_;
  SP_TRY(auto condition, binary(1));
  if (token_.is("?")) {
    const auto offset = token_.offset;
    SP_CHECK(advance());
    SP_TRY(auto chosen, binary(1));
    SP_CHECK(expect(":"));
    SP_TRY(auto otherwise, expression());
    SP_TRY(condition, add(node(Node::Kind::conditional, offset, {}, {condition, chosen, otherwise})));
  }
  --nesting_;
  return condition;
}

Outcome<NodeId> Parser::binary(int least) {
  SP_TRY(auto left, unary());
  for (int precedence = precedence_of(token_); precedence >= least; precedence = precedence_of(token_)) {
    const auto sign = token_;
    SP_CHECK(advance());
    SP_TRY(auto right, binary(precedence + 1));
    SP_TRY(left, combine(sign, left, right));
  }
  return left;
}

Outcome<NodeId> Parser::combine(const Token& sign, NodeId left, NodeId right) {
  if (!sign.is("&&") && !sign.is("||"))
    return add(node(Node::Kind::call, sign.offset, std::string(sign.text), {left, right}));
  const auto kind = sign.is("&&") ? Node::Kind::all_of : Node::Kind::any_of;
  if (auto& chain = ast_[left]; chain.kind == kind) {
    // `a && b && c` is one node, so that long conditions are not deep.
    chain.depth = std::max(chain.depth, ast_[right].depth + 1);
    if (chain.depth > limits_.max_depth) return too_deep(sign.offset);
    chain.children.push_back(right);
    return left;
  }
  return add(node(kind, sign.offset, {}, {left, right}));
}

Outcome<NodeId> Parser::unary() {
  if (!token_.is("!") && !token_.is("-")) return member();
  const std::string sign(token_.text);
  std::vector<std::size_t> offsets;
  while (token_.is(sign)) {
    offsets.push_back(token_.offset);
    SP_CHECK(advance());
  }
  const bool is_number = token_.kind == Token::Kind::integer || token_.kind == Token::Kind::floating;
  NodeId operand = 0;
  if (sign == "-" && is_number) {
    // The sign is part of the literal, or the smallest int could not be written.
    offsets.pop_back();
    SP_TRY(operand, primary(Sign::minus));
  } else {
    SP_TRY(operand, member());
  }
  for (; !offsets.empty(); offsets.pop_back()) {
    SP_TRY(operand, add(node(Node::Kind::call, offsets.back(), sign == "-" ? "-x" : "!", {operand})));
  }
  return operand;
}

Outcome<NodeId> Parser::member() {
  SP_TRY(auto target, primary(Sign::plus));
  while (true) {
    if (token_.is(".")) {
      SP_TRY(target, selection(target));
    } else if (token_.is("[")) {
      SP_TRY(target, indexing(target));
    } else if (token_.is("{") && qualified_name(target)) {
      SP_TRY(target, record(target));
    } else {
      return target;
    }
  }
}

Outcome<std::string> Parser::selector() {
  if (token_.is("?")) return problem_at(token_.offset, "syntax error: optional selection is not supported; use has()");
  if (token_.kind != Token::Kind::quoted && token_.kind != Token::Kind::identifier) return unexpected_token("a name");
  if (token_.kind == Token::Kind::identifier && std::ranges::find(kKeywords, token_.text) != kKeywords.end())
    return unexpected_token("a name");
  std::string name(token_.text);
  SP_CHECK(advance());
  return name;
}

Outcome<NodeId> Parser::selection(NodeId target) {
  SP_CHECK(advance());
  const auto offset = token_.offset;
  const bool quoted = token_.kind == Token::Kind::quoted;
  SP_TRY(auto name, selector());
  if (!token_.is("(") || quoted) return add(node(Node::Kind::select, offset, std::move(name), {target}));
  SP_CHECK(advance());
  auto call = node(Node::Kind::receiver_call, offset, std::move(name), {target});
  SP_CHECK(arguments(call.children, ")"));
  return add_call(std::move(call));
}

Outcome<NodeId> Parser::indexing(NodeId target) {
  const auto offset = token_.offset;
  SP_CHECK(advance());
  if (token_.is("?")) return problem_at(token_.offset, "syntax error: optional indexing is not supported; use `in`");
  SP_TRY(auto index, expression());
  SP_CHECK(expect("]"));
  return add(node(Node::Kind::call, offset, "[]", {target, index}));
}

std::optional<std::string> Parser::qualified_name(NodeId id) const {
  const auto& node = ast_[id];
  if (node.enclosed) return std::nullopt;
  if (node.kind == Node::Kind::identifier) return node.absolute ? "." + node.name : node.name;
  if (node.kind != Node::Kind::select) return std::nullopt;
  auto scope = qualified_name(node.children[0]);
  if (!scope) return std::nullopt;
  return *scope + "." + node.name;
}

Outcome<NodeId> Parser::record(NodeId type) {
  auto made = node(Node::Kind::record, ast_[type].offset, *qualified_name(type));
  SP_CHECK(advance());
  while (!token_.is("}")) {
    const auto offset = token_.offset;
    SP_TRY(auto field, selector());
    if (std::ranges::find(made.fields, field) != made.fields.end())
      return problem_at(offset, fmt::format("duplicate field '{}'", field));
    made.fields.push_back(std::move(field));
    SP_CHECK(expect(":"));
    SP_TRY(auto value, expression());
    made.children.push_back(value);
    if (!token_.is(",")) break;
    SP_CHECK(advance());
  }
  SP_CHECK(expect("}"));
  return add(std::move(made));
}

Outcome<NodeId> Parser::primary(Sign sign) {
  switch (token_.kind) {
    case Token::Kind::integer:
    case Token::Kind::unsigned_integer:
    case Token::Kind::floating: return number(sign);
    case Token::Kind::string:
    case Token::Kind::bytes: return constant(std::move(token_.value));
    case Token::Kind::identifier: return name(false);
    case Token::Kind::quoted:
      return problem_at(token_.offset, "syntax error: a `quoted name` is only allowed behind a dot");
    default: break;
  }
  if (token_.is("[")) return list();
  if (token_.is("{")) return map();
  if (token_.is(".")) {
    SP_CHECK(advance());
    if (token_.kind != Token::Kind::identifier) return unexpected_token("a name");
    return name(true);
  }
  SP_CHECK(token_.is("(") ? advance() : Outcome<void>(unexpected_token("a value")));
  SP_TRY(auto inside, expression());
  SP_CHECK(expect(")"));
  ast_[inside].enclosed = true;
  return inside;
}

Outcome<NodeId> Parser::constant(Value value) {
  auto made = node(Node::Kind::constant, token_.offset);
  made.value = std::move(value);
  SP_CHECK(advance());
  return add(std::move(made));
}

Outcome<NodeId> Parser::number(Sign sign) {
  const std::string digits(token_.text);
  if (token_.kind == Token::Kind::floating) {
    const double magnitude = std::strtod(digits.c_str(), nullptr);
    if (std::isinf(magnitude)) return problem_at(token_.offset, "double literal out of range");
    return constant(Value(sign == Sign::minus ? -magnitude : magnitude));
  }
  const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
  const char* first = digits.data() + (hex ? 2 : 0);
  std::uint64_t magnitude = 0;
  const auto read = std::from_chars(first, digits.data() + digits.size(), magnitude, hex ? 16 : 10);
  const bool is_unsigned = token_.kind == Token::Kind::unsigned_integer;
  const std::uint64_t largest =
      is_unsigned ? UINT64_MAX : static_cast<std::uint64_t>(INT64_MAX) + (sign == Sign::minus ? 1 : 0);
  if (read.ec != std::errc() || magnitude > largest)
    return problem_at(token_.offset, is_unsigned ? "uint literal out of range" : "int literal out of range");
  if (is_unsigned) return constant(Value(magnitude));
  return constant(Value(static_cast<std::int64_t>(sign == Sign::minus ? 0 - magnitude : magnitude)));
}

Outcome<NodeId> Parser::name(bool absolute) {
  if (!absolute && (token_.text == "true" || token_.text == "false")) return constant(Value(token_.text == "true"));
  if (!absolute && token_.text == "null") return constant(Value());
  if (token_.text == "in") return unexpected_token("a value");
  if (std::ranges::find(kReserved, token_.text) != kReserved.end()) {
    return problem_at(token_.offset, fmt::format("syntax error: '{}' is a reserved word", token_.text));
  }
  auto made = node(Node::Kind::identifier, token_.offset, std::string(token_.text));
  made.absolute = absolute;
  SP_CHECK(advance());
  if (!token_.is("(")) return add(std::move(made));
  SP_CHECK(advance());
  made.kind = Node::Kind::call;
  SP_CHECK(arguments(made.children, ")"));
  return add_call(std::move(made));
}

Outcome<NodeId> Parser::add_call(Node call) {
  SP_CHECK(expand_macro(ast_, call));
  return add(std::move(call));
}

Outcome<void> Parser::arguments(std::vector<NodeId>& into, std::string_view closing) {
  while (!token_.is(closing)) {
    if (token_.is("?")) return problem_at(token_.offset, "syntax error: optional elements are not supported");
    SP_TRY(auto argument, expression());
    into.push_back(argument);
    if (!token_.is(",")) break;
    SP_CHECK(advance());
    // A trailing comma is allowed in lists only.
    if (token_.is(closing) && closing == ")") return unexpected_token("an argument");
  }
  return expect(closing);
}

Outcome<NodeId> Parser::list() {
  auto made = node(Node::Kind::list, token_.offset);
  SP_CHECK(advance());
  SP_CHECK(arguments(made.children, "]"));
  return add(std::move(made));
}

Outcome<NodeId> Parser::map() {
  auto made = node(Node::Kind::map, token_.offset);
  SP_CHECK(advance());
  while (!token_.is("}")) {
    if (token_.is("?")) return problem_at(token_.offset, "syntax error: optional entries are not supported");
    SP_TRY(auto key, expression());
    SP_CHECK(expect(":"));
    SP_TRY(auto value, expression());
    made.children.insert(made.children.end(), {key, value});
    if (!token_.is(",")) break;
    SP_CHECK(advance());
  }
  SP_CHECK(expect("}"));
  return add(std::move(made));
}

}  // namespace

Outcome<Ast> parse(std::string_view source, CompileLimits limits) { return Parser(source, limits).run(); }

}  // namespace sallyport::expr
