#pragma once

#include "shared/expr/expr.h"

#include <cstdint>

namespace re2 {
class RE2;
}

namespace sallyport::expr {

struct Function;
using NodeId = std::uint32_t;

enum class Macro { all, exists, exists_one, map, filter, transform_list, transform_map, transform_map_entry };

// One node of the tree. Nodes live in Ast::nodes and name each other by index.
struct Node {
  enum class Kind {
    constant,       // value
    identifier,     // name; after name resolution either a slot or a declared variable
    select,         // children[0] . name
    has,            // has(children[0].name)
    call,           // name(children...); operators too ("+", "[]", "in", "-x")
    receiver_call,  // children[0].name(children[1]...)
    list,           // [children...]
    map,            // {children[0]: children[1], ...}
    record,         // name{fields[0]: children[0], ...}
    all_of,         // children[0] && children[1] && ...
    any_of,         // children[0] || children[1] || ...
    conditional,    // children[0] ? children[1] : children[2]
    comprehension,  // macro over children[0]; children[1..]: [filter,] body
    bind,           // cel.bind(name, children[0], children[1])
  };

  Kind kind = Kind::constant;
  std::uint32_t offset = 0;
  std::uint32_t depth = 1;
  std::string name;
  Value value;
  std::vector<NodeId> children;

  bool enclosed = false;            // in parentheses: no part of a qualified name
  bool absolute = false;            // identifier with a leading dot
  std::vector<std::string> fields;  // record
  Macro macro = Macro::all;         // comprehension
  std::string second_name;          // comprehension over two variables: `name` is index or key, this the element

  // Filled in by name resolution.
  int slot = -1;         // of the variable a comprehension or bind introduces, or an identifier means
  int second_slot = -1;  // of second_name
  const Function* function = nullptr;
  std::string unresolved;                   // why this cannot be evaluated (Checking::off only)
  std::shared_ptr<const re2::RE2> pattern;  // of matches() with a literal pattern
};

struct Ast {
  std::vector<Node> nodes;
  NodeId root = 0;
  int slots = 0;  // variables alive at the same time at most

  Node& operator[](NodeId id) { return nodes[id]; }
  const Node& operator[](NodeId id) const { return nodes[id]; }
};

struct Code {
  std::string source;
  Ast ast;
  Type result_type;
  std::vector<Reference> references;
};

inline std::unexpected<Problem> problem_at(std::size_t offset, std::string message) {
  return std::unexpected(Problem{.message = std::move(message), .offset = offset});
}
// `problem` with line and column worked out from its offset into `source`.
Problem located(Problem problem, std::string_view source);

}  // namespace sallyport::expr
