#pragma once

#include "shared/recipe/model.h"
#include "shared/recipe/yaml.h"

#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::recipe {

using yaml::Problem;
using yaml::Problems;

struct LoadOptions {
  std::string file = "recipe.yaml";  // how problems name the text
  yaml::Limits limits;
  // Names and kinds of the connections that exist, when the caller knows them: others are then refused
  // (unknown-connection, wrong-connection).
  const std::map<std::string, std::string, std::less<>>* connections = nullptr;
};

// Parses and validates a recipe as people write it. Either a recipe without a problem, or every problem found; those
// of streams (stream.h) come first and alone.
std::expected<Recipe, Problems> load_recipe(std::string_view yaml_text, const LoadOptions& options = {});

// The same from the stored form; positions are {0, 0}. Validates again: what is stored may be older than the rules.
std::expected<Recipe, Problems> recipe_from_canonical(std::string_view json, const LoadOptions& options = {});

// Of the stored form only what starting a job takes; every other member of the Recipe is empty: name, run_on,
// trigger.uses and mask, inputs, vars, concurrency, priority, and of `steps` id and on_failure. Compiles no expression
// but concurrency.key and, where the relay starts the jobs, trigger.dedupe: bounded by kMaxRelaysKey, where the whole
// recipe may take a second. Not for running a job.
std::expected<Recipe, Problems> outline_from_canonical(std::string_view json, const LoadOptions& options = {});

// RFC 8785 text of the recipe: what was written, and nothing else; durations in their shortest form, `if` and `foreach`
// without `${{ }}`. Versions are equal when these bytes are equal; they are what is stored, hashed and signed.
std::string to_canonical(const Recipe& recipe);
// The same as a value.
Value to_value(const Recipe& recipe);

struct Change {
  enum class Kind { added, removed, changed };
  std::string path;  // "steps[upsert].retry.max", "trigger.with.pattern"; steps are found by their id
  Kind kind = Kind::changed;
  Value before;  // null when added
  Value after;   // null when removed

  friend bool operator==(const Change&, const Change&) = default;
};
std::string_view to_string(Change::Kind kind);

// What differs between two versions. A step that moved among the others is a change of "steps[id].position" (from 1).
std::vector<Change> diff(const Recipe& before, const Recipe& after);

}  // namespace sallyport::recipe
