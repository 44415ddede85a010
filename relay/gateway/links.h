#pragma once

#include "relay/jobs/agent_link.h"
#include "relay/jobs/agent_presence.h"
#include "relay/tunnels/agent_channels.h"
#include "shared/base/text.h"
#include "shared/link/link_end.h"

#include <map>
#include <vector>

namespace sallyport::gateway {

// One admitted link, as the table of links sees it.
class LiveLink {
 public:
  virtual ~LiveLink() = default;
  virtual const jobs::LinkedAgent& who() const = 0;
  virtual const Bytes& boot_id() const = 0;
  virtual std::string peer_address() const = 0;
  virtual WallTime since() const = 0;
  virtual void refuse(link::Refusal refusal) = 0;
  // A round trip through the agent's dispatch path ended lately, so somebody lives at the other end.
  virtual bool is_alive() const = 0;
  // It takes channels of tunnels now: both sides know them, and the link is not going away.
  virtual bool carries_tunnels() const = 0;
  virtual Result<link::Channel> open_channel(std::string_view purpose) = 0;
};

// Which agents are linked to this relay. One link an agent: a second process with the same identity is refused while
// the first one lives; the same process coming again takes the place of its broken link. Lives on the relay's loop.
class Links final : public jobs::AgentPresence, public tunnels::AgentChannels {
 public:
  // Nothing: the link is entered, and an older one of the same agent has been ended. Otherwise: what to refuse with.
  std::optional<link::Refusal> enter(LiveLink& link);
  void leave(LiveLink& link);  // entered or not

  std::optional<jobs::LinkState> link_of(const OrgId& org, const AgentId& agent) const override;
  void cut(const OrgId& org, const AgentId& agent, std::string code, std::string message) override;
  void relink(const OrgId& org, const AgentId& agent, std::string message) override;
  std::size_t count() const { return links_.size(); }

  std::vector<AgentId> linked(const OrgId& org, const GroupId& group) const override;
  bool is_linked(const OrgId& org, const AgentId& agent) const override;
  Result<link::Channel> open(const OrgId& org, const AgentId& agent, std::string_view purpose) override;

 private:
  LiveLink* find(const OrgId& org, const AgentId& agent) const;
  void refuse(const OrgId& org, const AgentId& agent, link::Refusal refusal);
  void forget(LiveLink& link);

  std::map<AgentId, LiveLink*> links_;
  std::map<GroupId, std::vector<LiveLink*>> groups_;  // of links_
};

}  // namespace sallyport::gateway
