#include "shared/expr/macros.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::expr {
namespace {

struct Shape {
  std::string_view name;
  std::size_t arguments;  // behind the receiver
  std::size_t variables;
  Macro macro;
};

constexpr std::array kShapes = {
    Shape{"all", 2, 1, Macro::all},
    Shape{"exists", 2, 1, Macro::exists},
    Shape{"exists_one", 2, 1, Macro::exists_one},
    Shape{"existsOne", 2, 1, Macro::exists_one},
    Shape{"map", 2, 1, Macro::map},
    Shape{"map", 3, 1, Macro::map},
    Shape{"filter", 2, 1, Macro::filter},
    Shape{"all", 3, 2, Macro::all},
    Shape{"exists", 3, 2, Macro::exists},
    Shape{"exists_one", 3, 2, Macro::exists_one},
    Shape{"existsOne", 3, 2, Macro::exists_one},
    Shape{"transformList", 3, 2, Macro::transform_list},
    Shape{"transformList", 4, 2, Macro::transform_list},
    Shape{"transformMap", 3, 2, Macro::transform_map},
    Shape{"transformMap", 4, 2, Macro::transform_map},
    Shape{"transformMapEntry", 3, 2, Macro::transform_map_entry},
    Shape{"transformMapEntry", 4, 2, Macro::transform_map_entry},
};

struct Usage {
  std::string_view name;
  Node::Kind kind;
  std::string_view arguments;
  std::string_view forms;
};

constexpr auto kReceiver = Node::Kind::receiver_call;
constexpr std::array kUsages = {
    Usage{"all", kReceiver, "2 or 3 arguments", "x.all(name, condition) or x.all(key, name, condition)"},
    Usage{"exists", kReceiver, "2 or 3 arguments", "x.exists(name, condition) or x.exists(key, name, condition)"},
    Usage{"exists_one", kReceiver, "2 or 3 arguments",
          "x.exists_one(name, condition) or x.exists_one(key, name, condition)"},
    Usage{"existsOne", kReceiver, "2 or 3 arguments",
          "x.existsOne(name, condition) or x.existsOne(key, name, condition)"},
    Usage{"map", kReceiver, "2 or 3 arguments", "x.map(name, value) or x.map(name, condition, value)"},
    Usage{"filter", kReceiver, "2 arguments", "x.filter(name, condition)"},
    Usage{"transformList", kReceiver, "3 or 4 arguments",
          "x.transformList(key, name, value) or x.transformList(key, name, condition, value)"},
    Usage{"transformMap", kReceiver, "3 or 4 arguments",
          "x.transformMap(key, name, value) or x.transformMap(key, name, condition, value)"},
    Usage{"transformMapEntry", kReceiver, "3 or 4 arguments",
          "x.transformMapEntry(key, name, entry) or x.transformMapEntry(key, name, condition, entry)"},
    Usage{"bind", kReceiver, "3 arguments", "cel.bind(name, value, expression)"},
    Usage{"has", Node::Kind::call, "1 argument", "has(a.b)"},
};
constexpr std::array<std::string_view, 9> kNames = {
    "all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap", "transformMapEntry"};

bool is_simple_name(const Node& node) { return node.kind == Node::Kind::identifier && !node.absolute; }

Outcome<void> expand_has(Ast& ast, Node& call) {
  const auto& argument = ast[call.children[0]];
  if (argument.kind != Node::Kind::select) {
    return problem_at(argument.offset, "invalid argument to has(): it takes a field selection such as has(a.b)");
  }
  call.kind = Node::Kind::has;
  call.name = argument.name;
  call.children = {argument.children[0]};
  return {};
}

Outcome<void> expand_bind(Ast& ast, Node& call) {
  const auto& variable = ast[call.children[1]];
  if (!is_simple_name(variable))
    return problem_at(variable.offset, "the first argument of cel.bind() must be a simple name");
  call.kind = Node::Kind::bind;
  call.name = variable.name;
  call.children.erase(call.children.begin(), call.children.begin() + 2);
  return {};
}

Outcome<void> expand_comprehension(Ast& ast, Node& call, const Shape& shape) {
  for (std::size_t i = 1; i <= shape.variables; ++i) {
    const auto& variable = ast[call.children[i]];
    if (!is_simple_name(variable)) {
      return problem_at(variable.offset, fmt::format("argument {} of {}() must be a simple name", i, shape.name));
    }
  }
  call.kind = Node::Kind::comprehension;
  call.macro = shape.macro;
  call.name = ast[call.children[1]].name;
  if (shape.variables == 2) call.second_name = ast[call.children[2]].name;
  if (call.name == call.second_name)
    return problem_at(call.offset, "the two variables of a macro must have different names");
  call.children.erase(call.children.begin() + 1,
                      call.children.begin() + 1 + static_cast<std::ptrdiff_t>(shape.variables));
  return {};
}

}  // namespace

std::string misused_macro(const Ast& ast, const Node& call) {
  const auto usage = std::ranges::find(kUsages, call.name, &Usage::name);
  if (usage == kUsages.end()) return {};
  const bool is_bind = usage->name == "bind";
  if (is_bind && (call.kind != kReceiver || ast[call.children[0]].name != "cel")) return {};
  const auto name = is_bind ? "cel.bind" : usage->name;
  if (call.kind != usage->kind) return fmt::format("{}() is called as {}", name, usage->forms);
  return fmt::format("{}() takes {}: {}", name, usage->arguments, usage->forms);
}

std::span<const std::string_view> macro_names() { return kNames; }

Outcome<void> expand_macro(Ast& ast, Node& call) {
  if (call.kind == Node::Kind::call) {
    return call.name == "has" && call.children.size() == 1 ? expand_has(ast, call) : Outcome<void>();
  }
  const auto& receiver = ast[call.children[0]];
  if (call.name == "bind" && call.children.size() == 4 && is_simple_name(receiver) && receiver.name == "cel") {
    return expand_bind(ast, call);
  }
  const auto shape = std::ranges::find_if(kShapes, [&](const Shape& candidate) {
    return candidate.name == call.name && candidate.arguments + 1 == call.children.size();
  });
  return shape == kShapes.end() ? Outcome<void>() : expand_comprehension(ast, call, *shape);
}

}  // namespace sallyport::expr
