#pragma once

#include "relay/jobs/agent_link.h"
#include "relay/jobs/parcel.h"
#include "relay/store/agents.h"
#include "relay/store/assignments.h"
#include "relay/store/groups.h"
#include "relay/store/organisations.h"
#include "relay/store/recipes.h"
#include "relay/store/retentions.h"
#include "shared/async/event.h"
#include "shared/base/log.h"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace sallyport::jobs {

// Decides which agent watches the local trigger of each active recipe, and tells the linked ones. An assignment is
// sticky: it moves when its agent is revoked or no longer of the recipe's group, never because the agent is offline
// (docs/decisions/0004). Lives on one loop.
class Assigner {
 public:
  struct Parts {
    store::Organisations& organisations;
    store::Recipes& recipes;
    store::Groups& groups;
    store::Agents& agents;
    store::Assignments& assignments;
    ParcelMaker& parcels;
    store::Retentions& retentions;
    const Log& log;
  };

  Assigner(boost::asio::any_io_executor executor, Parts parts)
      : executor_(std::move(executor)), parts_(parts), work_(executor_) {}

  // Something changed in the organisation: a recipe was (de)activated, an agent moved or revoked. That one enrolled is
  // noticed when it links. `changed`: whose set this changed already.
  void reconsider(const OrgId& org, const std::optional<AgentId>& changed = {});
  // The sets of all of the organisation's agents changed already.
  void tell_all(const OrgId& org);
  store::awaitable<void> run();  // until cancelled; begins with every organisation

  void link_up(AgentLink& link);
  void link_down(AgentLink& link);
  // The agent says which set it has; it gets the current one if that is another. Before it has said so once, nothing is
  // sent (docs/protocol.md P13.2); afterwards every change is.
  store::awaitable<void> sync(AgentLink& link, std::uint64_t known_revision);

 private:
  store::awaitable<Result<void>> enlist_all();
  store::awaitable<Result<void>> assign_all(OrgId org);
  store::awaitable<Result<void>> assign(OrgId org, const store::RecipeVersionSummary& version);
  store::awaitable<Result<void>> withdraw_inactive(OrgId org, const std::set<RecipeId>& active);
  store::awaitable<Result<void>> hand_to_another(OrgId org, const store::RecipeVersionSummary& version,
                                                 std::optional<store::Assignment> current);
  store::awaitable<Result<std::optional<AgentId>>> choose(OrgId org, std::optional<GroupId> group);
  bool is_waited_for(const OrgId& org, const GroupId& group) const;
  store::awaitable<void> tell_owed();
  store::awaitable<void> tell(AgentId agent);
  store::awaitable<Result<AssignmentSet>> set_of(LinkedAgent agent, std::uint64_t known);

  struct Linked {
    AgentLink* link;
    std::optional<std::uint64_t> revision;  // of the set it has, or is being sent; nothing before its first word
  };

  boost::asio::any_io_executor executor_;
  Parts parts_;
  Event work_;
  std::set<OrgId> dirty_;
  std::map<AgentId, Linked> links_;
  std::set<AgentId> owed_;   // whose set changed, or may have: it is read, and the agent told, between organisations
  std::set<AgentId> later_;  // those that could not be told for now
  // Recipes of these groups have no agent; no group: it is not there yet. Who links finds here what it may bring.
  std::set<std::pair<OrgId, std::optional<GroupId>>> waiting_;
  std::optional<OrgId> deciding_;
  std::set<GroupId> arrived_;  // groups of agents that linked since that began
};

}  // namespace sallyport::jobs
