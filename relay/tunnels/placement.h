#pragma once

#include "relay/tunnels/agent_channels.h"

#include <map>
#include <optional>

namespace sallyport::tunnels {

// Where something may be carried: by one agent of a group, or by whichever of it is linked.
struct Carriers {
  OrgId org;
  GroupId group;
  std::optional<AgentId> agent = {};
};

// Gives each connection to the linked agent that carries the fewest. Lives on the relay's loop.
class Placement {
 public:
  explicit Placement(AgentChannels& agents) : agents_(agents) {}

  struct Opened {
    AgentId agent;
    link::Channel channel;
  };
  // Tries one agent after the other. unavailable: none is linked that carries tunnels. exhausted: those that are have
  // no room for another channel on their links.
  Result<Opened> open(const Carriers& by, std::string_view purpose);

  // One connection on an agent, while it lives.
  class Load {
   public:
    Load(Placement& placement, AgentId agent)
        : placement_(placement), at_(placement.carried_.try_emplace(std::move(agent), 0).first) {
      ++at_->second;
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load() {
      if (--at_->second == 0) placement_.carried_.erase(at_);
    }
    const AgentId& agent() const { return at_->first; }

   private:
    Placement& placement_;
    std::map<AgentId, std::size_t>::iterator at_;
  };
  std::size_t carried_by(const AgentId& agent) const;

 private:
  std::vector<AgentId> candidates(const Carriers& by) const;

  AgentChannels& agents_;
  std::map<AgentId, std::size_t> carried_;  // never 0
};

}  // namespace sallyport::tunnels
