#pragma once

#include "shared/expr/patterns.h"
#include "shared/expr/template.h"
#include "shared/recipe/catalogue.h"
#include "shared/recipe/fields.h"
#include "shared/recipe/loader.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

// What the parts of the loader share while they read one recipe. Private to this folder.
namespace sallyport::recipe {

// The names an expression may start with; which ones exist depends on the place.
enum class Roots : unsigned {
  none = 0,
  trigger = 1,
  steps = 2,
  item = 4,
  inputs = 8,
  vars = 16,
  job = 32,
  recipe = 64,
  agent = 128,
  secrets = 256,
  error = 512,
};
constexpr Roots operator|(Roots a, Roots b) {
  return static_cast<Roots>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(Roots roots, Roots one) { return (static_cast<unsigned>(roots) & static_cast<unsigned>(one)) != 0; }

inline constexpr Roots kEventRoots = Roots::trigger | Roots::inputs | Roots::vars | Roots::recipe;
inline constexpr Roots kStepRoots = kEventRoots | Roots::steps | Roots::job | Roots::agent;

// A step as other steps' expressions see it.
struct StepNote {
  const ActionInfo* action = nullptr;  // null: a stop step, or not known
  bool repeated = false;               // has `foreach`
  bool ran = false;                    // stands before the one that is being read
};

class Reading {
 public:
  Reading(std::string_view source, const LoadOptions& options, yaml::Report& report);

  yaml::Report& report;
  const LoadOptions& options;
  std::map<std::string, StepNote, std::less<>> steps;
  std::map<std::string, Input, std::less<>> inputs;
  ValueMap vars;
  const TriggerInfo* trigger = nullptr;  // null: not read yet, or not known

  // Compile what stands in a node and check every name in it; report what is wrong and return nothing.
  std::optional<expr::Template> text(const yaml::Node& node, Roots allowed);
  std::optional<Expression> expression(const yaml::Node& node, std::string_view key, Roots allowed);

  // Reports `${{` in a text that has to be literal; true when it is.
  bool is_literal(const yaml::Node& node, std::string_view what);
  // A name of a recipe, group or connection: reports bad-name or literal-only.
  bool check_name(const yaml::Node& node, std::string_view what);

 private:
  // A reference in the text of a node. Where it stands is looked up only when there is something to report.
  struct Use {
    const expr::Reference& reference;
    const yaml::Node& node;
    std::size_t base;  // of the expression in the node's text
  };
  void check(const Use& use, Roots allowed);
  void check_members(const Use& use, Roots root);
  void check_trigger(const Use& use);
  void check_step(const Use& use);
  void check_output(const Use& use, const StepNote& step);
  void check_declared(const Use& use, std::span<const std::string_view> names);
  void problem(const Use& use, std::string_view rule, std::string message);
  yaml::Position locate(const yaml::Node& node, std::size_t offset) const;

  std::string_view source_;
  expr::CompileLimits limits() { return {.patterns = &patterns_}; }

  expr::Environment environment_;
  expr::Patterns patterns_;  // of the whole recipe
};

// Where the first expression of a text begins, escapes (`$${{`) left out; npos when there is none.
std::size_t find_expression(std::string_view text);

// The action that a step names, or nothing and unknown-action.
const ActionInfo* known_action(const yaml::Node& uses, yaml::Report& report);

// What an action or trigger asks of its `connection`, which stands among the reader's fields.
struct ConnectionNeed {
  std::string_view name;                    // of the action
  std::span<const std::string_view> kinds;  // empty: takes none
};
void check_connection(yaml::FieldReader& fields, ConnectionNeed need, Reading& reading);

// Which members a path of `mask` may begin with, each with its own members; without members it may have any.
struct MaskRoot {
  std::string_view name;
  std::vector<std::string_view> members = {};
};
// The field `mask`: true, false, or a list of paths.
Mask read_mask(yaml::FieldReader& fields, std::span<const MaskRoot> roots);

Trigger read_trigger(const yaml::Node& node, Reading& reading);
// The `with` of an action. `step` is where to point when it is missing altogether.
Argument read_with(const yaml::Node* with, const ActionInfo& action, Roots allowed, Reading& reading,
                   yaml::Position step);
// Enters the ids of a list of steps, before any of them is read, and checks them.
void note_steps(const yaml::Node* list, Reading& reading);
// `allowed`: the names besides the step's own item.
std::vector<Step> read_steps(const yaml::Node& node, Roots allowed, Reading& reading);

}  // namespace sallyport::recipe
