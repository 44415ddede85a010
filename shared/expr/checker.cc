#include "shared/expr/checker.h"

#include "shared/expr/functions.h"
#include "shared/expr/records.h"
#include "shared/expr/unify.h"

#include <fmt/format.h>

namespace sallyport::expr {
namespace {

using Kind = Node::Kind;
using Types = std::vector<Type>;

class Checker {
 public:
  Checker(const Ast& ast, const Environment& environment)
      : ast_(ast), environment_(environment), slots_(static_cast<std::size_t>(ast.slots)) {}

  Outcome<Type> run() {
    SP_TRY(const auto type, check(ast_.root));
    return substitution_.settled(type);
  }

 private:
  Outcome<Type> check(NodeId id);
  Outcome<Types> check_all(const std::vector<NodeId>& ids);
  Outcome<Type> identifier(const Node& node);
  Outcome<Type> select(const Node& node);
  Outcome<Type> call(const Node& node);
  Outcome<Type> typed_call(const Node& node, const Types& arguments) const;
  Outcome<Type> list(const Node& node);
  Outcome<Type> map(const Node& node);
  Outcome<Type> record(const Node& node);
  Outcome<Type> logic(const Node& node);
  Outcome<Type> conditional(const Node& node);
  Outcome<Type> bind(const Node& node);
  Outcome<Type> comprehension(const Node& node);
  Outcome<void> introduce(const Node& node, const Type& range);
  Outcome<Type> result_of(const Node& node, const Type& range, const Type& body);
  Outcome<void> must_be(NodeId id, const Type& actual, Type::Kind wanted, std::string_view what);
  Type joined(const Type& a, const Type& b);
  std::unexpected<Problem> no_overload(const Node& node, std::string_view name, const Types& arguments) const;

  const Ast& ast_;
  const Environment& environment_;
  Substitution substitution_;
  Types slots_;
};

std::unexpected<Problem> Checker::no_overload(const Node& node, std::string_view name, const Types& arguments) const {
  std::string types;
  bool handle = false;
  for (const auto& argument : arguments) {
    const auto type = substitution_.settled(argument);
    types += (types.empty() ? "" : ", ") + type.text();
    handle = handle || type.is(Type::Kind::handle);
  }
  return problem_at(node.offset, fmt::format("found no matching overload for '{}' applied to ({}){}", name, types,
                                             handle ? "; a handle is a body that is not in memory: select one of its "
                                                      "attributes, or give it to a step that reads it"
                                                    : ""));
}

Outcome<Type> Checker::check(NodeId id) {
  const auto& node = ast_[id];
  switch (node.kind) {
    case Kind::constant:
      if (node.value.is(Value::Kind::type)) return Type::type(parse_type(node.value.as_type().name).value_or(Type()));
      return parse_type(to_string(node.value.kind())).value_or(Type());
    case Kind::identifier: return identifier(node);
    case Kind::select: return select(node);
    case Kind::has: SP_CHECK(select(node)); return Type(Type::Kind::boolean);
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
  return Type();
}

Outcome<Types> Checker::check_all(const std::vector<NodeId>& ids) {
  Types types;
  for (auto id : ids) {
    SP_TRY(auto type, check(id));
    types.push_back(std::move(type));
  }
  return types;
}

Outcome<Type> Checker::identifier(const Node& node) {
  if (node.slot >= 0) return slots_[static_cast<std::size_t>(node.slot)];
  return environment_.variables().find(node.name)->second;
}

Outcome<Type> Checker::select(const Node& node) {
  SP_TRY(const auto operand, check(node.children[0]));
  const auto type = substitution_.apply(operand);
  switch (type.kind()) {
    case Type::Kind::map: return type.arguments()[1];
    case Type::Kind::dyn:
    case Type::Kind::parameter:
    case Type::Kind::handle: return Type();
    default: return problem_at(node.offset, fmt::format("type '{}' does not support field selection", type.text()));
  }
}

Outcome<Type> Checker::call(const Node& node) {
  SP_TRY(const auto arguments, check_all(node.children));
  if (node.function->typed != nullptr) return typed_call(node, arguments);
  std::optional<Type> result;
  for (const auto& overload : overloads_of(*node.function)) {
    if (!overload.takes(arguments.size())) continue;
    const auto before = substitution_.mark();
    std::map<int, Type> fresh;
    bool fits = true;
    for (std::size_t i = 0; i < arguments.size() && fits; ++i) {
      const auto& parameter = overload.parameters[std::min(i, overload.parameters.size() - 1)];
      fits = substitution_.assign(arguments[i], substitution_.instantiate(parameter, fresh));
    }
    if (!fits) {
      substitution_.undo(before);
      continue;
    }
    const auto returned = substitution_.apply(substitution_.instantiate(overload.result, fresh));
    result = result && !(*result == returned) ? Type() : returned;
  }
  if (!result) return no_overload(node, node.name, arguments);
  return *result;
}

Outcome<Type> Checker::typed_call(const Node& node, const Types& arguments) const {
  Types known;
  for (const auto& argument : arguments) known.push_back(substitution_.settled(argument));
  const auto result = node.function->typed(known);
  if (!result) return no_overload(node, node.name, arguments);
  return *result;
}

Type Checker::joined(const Type& a, const Type& b) {
  const auto before = substitution_.mark();
  if (!substitution_.assign(b, a)) {
    substitution_.undo(before);
    return Type();
  }
  return more_general(substitution_.apply(a), substitution_.apply(b));
}

Outcome<Type> Checker::list(const Node& node) {
  SP_TRY(const auto elements, check_all(node.children));
  Type element = substitution_.fresh();
  for (std::size_t i = 0; i < elements.size(); ++i) element = i == 0 ? elements[0] : joined(element, elements[i]);
  return Type::list(element);
}

Outcome<Type> Checker::map(const Node& node) {
  SP_TRY(const auto parts, check_all(node.children));
  Type key = substitution_.fresh(), value = substitution_.fresh();
  for (std::size_t i = 0; i < parts.size(); i += 2) {
    const auto known = substitution_.settled(parts[i]);
    const bool is_key = known.is(Type::Kind::boolean) || known.is(Type::Kind::int64) || known.is(Type::Kind::uint64) ||
                        known.is(Type::Kind::string) || known.is(Type::Kind::dyn);
    if (!is_key)
      return problem_at(
          ast_[node.children[i]].offset,
          fmt::format("unsupported key type '{}'; a map has bool, int, uint or string keys", known.text()));
    key = i == 0 ? known : joined(key, known);
    value = i == 0 ? parts[1] : joined(value, parts[i + 1]);
  }
  return Type::map(key, value);
}

Outcome<Type> Checker::record(const Node& node) {
  SP_CHECK(check_all(node.children));
  return record_type(node.name);
}

Outcome<void> Checker::must_be(NodeId id, const Type& actual, Type::Kind wanted, std::string_view what) {
  if (substitution_.assign(actual, Type(wanted))) return {};
  return problem_at(ast_[id].offset, fmt::format("found no matching overload: {} must be {}, not {}", what,
                                                 Type(wanted).text(), substitution_.settled(actual).text()));
}

Outcome<Type> Checker::logic(const Node& node) {
  for (auto child : node.children) {
    SP_TRY(const auto type, check(child));
    SP_CHECK(must_be(child, type, Type::Kind::boolean,
                     node.kind == Kind::all_of ? "an operand of '&&'" : "an operand of '||'"));
  }
  return Type(Type::Kind::boolean);
}

Outcome<Type> Checker::conditional(const Node& node) {
  SP_TRY(const auto types, check_all(node.children));
  SP_CHECK(must_be(node.children[0], types[0], Type::Kind::boolean, "the condition of '?:'"));
  if (!substitution_.assign(types[2], types[1])) return no_overload(node, "?:", types);
  return more_general(substitution_.apply(types[1]), substitution_.apply(types[2]));
}

Outcome<Type> Checker::bind(const Node& node) {
  SP_TRY(slots_[static_cast<std::size_t>(node.slot)], check(node.children[0]));
  return check(node.children[1]);
}

Outcome<void> Checker::introduce(const Node& node, const Type& range) {
  Type first, second;
  switch (range.kind()) {
    case Type::Kind::list:
      first = range.arguments()[0];
      second = first;
      if (node.second_slot >= 0) first = Type(Type::Kind::int64);
      break;
    case Type::Kind::map:
      first = range.arguments()[0];
      second = range.arguments()[1];
      break;
    case Type::Kind::dyn:
    case Type::Kind::parameter: break;
    default:
      return problem_at(
          ast_[node.children[0]].offset,
          fmt::format("a macro works over a list or map, not over {}: found no matching overload", range.text()));
  }
  slots_[static_cast<std::size_t>(node.slot)] = first;
  if (node.second_slot >= 0) slots_[static_cast<std::size_t>(node.second_slot)] = second;
  return {};
}

Outcome<Type> Checker::comprehension(const Node& node) {
  SP_TRY(const auto range, check(node.children[0]));
  SP_CHECK(introduce(node, substitution_.apply(range)));
  if (node.children.size() == 3) {
    SP_TRY(const auto filter, check(node.children[1]));
    SP_CHECK(must_be(node.children[1], filter, Type::Kind::boolean, "the condition of a macro"));
  }
  SP_TRY(const auto body, check(node.children.back()));
  return result_of(node, substitution_.apply(range), body);
}

Outcome<Type> Checker::result_of(const Node& node, const Type& range, const Type& body) {
  const bool is_map = range.is(Type::Kind::map);
  switch (node.macro) {
    case Macro::map:
    case Macro::transform_list: return Type::list(body);
    case Macro::filter: {
      SP_CHECK(must_be(node.children[1], body, Type::Kind::boolean, "the condition of a macro"));
      return Type::list(slots_[static_cast<std::size_t>(node.slot)]);
    }
    case Macro::transform_map:
      return Type::map(is_map                       ? range.arguments()[0]
                       : range.is(Type::Kind::list) ? Type(Type::Kind::int64)
                                                    : Type(),
                       body);
    case Macro::transform_map_entry: {
      const auto entry = Type::map(Type(), Type());
      if (!substitution_.assign(body, entry))
        return problem_at(ast_[node.children.back()].offset,
                          "found no matching overload: transformMapEntry() makes a map of each element");
      const auto made = substitution_.apply(body);
      return made.is(Type::Kind::map) ? made : entry;
    }
    default:
      SP_CHECK(must_be(node.children[1], body, Type::Kind::boolean, "the condition of a macro"));
      return Type(Type::Kind::boolean);
  }
}

}  // namespace

Outcome<Type> check_types(const Ast& ast, const Environment& environment) { return Checker(ast, environment).run(); }

}  // namespace sallyport::expr
