#pragma once

#include "relay/store/page.h"
#include "shared/base/ids.h"

#include <cstdint>
#include <optional>

namespace sallyport::store {

// This agent, and no other, watches the local trigger of this recipe version.
struct Assignment {
  OrgId org;
  RecipeId recipe;
  std::uint32_t version = 0;
  AgentId agent;
};

struct AgentAssignments {
  std::uint64_t revision = 0;  // grows with every change of the agent's set; 0 = it never had one
  std::vector<Assignment> assignments;
};

class Assignments {
 public:
  virtual ~Assignments() = default;
  virtual awaitable<Result<AgentAssignments>> of_agent(OrgId org, AgentId agent) = 0;
  virtual awaitable<Result<Assignment>> find(OrgId org, RecipeId recipe) = 0;  // not_found: nobody watches
  // Now or ever before: what the agent did while it watched may be reported long after it was taken away.
  virtual awaitable<Result<bool>> has_watched(OrgId org, RecipeId recipe, AgentId agent) = 0;
  virtual awaitable<Result<Page<Assignment>>> list(OrgId org, PageQuery page) = 0;
  // Compare-and-set on the agent that watches now (nothing = nobody). Raises the revision of both agents concerned;
  // the same agent and version again: no change. conflict: somebody else watches. not_found: no such agent or version.
  virtual awaitable<Result<void>> assign(OrgId org, std::optional<AgentId> expected, Assignment next) = 0;
  virtual awaitable<Result<void>> withdraw(OrgId org, RecipeId recipe) = 0;  // nobody watched: no change
};

}  // namespace sallyport::store
