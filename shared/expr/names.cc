#include "shared/expr/names.h"

#include "shared/expr/functions.h"
#include "shared/expr/macros.h"
#include "shared/expr/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::expr {
namespace {

using Kind = Node::Kind;

constexpr std::array<std::string_view, 14> kTypeNames = {"bool",
                                                         "bytes",
                                                         "double",
                                                         "dyn",
                                                         "google.protobuf.Duration",
                                                         "google.protobuf.Timestamp",
                                                         "handle",
                                                         "int",
                                                         "list",
                                                         "map",
                                                         "null_type",
                                                         "string",
                                                         "type",
                                                         "uint"};

constexpr int kMaxHints = 8;  // of an unchecked expression, where one name does not end the search

struct Local {
  std::string name;
  int slot;
};

std::string joined(std::span<const std::string> names) { return fmt::format("{}", fmt::join(names, ".")); }

class Resolver {
 public:
  Resolver(Ast& ast, const Environment& environment, Checking checking, Patterns& patterns)
      : ast_(ast), environment_(environment), checking_(checking), patterns_(patterns) {}

  Outcome<void> visit(NodeId id);

 private:
  // Names from the inside out: the identifier, then the fields selected from it.
  struct Chain {
    std::vector<NodeId> nodes;
    std::vector<std::string> names;
  };

  std::optional<Chain> chain_of(NodeId id) const;
  Outcome<void> visit_children(NodeId id, std::size_t from = 0);
  Outcome<void> resolve_chain(NodeId id);
  bool resolve_prefix(const Chain& chain, std::size_t length);
  Outcome<void> resolve_call(NodeId id);
  void namespaced_call(Node& call);
  const Function* function_named(const Node& call) const;
  std::string unknown_function(const Node& call);
  Outcome<void> check_arity(Node& call);
  Outcome<void> take_pattern(Node& call);
  Outcome<void> resolve_record(Node& record);
  Outcome<void> introduce(NodeId id);
  Outcome<void> unresolved(Node& node, std::string message);
  const Local* local(std::string_view name) const;
  std::vector<std::string> candidates(std::string_view name, bool absolute) const;
  std::string undeclared(const Chain& chain);

  Ast& ast_;
  const Environment& environment_;
  Checking checking_;
  Patterns& patterns_;
  std::vector<Local> scope_;
  int hints_left_ = kMaxHints;
};

constexpr std::size_t kMaxShown = 64;

// As much of a name as a message needs.
std::string shown(std::string_view name) {
  if (name.size() <= kMaxShown) return std::string(name);
  auto end = kMaxShown;
  while ((static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return fmt::format("{}...", name.substr(0, end));
}

std::string hint(std::string_view word, std::span<const std::string_view> known) {
  const auto near = word.size() <= kMaxShown ? nearest(word, known) : std::nullopt;
  return near && *near != word ? fmt::format(" (did you mean '{}'?)", *near) : std::string();
}

Outcome<void> Resolver::unresolved(Node& node, std::string message) {
  if (checking_ == Checking::strict) return problem_at(node.offset, std::move(message));
  node.unresolved = std::move(message);
  return {};
}

const Local* Resolver::local(std::string_view name) const {
  const auto it = std::find_if(scope_.rbegin(), scope_.rend(), [&](const Local& local) { return local.name == name; });
  return it == scope_.rend() ? nullptr : &*it;
}

std::vector<std::string> Resolver::candidates(std::string_view name, bool absolute) const {
  std::vector<std::string> found;
  std::string_view scope = absolute ? std::string_view() : environment_.container();
  while (!scope.empty()) {
    found.push_back(fmt::format("{}.{}", scope, name));
    const auto dot = scope.rfind('.');
    scope = dot == std::string_view::npos ? std::string_view() : scope.substr(0, dot);
  }
  found.emplace_back(name);
  return found;
}

Outcome<void> Resolver::visit(NodeId id) {
  switch (ast_[id].kind) {
    case Kind::constant: return {};
    case Kind::identifier:
    case Kind::select: return resolve_chain(id);
    case Kind::call:
    case Kind::receiver_call: return resolve_call(id);
    case Kind::record: SP_CHECK(resolve_record(ast_[id])); return visit_children(id);
    case Kind::comprehension:
    case Kind::bind: return introduce(id);
    default: return visit_children(id);
  }
}

Outcome<void> Resolver::visit_children(NodeId id, std::size_t from) {
  for (std::size_t i = from; i < ast_[id].children.size(); ++i) SP_CHECK(visit(ast_[id].children[i]));
  return {};
}

Outcome<void> Resolver::introduce(NodeId id) {
  auto& node = ast_[id];
  SP_CHECK(visit(node.children[0]));
  const auto before = scope_.size();
  node.slot = static_cast<int>(before);
  scope_.push_back({node.name, node.slot});
  if (!node.second_name.empty()) {
    node.second_slot = node.slot + 1;
    scope_.push_back({node.second_name, node.second_slot});
  }
  ast_.slots = std::max(ast_.slots, static_cast<int>(scope_.size()));
  SP_CHECK(visit_children(id, 1));
  scope_.resize(before);
  return {};
}

std::optional<Resolver::Chain> Resolver::chain_of(NodeId id) const {
  Chain chain{.nodes = {id}, .names = {}};
  while (ast_[id].kind == Kind::select) {
    id = ast_[id].children[0];
    if (ast_[id].enclosed) return std::nullopt;
    chain.nodes.push_back(id);
  }
  if (ast_[id].kind != Kind::identifier) return std::nullopt;
  std::ranges::reverse(chain.nodes);
  for (auto node : chain.nodes) chain.names.push_back(ast_[node].name);
  return chain;
}

Outcome<void> Resolver::resolve_chain(NodeId id) {
  const auto chain = chain_of(id);
  if (!chain) return visit(ast_[id].children[0]);
  auto& root = ast_[chain->nodes[0]];
  if (const auto* variable = root.absolute ? nullptr : local(root.name)) {
    root.slot = variable->slot;
    return {};
  }
  for (auto length = chain->names.size(); length > 0; --length) {
    if (resolve_prefix(*chain, length)) return {};
  }
  return unresolved(root, undeclared(*chain));
}

bool Resolver::resolve_prefix(const Chain& chain, std::size_t length) {
  const bool absolute = ast_[chain.nodes[0]].absolute;
  const auto offset = ast_[chain.nodes[0]].offset;
  for (const auto& name : candidates(joined(std::span(chain.names).first(length)), absolute)) {
    auto& node = ast_[chain.nodes[length - 1]];
    const bool is_type = std::ranges::find(kTypeNames, name) != kTypeNames.end();
    if (!environment_.variables().contains(name) && !is_type) continue;
    node.children.clear();
    node.offset = offset;
    if (environment_.variables().contains(name)) {
      node.kind = Kind::identifier;
      node.name = name;
    } else {
      node.kind = Kind::constant;
      node.value = Value(TypeName{name});
    }
    return true;
  }
  return false;
}

std::string Resolver::undeclared(const Chain& chain) {
  if (hints_left_ == 0) return fmt::format("undeclared reference to '{}'", shown(chain.names[0]));
  --hints_left_;
  std::vector<std::string_view> known;
  for (const auto& [name, type] : environment_.variables()) known.push_back(name);
  for (const auto& variable : scope_) known.push_back(variable.name);
  const bool is_namespace =
      std::ranges::any_of(known, [&](auto name) { return name.starts_with(chain.names[0] + "."); });
  const auto name = is_namespace ? joined(chain.names) : chain.names[0];
  return fmt::format("undeclared reference to '{}'{}", shown(name), hint(name, known));
}

// `math.abs(x)` is a call of math.abs, not of abs on a variable math.
void Resolver::namespaced_call(Node& call) {
  const auto chain = chain_of(call.children[0]);
  if (!chain) return;
  const auto& root = ast_[chain->nodes[0]];
  if (!root.absolute && local(root.name) != nullptr) return;
  for (auto& name : candidates(joined(chain->names) + "." + call.name, root.absolute)) {
    if (find_function(name, Style::global) == nullptr) continue;
    call.kind = Kind::call;
    call.name = std::move(name);
    call.children.erase(call.children.begin());
    return;
  }
}

const Function* Resolver::function_named(const Node& call) const {
  if (call.kind == Kind::receiver_call) return find_function(call.name, Style::receiver);
  for (const auto& name : candidates(call.name, call.absolute)) {
    if (const auto* found = find_function(name, Style::global)) return found;
  }
  return nullptr;
}

Outcome<void> Resolver::resolve_call(NodeId id) {
  if (ast_[id].kind == Kind::receiver_call) namespaced_call(ast_[id]);
  ast_[id].function = function_named(ast_[id]);
  if (ast_[id].function == nullptr) SP_CHECK(unresolved(ast_[id], unknown_function(ast_[id])));
  SP_CHECK(visit_children(id));
  return ast_[id].function == nullptr ? Outcome<void>() : check_arity(ast_[id]);
}

std::string Resolver::unknown_function(const Node& call) {
  const auto other = call.kind == Kind::call ? Style::receiver : Style::global;
  if (find_function(call.name, other) != nullptr) {
    const auto usage = other == Style::receiver ? fmt::format("x.{}()", call.name) : fmt::format("{}(x)", call.name);
    return fmt::format("no matching overload: no such overload of '{}'; it is called as {}", call.name, usage);
  }
  if (auto misused = misused_macro(ast_, call); !misused.empty()) return "no matching overload: " + misused;
  if (hints_left_ == 0) return fmt::format("undeclared reference to function '{}'", shown(call.name));
  --hints_left_;
  const auto chain = call.kind == Kind::receiver_call ? chain_of(call.children[0]) : std::nullopt;
  const bool is_namespace = chain && std::ranges::any_of(function_names(Style::global), [&](auto name) {
                              return name.starts_with(chain->names[0] + ".");
                            });
  const auto name = is_namespace ? joined(chain->names) + "." + call.name : call.name;
  const bool is_global = call.kind == Kind::call || is_namespace;
  auto known = function_names(is_global ? Style::global : Style::receiver);
  if (!is_global) known.insert(known.end(), macro_names().begin(), macro_names().end());
  return fmt::format("undeclared reference to function '{}'{}", shown(name), hint(name, known));
}

Outcome<void> Resolver::check_arity(Node& call) {
  const auto overloads = overloads_of(*call.function);
  if (std::ranges::none_of(overloads, [&](const Overload& overload) { return overload.takes(call.children.size()); })) {
    call.function = nullptr;
    const auto count = call.children.size() - (call.kind == Kind::receiver_call ? 1 : 0);
    return unresolved(call, fmt::format("no matching overload: no such overload of '{}' with {} argument{}", call.name,
                                        count, count == 1 ? "" : "s"));
  }
  return call.name == "matches" ? take_pattern(call) : Outcome<void>();
}

Outcome<void> Resolver::take_pattern(Node& call) {
  auto& pattern = ast_[call.children[1]];
  if (pattern.kind != Kind::constant || !pattern.value.is(Value::Kind::string)) return {};
  auto compiled = patterns_.compile(pattern.value.as_string());
  if (!compiled) return unresolved(pattern, std::move(compiled).error());
  call.pattern = *std::move(compiled);
  return {};
}

Outcome<void> Resolver::resolve_record(Node& record) {
  const bool absolute = record.name.starts_with('.');
  const auto written = record.name.substr(absolute ? 1 : 0);
  for (auto& name : candidates(written, absolute)) {
    if (!is_record(name)) continue;
    record.name = std::move(name);
    for (const auto& field : record.fields) {
      if (!has_field(record.name, field))
        return unresolved(record, fmt::format("no_such_field: no such field '{}' in {}", shown(field), record.name));
    }
    return {};
  }
  return unresolved(record, fmt::format("unknown type '{}'; messages are not supported, use a map", shown(written)));
}

class ReferenceCollector {
 public:
  explicit ReferenceCollector(const Ast& ast) : ast_(ast) {}

  std::vector<Reference> run() {
    visit(ast_.root);
    std::ranges::sort(found_, {}, &Reference::offset);
    return std::move(found_);
  }

 private:
  void visit(NodeId id) {
    if (follow(id)) return;
    for (auto child : ast_[id].children) visit(child);
  }
  // The literal step from children[0] that this node makes, if it makes one.
  const std::string* step(const Node& node) const {
    if (node.kind == Kind::select || node.kind == Kind::has) return &node.name;
    if (node.kind != Kind::call || node.name != "[]") return nullptr;
    const auto& key = ast_[node.children[1]];
    return key.kind == Kind::constant && key.value.is(Value::Kind::string) ? &key.value.as_string() : nullptr;
  }
  bool follow(NodeId id) {
    std::vector<std::string> path;
    for (const std::string* name = step(ast_[id]); name != nullptr; name = step(ast_[id])) {
      path.push_back(*name);
      id = ast_[id].children[0];
    }
    const auto& root = ast_[id];
    if (root.kind != Kind::identifier || root.slot >= 0 || !root.unresolved.empty()) {
      if (path.empty()) return false;
      visit(id);
      return true;
    }
    path.push_back(root.name);
    std::ranges::reverse(path);
    found_.push_back(Reference{std::move(path), root.offset});
    return true;
  }

  const Ast& ast_;
  std::vector<Reference> found_;
};

}  // namespace

Outcome<void> resolve_names(Ast& ast, const Environment& environment, Checking checking, Patterns& patterns) {
  return Resolver(ast, environment, checking, patterns).visit(ast.root);
}

std::vector<Reference> references_in(const Ast& ast) { return ReferenceCollector(ast).run(); }

}  // namespace sallyport::expr
