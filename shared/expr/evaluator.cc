#include "shared/expr/evaluator.h"

#include "shared/expr/carrying.h"
#include "shared/expr/compare.h"
#include "shared/expr/functions.h"
#include "shared/expr/records.h"

#include <fmt/format.h>

namespace sallyport::expr {
namespace {

using Kind = Node::Kind;

constexpr std::string_view kHandleHint =
    "; a handle is a body that is not in memory: select one of its attributes, or give it to a step that reads it";

std::size_t copied_bytes(const Value& value) { return value.is(Value::Kind::string) ? value.as_string().size() : 0; }

std::unexpected<Failure> labelled(Failure failure, Label label) {
  failure.label = failure.label | label;
  return std::unexpected(std::move(failure));
}

}  // namespace

Answer Evaluator::evaluate(NodeId id) {
  const auto& node = ast_[id];
  auto answer = paid(node);
  if (!answer) return std::unexpected(placed(std::move(answer).error(), node, {}));
  return answer;
}

Answer Evaluator::paid(const Node& node) {
  SP_CHECK(budget_.spend(1));
  SP_TRY(auto value, dispatch(node));
  SP_CHECK(budget_.spend_bytes(copied_bytes(value)));
  return value;
}

Failure Evaluator::placed(Failure failure, const Node& node, std::span<const Value> arguments) const {
  if (failure.offset != Failure::kNowhere) return failure;
  failure.offset = node.offset;
  if (failure.kind != Failure::Kind::no_overload || !failure.message.empty()) return failure;
  return refuse(node, node.name, arguments).error();
}

std::unexpected<Failure> Evaluator::refuse(const Node& node, std::string_view name,
                                           std::span<const Value> arguments) const {
  std::string types;
  bool handle = false;
  Label label = Label::none;
  for (const auto& argument : arguments) {
    types += fmt::format("{}{}", types.empty() ? "" : ", ", to_string(argument.kind()));
    handle = handle || argument.is(Value::Kind::handle);
    label = label | argument.label();
  }
  return std::unexpected(Failure{
      .kind = Failure::Kind::no_overload,
      .message = fmt::format("no such overload: '{}' applied to ({}){}", name, types, handle ? kHandleHint : ""),
      .offset = node.offset,
      .label = label});
}

Answer Evaluator::dispatch(const Node& node) {
  if (!node.unresolved.empty()) return failed(node.unresolved);
  switch (node.kind) {
    case Kind::constant: return node.value;
    case Kind::identifier: return identifier(node);
    case Kind::select: return select(node);
    case Kind::has: return has(node);
    case Kind::call:
    case Kind::receiver_call: return call(node);
    case Kind::list: return list(node);
    case Kind::map: return map(node);
    case Kind::record: return record(node);
    case Kind::all_of:
    case Kind::any_of: return logic(node);
    case Kind::conditional: return conditional(node);
    case Kind::comprehension: return comprehension(node);
    case Kind::bind: return bind(node);
  }
  return failed("unknown node");
}

Answer Evaluator::identifier(const Node& node) {
  if (node.slot >= 0) return slots_[static_cast<std::size_t>(node.slot)];
  if (const auto* value = activation_.find(node.name)) return *value;
  return failed(fmt::format("no such attribute: unbound variable '{}'", node.name));
}

Answer Evaluator::select(const Node& node) {
  SP_TRY(const auto operand, evaluate(node.children[0]));
  if (!operand.is(Value::Kind::map) && !operand.is(Value::Kind::handle)) {
    return refuse(node, "." + node.name, std::span(&operand, 1));
  }
  const auto& entries = operand.is(Value::Kind::map) ? operand.as_map() : operand.as_handle().attributes;
  const auto entry = entries.find(Value(node.name));
  if (entry == entries.end())
    return labelled({.message = fmt::format("no such key: '{}'", node.name)}, operand.label());
  return entry->second.with_label(operand.label() | entry->first.label());
}

Answer Evaluator::has(const Node& node) {
  SP_TRY(const auto operand, evaluate(node.children[0]));
  if (!operand.is(Value::Kind::map) && !operand.is(Value::Kind::handle)) {
    return refuse(node, "has(_." + node.name + ")", std::span(&operand, 1));
  }
  return Value(operand.find(node.name) != nullptr).with_label(operand.label());
}

Evaluator::Operands Evaluator::operands(const Node& node) {
  ValueList values;
  values.reserve(node.children.size());
  for (auto child : node.children) {
    SP_TRY(auto value, evaluate(child));
    values.push_back(std::move(value));
  }
  return values;
}

std::expected<Label, Failure> Evaluator::taint(const Node& node, const ValueList& arguments) {
  Label label = Label::none;
  for (const auto& argument : arguments) {
    Label inner = argument.label();
    if (node.function->taint == Taint::deep) {
      SP_TRY(inner, label_of(argument, budget_));
    }
    label = label | inner;
  }
  return label;
}

Answer Evaluator::call(const Node& node) {
  SP_TRY(const auto arguments, operands(node));
  SP_TRY(const Label label, taint(node, arguments));
  if (must_not_see(label) && !only_carries(*node.function, arguments))
    return std::unexpected(looks_into(fmt::format("'{}'", node.name)));
  auto answer = node.function->body(
      Call{.arguments = arguments, .budget = budget_, .patterns = patterns_, .pattern = node.pattern.get()});
  if (answer) return answer->with_label(label);
  auto failure = placed(std::move(answer).error(), node, arguments);
  if (failure.message == "no such key") {
    // Only a key that is written in the expression may be named.
    if (const auto& key = ast_[node.children[1]]; key.kind == Kind::constant && key.value.is(Value::Kind::string)) {
      failure.message += fmt::format(": '{}'", key.value.as_string());
    }
  }
  return labelled(std::move(failure), label);
}

Answer Evaluator::list(const Node& node) {
  SP_TRY(auto elements, operands(node));
  return Value(std::move(elements));
}

Answer Evaluator::map(const Node& node) {
  SP_TRY(auto parts, operands(node));
  ValueMap entries;
  Label label = Label::none;
  for (std::size_t i = 0; i < parts.size(); i += 2) {
    label = label | parts[i].label();
    if (must_not_see(label)) return std::unexpected(looks_into("a key"));
    if (!is_key(parts[i]))
      return labelled({.message = fmt::format("unsupported key type: {}", to_string(parts[i].kind()))}, label);
    if (!entries.emplace(std::move(parts[i]), std::move(parts[i + 1])).second)
      return labelled({.message = "Failed with repeated key: the map has a duplicate key"}, label);
  }
  // Which keys there are shows in every use of the map.
  return Value(std::move(entries)).with_label(label);
}

Answer Evaluator::record(const Node& node) {
  SP_TRY(const auto values, operands(node));
  for (const auto& value : values) {
    if (must_not_see(value.label())) return std::unexpected(looks_into(node.name));
  }
  auto answer = make_record(node.name, node.fields, values, budget_);
  if (!answer) return std::unexpected(placed(std::move(answer).error(), node, values));
  Label label = Label::none;
  for (const auto& value : values) label = label | value.label();
  return answer->with_label(label);
}

Answer Evaluator::logic(const Node& node) {
  const bool decisive = node.kind == Kind::any_of;
  Label label = Label::none;
  std::optional<Failure> failure;
  for (auto child : node.children) {
    auto answer = evaluate(child);
    if (answer && !answer->is(Value::Kind::boolean))
      answer = refuse(ast_[child], decisive ? "||" : "&&", std::span(&*answer, 1));
    if (!answer && answer.error().kind == Failure::Kind::exhausted) return answer;
    label = label | (answer ? answer->label() : answer.error().label);
    if (must_not_see(label)) return std::unexpected(looks_into(decisive ? "'||'" : "'&&'"));
    if (!answer) {
      if (!failure) failure = std::move(answer).error();
    } else if (answer->as_bool() == decisive) {
      return Value(decisive).with_label(label);
    }
  }
  if (failure) return labelled(*std::move(failure), label);
  return Value(!decisive).with_label(label);
}

Answer Evaluator::conditional(const Node& node) {
  SP_TRY(const auto condition, evaluate(node.children[0]));
  if (!condition.is(Value::Kind::boolean)) return refuse(node, "?:", std::span(&condition, 1));
  if (must_not_see(condition.label())) return std::unexpected(looks_into("a condition"));
  auto answer = evaluate(node.children[condition.as_bool() ? 1 : 2]);
  if (!answer) return labelled(std::move(answer).error(), condition.label());
  return answer->with_label(condition.label());
}

Answer Evaluator::bind(const Node& node) {
  auto bound = evaluate(node.children[0]);
  if (!bound && bound.error().kind == Failure::Kind::exhausted) return bound;
  slots_[static_cast<std::size_t>(node.slot)] = std::move(bound);
  return evaluate(node.children[1]);
}

}  // namespace sallyport::expr
