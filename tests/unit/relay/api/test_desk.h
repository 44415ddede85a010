#pragma once

#include "relay/tunnels/desk.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

// Carries nothing: says what a test wrote down, and remembers what it was told.
class TestDesk final : public tunnels::Desk {
 public:
  Result<void> put(const store::Tunnel& tunnel) override {
    told.push_back("put " + std::string(tunnel.status == store::TunnelStatus::active ? "active " : "paused ") +
                   tunnel.name);
    on_put();
    return put_fault ? Result<void>(std::unexpected(*put_fault)) : Result<void>();
  }
  void drop(const TunnelId& tunnel) override { told.push_back("drop " + tunnel.value); }
  tunnels::Standing standing(const store::Tunnel& tunnel) const override {
    const auto found = standings.find(tunnel.id);
    if (found != standings.end()) return found->second;
    if (!tunnel.listener) return {};
    return {.entrance = tunnel.status == store::TunnelStatus::paused ? tunnels::EntranceState::paused
                                                                     : tunnels::EntranceState::listening,
            .problem = {}};
  }
  std::vector<store::TunnelConnection> open_connections(const TunnelId& tunnel) const override {
    ++looks;
    const auto found = open.find(tunnel);
    return found == open.end() ? std::vector<store::TunnelConnection>() : found->second;
  }
  std::shared_ptr<tunnels::EndedConnections> watch(const TunnelId& tunnel) override {
    auto watched = ended[tunnel].lock();
    if (!watched) ended[tunnel] = watched = std::make_shared<tunnels::EndedConnections>();
    return watched;
  }
  Result<void> check_listener(const domain::TunnelListener&) const override {
    return listener_fault ? Result<void>(std::unexpected(*listener_fault)) : Result<void>();
  }
  // Says who opened it, and holds it until it may not go on.
  Result<tunnels::ServeSession> session(const store::Tunnel& tunnel, tunnels::Opener opener,
                                        tunnels::StillAllowed still_allowed) override {
    told.push_back("session " + tunnel.name + " from " + opener.source);
    if (session_fault) return std::unexpected(*session_fault);
    openers.push_back(std::move(opener));
    ask = std::move(still_allowed);
    return [this](std::unique_ptr<ByteStream>) -> store::awaitable<std::optional<tunnels::Denial>> {
      ++served;
      co_return cut;
    };
  }
  store::awaitable<tunnels::Reach> reach(OrgId, GroupId, std::optional<AgentId>, tunnel::Target target) override {
    told.push_back("reach " + tunnel::to_string(target));
    co_return answer;
  }

  std::optional<Error> put_fault, listener_fault, session_fault;
  std::optional<tunnels::Denial> cut;  // how sessions end
  int served = 0;                      // sessions
  std::vector<tunnels::Opener> openers;
  tunnels::StillAllowed ask;
  std::function<void()> on_put = [] {};
  std::map<TunnelId, tunnels::Standing> standings;
  std::map<TunnelId, std::vector<store::TunnelConnection>> open;
  std::map<TunnelId, std::weak_ptr<tunnels::EndedConnections>> ended;
  mutable int looks = 0;  // how often it was asked what is open
  tunnels::Reach answer{.asked = false, .agent = {}, .rule = {}, .detail = "no agent of the group is linked"};
  std::vector<std::string> told;
};

}  // namespace sallyport::test
