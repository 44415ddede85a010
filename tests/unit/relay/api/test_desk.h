#pragma once

#include "relay/tunnels/desk.h"

#include <map>

namespace sallyport::test {

// Carries nothing: says what a test tells it to, and keeps what it was told.
struct TestDesk final : tunnels::Desk {
  Result<void> put(const store::Tunnel& tunnel) override {
    kept.insert_or_assign(tunnel.id, tunnel);
    return put_answer;
  }
  void drop(const TunnelId& tunnel) override { kept.erase(tunnel); }
  tunnels::Standing standing(const store::Tunnel&) const override { return stands; }
  std::vector<store::TunnelConnection> open_connections(const TunnelId&) const override { return open; }
  Result<void> check_listener(const domain::TunnelListener&) const override { return listener_answer; }
  store::awaitable<tunnels::Reach> reach(OrgId, GroupId, std::optional<AgentId>, tunnel::Target target) override {
    asked.push_back(std::move(target));
    co_return reaches;
  }

  std::map<TunnelId, store::Tunnel> kept;
  std::vector<tunnel::Target> asked;
  Result<void> put_answer, listener_answer;
  tunnels::Standing stands;
  tunnels::Reach reaches;
  std::vector<store::TunnelConnection> open;
};

}  // namespace sallyport::test
