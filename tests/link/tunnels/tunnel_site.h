#pragma once

#include "agent/policy/policy.h"
#include "agent/tunnel/tunnel_server.h"
#include "relay/tunnels/carrier.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/unit/shared/tunnel/tunnel_rig.h"

// Tunnels with both real sides: the relay's carrier over its store and gateway, the agent's server on its link.
namespace sallyport::test {

// The agent's link; its work is to keep the jobs channel open and to carry tunnels by its policy.
class TunnelAgent final : public agent::LinkWork {
 public:
  TunnelAgent(GatewayRig& rig, const agent::Identity& identity, policy::Policy policy);
  void start() { tasks_.spawn("supervisor", supervisor_.run()); }
  awaitable<void> finish();
  bool is_ready() const { return supervisor_.status().state == agent::LinkState::ready; }

  std::string policy_summary_json() override { return "{}"; }
  awaitable<void> on_link(link::Session& session) override { return server_.serve(session); }
  awaitable<void> on_jobs(link::Session& session) override;
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.pong(nonce); }
  void on_go_away(link::Session&, const std::string&, std::chrono::milliseconds) override {}
  void on_state(const agent::LinkStatus&) override {}

  KeptIdentity identities;
  LinesSink lines;
  int links = 0;

 private:
  Log log_;
  policy::Policy policy_;
  tunnel::TunnelServer server_;
  agent::Dialer dialer_;
  agent::TlsTransport transport_;
  agent::Renewer renewer_;
  TaskGroup tasks_;
  agent::Supervisor supervisor_;
};

tunnels::CarrierLimits quick_limits();

// start() first, finish() last.
struct TunnelSite {
  explicit TunnelSite(boost::asio::any_io_executor loop, tunnels::CarrierLimits limits = quick_limits());
  awaitable<void> start();  // the agent is ready; its policy allows the target, and port 1 where nobody listens
  awaitable<void> finish();
  awaitable<void> stop_carrier();

  // Stored and put.
  awaitable<store::Tunnel> open(std::function<void(store::Tunnel&)> bend = nullptr);
  awaitable<tcp::socket> dial(store::Tunnel to);
  // Whether a connection is ended with a reset before a byte came.
  awaitable<bool> turned_away(store::Tunnel to, std::string from = "127.0.0.1");
  awaitable<tcp::socket> taken();  // the next connection at the target
  awaitable<std::vector<store::TunnelConnection>> records(TunnelId of);
  // Waits until the only access record of the tunnel is as the test wants it.
  awaitable<void> noted(TunnelId of, std::function<bool(const store::TunnelConnection&)> as);
  // The only access record of the tunnel, once it has that end.
  awaitable<store::TunnelConnection> ended(TunnelId of, std::string end);

  GatewayRig rig;
  tunnels::Carrier carrier;
  tcp::acceptor target;
  std::uint16_t port;  // of the target
  std::unique_ptr<TunnelAgent> agent;
  AgentId agent_id;
  TaskGroup tasks;

 private:
  awaitable<boost::system::error_code> connect(tcp::socket& socket, store::Tunnel to, std::string from);

  std::uint16_t next_port_ = 7'000;
};

}  // namespace sallyport::test
