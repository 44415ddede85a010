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
  std::optional<TunnelId> tunnel = {};  // whose connection it is; none: a question
};

// Gives each connection to the linked agent that carries the fewest. A tunnel may have seven times as many on an agent
// as that has places left: one alone fills seven eighths of them, and who comes new always finds one. Lives on the
// relay's loop.
class Placement {
  using OfTunnels = std::map<TunnelId, std::size_t>;  // never 0
  struct OfAgent {
    std::size_t all = 0;
    OfTunnels of_tunnel;
  };
  using Carried = std::map<AgentId, OfAgent>;

 public:
  explicit Placement(AgentChannels& agents) : agents_(agents) {}

  struct Opened {
    AgentId agent;
    link::Channel channel;
  };
  // Tries one agent after the other. unavailable: none is linked that carries tunnels. exhausted: those that are have
  // no room for another channel on their links, or none for this tunnel.
  Result<Opened> open(const Carriers& by, std::string_view purpose);

  // One connection on an agent, while it lives.
  class Load {
   public:
    Load(Placement& placement, AgentId agent, const TunnelId& of)
        : placement_(placement),
          at_(placement.carried_.try_emplace(std::move(agent)).first),
          of_(at_->second.of_tunnel.try_emplace(of).first) {
      ++at_->second.all;
      ++of_->second;
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load() {
      if (--of_->second == 0) at_->second.of_tunnel.erase(of_);
      if (--at_->second.all == 0) placement_.carried_.erase(at_);
    }
    const AgentId& agent() const { return at_->first; }

   private:
    Placement& placement_;
    Carried::iterator at_;
    OfTunnels::iterator of_;
  };
  std::size_t carried_by(const AgentId& agent) const;
  std::size_t carried_by(const AgentId& agent, const TunnelId& of) const;

 private:
  std::vector<AgentId> candidates(const Carriers& by) const;
  std::optional<Error> refusal_of(const Carriers& by, const AgentId& agent) const;

  AgentChannels& agents_;
  Carried carried_;
};

}  // namespace sallyport::tunnels
