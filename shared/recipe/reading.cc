#include "shared/recipe/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace sallyport::recipe {
namespace {

struct Root {
  std::string_view name;
  Roots flag;
  std::string_view where;  // it exists
};
constexpr std::array kRoots{
    Root{"trigger", Roots::trigger, "everywhere"},
    Root{"steps", Roots::steps, "in steps"},
    Root{"item", Roots::item, "in `with` of a step that has `foreach`"},
    Root{"inputs", Roots::inputs, "everywhere"},
    Root{"vars", Roots::vars, "everywhere"},
    Root{"job", Roots::job, "in steps"},
    Root{"recipe", Roots::recipe, "everywhere"},
    Root{"agent", Roots::agent, "in steps"},
    Root{"secrets", Roots::secrets, "in fields that accept a secret"},
    Root{"error", Roots::error, "in the steps of `on_failure`"},
};

constexpr std::array<std::string_view, 3> kStepMembers{"output", "status", "error"};
constexpr std::array<std::string_view, 3> kErrorMembers{"step", "class", "message"};
constexpr std::array<std::string_view, 2> kStepErrorMembers{"class", "message"};
constexpr std::array<std::string_view, 3> kJobMembers{"id", "run_number", "started_at"};
constexpr std::array<std::string_view, 2> kAgentMembers{"name", "group"};
constexpr std::array<std::string_view, 2> kRecipeMembers{"name", "version"};
constexpr std::array<std::string_view, 8> kFileMembers{"path",   "name",       "size",     "mtime",
                                                       "sha256", "connection", "mtime_ns", "identity"};
constexpr std::array<std::string_view, 3> kForeachOutput{"count", "failed", "results"};

struct Inner {
  std::string_view text;
  std::size_t offset;
};

// The expression inside one whole `${{ }}`.
Inner unwrap(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n", text.find("${{") + 3);
  const auto end = text.find_last_not_of(" \t\r\n", text.rfind("}}") - 1);
  return {text.substr(begin, end + 1 - begin), begin};
}

bool can_be(const expr::Type& type, std::initializer_list<expr::Type::Kind> kinds) {
  return type.is(expr::Type::Kind::dyn) || std::ranges::find(kinds, type.kind()) != kinds.end();
}

bool fits_key(std::string_view key, const expr::Type& type) {
  using Kind = expr::Type::Kind;
  if (key == "if") return can_be(type, {Kind::boolean});
  return can_be(type, {Kind::list, Kind::map, Kind::handle});
}

template <class Map>
std::vector<std::string_view> keys_of(const Map& map) {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : map) {
    if constexpr (std::is_same_v<std::decay_t<decltype(key)>, Value>) {
      keys.push_back(key.as_string());
    } else {
      keys.push_back(key);
    }
  }
  return keys;
}

}  // namespace

std::size_t find_expression(std::string_view text) {
  for (auto at = text.find("${{"); at != std::string_view::npos; at = text.find("${{", at + 1)) {
    if (at == 0 || text[at - 1] != '$') return at;
  }
  return std::string_view::npos;
}

Reading::Reading(std::string_view source, const LoadOptions& load_options, yaml::Report& into)
    : report(into), options(load_options), source_(source) {
  for (const auto& root : kRoots) environment_.declare(std::string(root.name));
}

yaml::Position Reading::locate(const yaml::Node& node, std::size_t offset) const {
  return report.full() ? node.at : yaml::locate(source_, node, offset);  // finding it reads the text up to there
}

std::optional<expr::Template> Reading::text(const yaml::Node& node, Roots allowed) {
  if (report.full()) return std::nullopt;
  auto made = expr::Template::parse(node.text, environment_, expr::Checking::strict, limits());
  if (!made) {
    report.add(locate(node, made.error().offset), "bad-expression", made.error().message);
    return std::nullopt;
  }
  for (const auto& reference : made->references()) check({reference, node, 0}, allowed);
  return *std::move(made);
}

std::optional<Expression> Reading::expression(const yaml::Node& node, std::string_view key, Roots allowed) {
  if (report.full()) return std::nullopt;
  const bool literal = node.is_scalar() && node.value.is(Value::Kind::boolean);
  if (!node.is_text() && !literal) {
    report.add(node.at, "wrong-type", fmt::format("`{}` must be an expression, not {}", key, yaml::describe(node)));
    return std::nullopt;
  }
  Inner inner{node.text, 0};
  if (find_expression(node.text) != std::string_view::npos) {
    const auto whole = expr::Template::parse(node.text, environment_, expr::Checking::strict, limits());
    if (!whole || !whole->is_whole()) {
      const auto offset = whole ? 0 : whole.error().offset;
      report.add(locate(node, offset), "bad-expression",
                 whole ? fmt::format("`{}` takes one expression and nothing around it", key) : whole.error().message);
      return std::nullopt;
    }
    inner = unwrap(node.text);
  }
  auto program = expr::compile(inner.text, environment_, expr::Checking::strict, limits());
  if (!program) {
    report.add(locate(node, inner.offset + program.error().offset), "bad-expression", program.error().message);
    return std::nullopt;
  }
  for (const auto& reference : program->references()) check({reference, node, inner.offset}, allowed);
  if (fits_key(key, program->result_type())) return Expression{*std::move(program)};
  report.add(node.at, "wrong-type",
             fmt::format("`{}` must give {}, not {}", key, key == "if" ? "true or false" : "a list or rows",
                         program->result_type().text()));
  return std::nullopt;
}

bool Reading::is_literal(const yaml::Node& node, std::string_view what) {
  const auto at = node.is_text() ? find_expression(node.text) : std::string_view::npos;
  if (at == std::string_view::npos) return true;
  report.add(locate(node, at), "literal-only", fmt::format("`{}` must be literal: no `${{{{ }}}}` here", what));
  return false;
}

bool Reading::check_name(const yaml::Node& node, std::string_view what) {
  if (!is_literal(node, what)) return false;
  if (is_name(node.text)) return true;
  report.add(node.at, "bad-name",
             fmt::format("`{}` must be 1 to 63 of a-z, 0-9 and `-`, beginning with a letter", what));
  return false;
}

void Reading::problem(const Use& use, std::string_view rule, std::string message) {
  report.add(locate(use.node, use.base + use.reference.offset), rule, std::move(message));
}

void Reading::check(const Use& use, Roots allowed) {
  const auto& path = use.reference.path;
  const auto root = std::ranges::find(kRoots, path.front(), &Root::name);
  if (root == kRoots.end() || report.full()) return;
  if (!has(allowed, root->flag)) {
    const auto rule = root->flag == Roots::secrets ? "secret-sink" : "unknown-name";
    return problem(use, rule, fmt::format("`{}` can be used only {}", root->name, root->where));
  }
  if (root->flag == Roots::steps) return check_step(use);
  if (root->flag == Roots::secrets && path.size() < 2)
    return problem(use, "unknown-name", "name the secret: `secrets.<name>`");
  if (path.size() >= 2) check_members(use, root->flag);
}

void Reading::check_members(const Use& use, Roots root) {
  const auto& name = use.reference.path[1];
  switch (root) {
    case Roots::trigger: return check_trigger(use);
    case Roots::job: return check_declared(use, kJobMembers);
    case Roots::agent: return check_declared(use, kAgentMembers);
    case Roots::recipe: return check_declared(use, kRecipeMembers);
    case Roots::error: return check_declared(use, kErrorMembers);
    case Roots::inputs: return inputs.contains(name) ? void() : check_declared(use, keys_of(inputs));
    case Roots::vars: return vars.contains(Value(name)) ? void() : check_declared(use, keys_of(vars));
    default: return;
  }
}

// A start by hand gives `kind` and `inputs` to a recipe with any trigger.
void Reading::check_trigger(const Use& use) {
  if (trigger == nullptr) return;
  const auto& path = use.reference.path;
  std::vector<std::string_view> names{"kind", "inputs"};
  for (const auto& data : trigger->data) names.push_back(data.name);
  const auto data = std::ranges::find(trigger->data, path[1], &OutputField::name);
  if (data == trigger->data.end()) return check_declared(use, names);
  const bool known = !has(data->types, Types::body) || path.size() < 3 ||
                     std::ranges::find(kFileMembers, path[2]) != kFileMembers.end();
  if (known) return;
  problem(
      use, "unknown-name",
      fmt::format("`trigger.{}` has no {}{}", path[1], yaml::quoted(path[2]), yaml::suggestion(path[2], kFileMembers)));
}

void Reading::check_declared(const Use& use, std::span<const std::string_view> names) {
  const auto& path = use.reference.path;
  if (std::ranges::find(names, path[1]) != names.end()) return;
  problem(use, "unknown-name",
          fmt::format("`{}` has no {}{}", path[0], yaml::quoted(path[1]), yaml::suggestion(path[1], names)));
}

void Reading::check_step(const Use& use) {
  constexpr std::string_view kRule = "unknown-step-reference";
  const auto& path = use.reference.path;
  if (path.size() < 2) return problem(use, kRule, "name the step: `steps.<id>.output`");
  const auto found = steps.find(path[1]);
  if (found == steps.end()) {
    return problem(
        use, kRule,
        fmt::format("there is no step {}{}", yaml::quoted(path[1]), yaml::suggestion(path[1], keys_of(steps))));
  }
  if (!found->second.ran) {
    return problem(use, kRule, fmt::format("step `{}` has not run yet at this place", path[1]));
  }
  if (path.size() < 3) return;
  if (std::ranges::find(kStepMembers, path[2]) == kStepMembers.end()) {
    return problem(use, "unknown-name",
                   fmt::format("a step has output, status and error, but no {}{}", yaml::quoted(path[2]),
                               yaml::suggestion(path[2], kStepMembers)));
  }
  if (path[2] == "output") return check_output(use, found->second);
  if (path[2] != "error" || path.size() < 4) return;
  if (std::ranges::find(kStepErrorMembers, path[3]) != kStepErrorMembers.end()) return;
  problem(use, "unknown-name",
          fmt::format("the error of a step has class and message, but no {}{}", yaml::quoted(path[3]),
                      yaml::suggestion(path[3], kStepErrorMembers)));
}

void Reading::check_output(const Use& use, const StepNote& step) {
  const auto& path = use.reference.path;
  if (path.size() < 4 || step.action == nullptr) return;
  std::vector<std::string_view> names;
  for (const auto& output : step.action->output) names.push_back(output.name);
  if (step.repeated) names.assign(kForeachOutput.begin(), kForeachOutput.end());
  if (std::ranges::find(names, path[3]) != names.end()) return;
  problem(use, "unknown-name",
          fmt::format("the output of step `{}` has no {}{}", path[1], yaml::quoted(path[3]),
                      yaml::suggestion(path[3], names)));
}

}  // namespace sallyport::recipe
