#pragma once

#include "agent/link/supervisor.h"
#include "agent/tunnel/tunnel_server.h"

#include <functional>
#include <utility>

namespace sallyport::app {

// All that runs on links: the engine's work, which decides when a link ends, and the tunnels on each. Pings are
// answered through the engine alone. `on_revoked` is called, maybe again and again, when the relay has revoked this
// agent for good. The others must outlive it.
class JobsAndTunnels final : public agent::LinkWork {
 public:
  JobsAndTunnels(agent::LinkWork& jobs, tunnel::TunnelServer& tunnels, std::function<void()> on_revoked)
      : jobs_(jobs), tunnels_(tunnels), on_revoked_(std::move(on_revoked)) {}

  boost::asio::awaitable<void> on_link(link::Session& session) override { return tunnels_.serve(session); }
  boost::asio::awaitable<void> on_jobs(link::Session& session) override { return jobs_.on_jobs(session); }
  std::string policy_summary_json() override { return jobs_.policy_summary_json(); }
  void on_ping(link::Session& session, std::uint64_t nonce) override { jobs_.on_ping(session, nonce); }
  void on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds drain) override;
  bool has_to_report() const override { return jobs_.has_to_report(); }
  void on_state(const agent::LinkStatus& status) override;

 private:
  agent::LinkWork& jobs_;
  tunnel::TunnelServer& tunnels_;
  std::function<void()> on_revoked_;
};

}  // namespace sallyport::app
