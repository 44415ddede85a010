#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <optional>

namespace sallyport::store {

// The agent that watches a recipe's local trigger (assignments.h).
struct TriggerHolder {
  AgentId agent;
  std::string name;
};

struct Recipe {
  RecipeId id;
  OrgId org;
  std::string name;  // unique in the organisation among those that are not removed
  std::uint32_t latest_version = 0;
  std::optional<std::uint32_t> active_version;
  WallTime created_at;
  std::optional<WallTime> removed_at;  // it runs no more; it and its versions stay readable by id, for the history
  // The agent that watches its local trigger; nothing: it has none, or nobody watches it yet. Read only.
  std::optional<TriggerHolder> watched_by = {};
};

struct RecipeVersionSummary {
  OrgId org;
  RecipeId recipe;
  std::uint32_t version = 0;  // from 1, by one; never used again
  std::string run_on;         // name of the agent group
  std::string trigger;        // what starts it: "manual", "schedule", "file.watch"
  Bytes sha256;               // of canonical_json, 32 bytes
  UserId created_by;
  WallTime created_at;
};

// Immutable once stored.
struct RecipeVersion : RecipeVersionSummary {
  std::string source_yaml;
  std::string canonical_json;
};

struct NewRecipeVersion {
  RecipeId id_if_new;  // used when no recipe has this name yet
  std::string name;
  std::string run_on;
  std::string trigger;
  std::string source_yaml;
  std::string canonical_json;
  Bytes sha256;
  UserId created_by;
  WallTime created_at;
};

enum class ApplyOutcome { recipe_created, version_added, unchanged };

struct AppliedRecipe {
  Recipe recipe;
  std::uint32_t version = 0;
  ApplyOutcome outcome = ApplyOutcome::unchanged;
};

// Which versions a recipe has and runs.
struct RecipeState {
  std::uint32_t latest_version = 0;
  std::optional<std::uint32_t> active_version;

  friend bool operator==(const RecipeState&, const RecipeState&) = default;
};
inline RecipeState state_of(const Recipe& recipe) { return {recipe.latest_version, recipe.active_version}; }

// Compare-and-set of the active version, or of all the state when one is expected; nothing = the recipe is inactive.
struct Activation {
  std::optional<std::uint32_t> expected;
  std::optional<std::uint32_t> wanted;
  std::optional<RecipeState> only_if = {};
};

// Compare-and-set, when a state is expected.
struct RecipeRemoval {
  WallTime at;
  std::optional<RecipeState> only_if = {};
};

enum class Removed { left_out, included };

struct RecipeFilter {
  std::optional<std::string> name;
  Removed removed = Removed::left_out;
};

class Recipes {
 public:
  virtual ~Recipes() = default;
  // Adds the next version, and the recipe if its name is new: a removed recipe's name is, and begins again at version 1
  // under another id. When the latest version has the same SHA-256 nothing is
  // added. Never activates.
  virtual awaitable<Result<AppliedRecipe>> apply(OrgId org, NewRecipeVersion version,
                                                 AuditNote<AppliedRecipe> note = {}) = 0;
  virtual awaitable<Result<Recipe>> find(OrgId org, RecipeId id) = 0;                                // removed ones too
  virtual awaitable<Result<Recipe>> find_by_name(OrgId org, std::string name) = 0;                   // not removed
  virtual awaitable<Result<Page<Recipe>>> list(OrgId org, RecipeFilter filter, PageQuery page) = 0;  // oldest first
  virtual awaitable<Result<RecipeVersion>> version(OrgId org, RecipeId id, std::uint32_t version) = 0;
  virtual awaitable<Result<Page<RecipeVersionSummary>>> versions(OrgId org, RecipeId id,
                                                                 PageQuery page) = 0;  // newest first
  // conflict: another version is active, or the state another, than the caller expected, or the recipe is removed.
  // not_found: no such version.
  virtual awaitable<Result<Recipe>> activate(OrgId org, RecipeId id, Activation change,
                                             AuditNote<Recipe> note = {}) = 0;
  // Takes it out of use, its trigger away from the agent that watches it, and its webhooks with it. not_found: it is
  // removed already. conflict: a version is active, or jobs of it have not ended, the message says which; or it is not
  // in the state that the caller expected.
  virtual awaitable<Result<Recipe>> remove(OrgId org, RecipeId id, RecipeRemoval removal,
                                           AuditNote<Recipe> note = {}) = 0;
  // The active version of every active recipe: what triggers and assignments are made from. Oldest recipe first.
  virtual awaitable<Result<Page<RecipeVersionSummary>>> active(OrgId org, PageQuery page) = 0;
};

}  // namespace sallyport::store
