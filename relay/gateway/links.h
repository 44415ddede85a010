#pragma once

#include "relay/authorizations/agent_lines.h"
#include "relay/gateway/jobs_seat.h"
#include "relay/jobs/agent_link.h"
#include "relay/jobs/agent_presence.h"
#include "relay/tunnels/agent_channels.h"
#include "shared/base/text.h"
#include "shared/link/link_end.h"

#include <functional>
#include <map>
#include <vector>

namespace sallyport::gateway {

inline constexpr std::string_view kAuthorizations = "authorizations";         // a capability (docs/protocol.md P18)
inline constexpr std::string_view kAuthorizationPurpose = "authorization/1";  // of a channel that the relay opens

// One admitted link, as the table of links sees it.
class LiveLink {
 public:
  virtual ~LiveLink() = default;
  virtual const jobs::LinkedAgent& who() const = 0;
  virtual const Bytes& boot_id() const = 0;
  virtual std::uint32_t number() const = 0;  // which of its process's links it is
  virtual jobs::LinkFacts facts() const = 0;
  virtual void refuse(link::Refusal refusal) = 0;
  // A round trip through the agent's dispatch path ended lately, so somebody lives at the other end.
  virtual bool is_alive() const = 0;
  // It takes channels of tunnels now: both sides know them, and the link is not going away.
  virtual bool carries_tunnels() const = 0;
  // The agent takes system keys on it.
  virtual bool carries_system_keys() const { return false; }
  // The agent takes authorizations on it.
  virtual bool carries_authorizations() const { return false; }
  virtual Result<link::Channel> open_channel(std::string_view purpose) = 0;
};

// Which agents are linked to this relay, and by which links. Those of one agent are of one process: a second process
// with the same identity is refused while the first one lives. A link takes the place of the one with the same number.
// Lives on the relay's loop.
class Links final : public jobs::AgentPresence, public tunnels::AgentChannels, public authorizations::AgentLines {
 public:
  // Nothing: the link is entered, and those whose place it took have been ended. Otherwise: what to refuse with.
  std::optional<link::Refusal> enter(LiveLink& link);
  void leave(LiveLink& link);                // entered or not
  bool is_only(const LiveLink& link) const;  // its agent has no other
  void on_change(std::function<void()> told) { changed_ = std::move(told); }

  std::optional<jobs::LinkState> link_of(const OrgId& org, const AgentId& agent) const override;
  void cut(const OrgId& org, const AgentId& agent, std::string code, std::string message) override;
  void relink(const OrgId& org, const AgentId& agent, std::string message) override;
  std::size_t agents() const { return links_.size(); }
  std::size_t count() const { return count_; }

  std::vector<AgentId> linked(const OrgId& org, const GroupId& group) const override;
  bool is_linked(const OrgId& org, const AgentId& agent) const override;
  std::size_t places_left(const OrgId& org, const AgentId& agent) const override;
  // On a link with room over which no bulk goes, which does not carry the agent's jobs, and which has the fewest
  // channels, in this order: a keystroke waits for no bulk while there is another link, and bulk that comes to an idle
  // agent does not stand in the way of what hands out work.
  Result<link::Channel> open(const OrgId& org, const AgentId& agent, std::string_view purpose) override;

  // Whether the agent takes system keys, those of a group that do, and a channel for them on one of its links.
  bool knows_system_keys(const OrgId& org, const AgentId& agent) const { return for_keys(org, agent) != nullptr; }
  std::vector<AgentId> knowing_system_keys(const OrgId& org, const GroupId& group) const;
  Result<link::Channel> open_for_keys(const OrgId& org, const AgentId& agent);
  Result<link::Channel> open_for_authorization(const OrgId& org, const AgentId& agent) override;

  JobsSeats& seats() { return seats_; }

 private:
  using OfAgent = std::vector<LiveLink*>;  // oldest first, never empty
  const OfAgent* find(const OrgId& org, const AgentId& agent) const;
  LiveLink* for_tunnels(const OrgId& org, const AgentId& agent) const;
  LiveLink* for_keys(const OrgId& org, const AgentId& agent) const;
  void refuse(const OrgId& org, const AgentId& agent, const link::Refusal& refusal);
  void forget(LiveLink& link);

  std::map<AgentId, OfAgent> links_;
  std::map<GroupId, std::map<AgentId, std::size_t>> groups_;  // how many links of each agent
  std::size_t count_ = 0;
  std::function<void()> changed_;
  JobsSeats seats_;
};

}  // namespace sallyport::gateway
