#pragma once

#include "relay/jobs/agent_link.h"
#include "shared/base/clock.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

namespace sallyport::jobs {

// An agent that is linked, and what it can take.
struct Linked {
  AgentLink* link;
  GroupId group;
  std::uint64_t number;  // of the link, never used again: an agent's next link is another one
  SteadyTime since;
  std::uint32_t slots = 0;   // Roster::set_slots()
  std::size_t claiming = 0;  // jobs that are being claimed for it and not posted yet
  SteadyTime resumes = {};   // after an answer "busy": no dispatch before this
  std::chrono::seconds pause{0};
  bool first_holding = true;
  std::uint64_t holding = 0;  // the newest that came: what is granted now rests on it

  bool has_credit(SteadyTime now) const { return slots > 0 && resumes <= now && claiming < link->room_for_jobs(); }
};

// Who is linked, by agent, and by group with those that have the most free slots first: asking it costs the same with
// ten thousand agents as with ten.
class Roster {
 public:
  void link_up(AgentLink& link, SteadyTime now);  // in the place of the agent's link before
  void link_down(AgentLink& link);                // unless another one has taken its place
  Linked* find(const AgentId& agent);
  Linked* find(const AgentLink& link);
  Linked* find(const AgentId& agent, std::uint64_t number);  // nullptr also when it is another link by now
  void set_slots(Linked& linked, std::uint32_t slots);

  // Of organisations that `may` be given work; empty: of all.
  using May = std::function<bool(const OrgId&)>;
  std::vector<GroupId> groups_with_credit(SteadyTime now, const May& may = {}) const;
  Linked* least_loaded(const GroupId& group, SteadyTime now) const;

 private:
  struct MoreSlots {
    bool operator()(const Linked* a, const Linked* b) const {
      return a->slots != b->slots ? a->slots > b->slots : a->number < b->number;
    }
  };
  using Group = std::set<Linked*, MoreSlots>;

  void leave_group(Linked& linked);
  static Linked* first_with_credit(const Group& group, SteadyTime now);

  std::map<AgentId, Linked> agents_;
  std::map<GroupId, Group> groups_;  // none is empty
  std::uint64_t links_seen_ = 0;
};

}  // namespace sallyport::jobs
