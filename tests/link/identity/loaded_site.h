#pragma once

#include "agent/policy/policy.h"
#include "agent/tunnel/tunnel_server.h"
#include "relay/tunnels/carrier.h"
#include "shared/crypto/digest.h"
#include "tests/link/jobs/working_agent.h"
#include "tests/link/relay/rotating_rig.h"
#include "tests/unit/shared/tunnel/tunnel_rig.h"

#include <set>

namespace sallyport::test {

// An identity that tells when another one takes its place.
class WatchedIdentity final : public agent::IdentityStore {
 public:
  Result<agent::Identity> load() const override { return kept_.load(); }
  Result<void> install(const agent::Identity& identity) override {
    SP_CHECK(kept_.install(identity));
    if (on_install) on_install();
    return {};
  }
  std::function<void()> on_install;

 private:
  KeptIdentity kept_;
};

// A real agent with two links to a real relay, jobs on one of them, and bytes going through a tunnel and back for as
// long as it lasts. begin() first; losses() ends the load; end() last.
struct LoadedSite {
  explicit LoadedSite(boost::asio::any_io_executor loop);
  awaitable<void> begin();
  awaitable<void> carried(std::size_t more);  // waits for so many bytes to come back
  awaitable<std::uint32_t> generation();      // that the relay has seen
  // What did not live through it, in words; nothing is as it should be.
  awaitable<std::vector<std::string>> losses();
  awaitable<void> end();

  RotatingRig rig;
  Orders orders;
  runner::test::EngineBench bench;
  WatchedIdentity identities;
  tunnels::Carrier carrier;
  AgentId who;
  std::unique_ptr<WorkingAgent> agent;

 private:
  struct Flow {
    crypto::Sha256 hash;
    std::size_t bytes = 0;
    std::string problem;
    void add(std::span<const std::byte> bytes_of_it);
  };
  awaitable<store::Tunnel> open_tunnel();
  awaitable<void> give_back();
  awaitable<void> send_on();
  awaitable<void> take_back();
  awaitable<std::string> end_of_connection();
  std::set<std::string> peers() const;

  tcp::acceptor target_;
  policy::Policy policy_;
  Log log_;
  tunnel::TunnelServer server_;
  std::optional<tcp::socket> client_;
  store::Tunnel tunnel_;
  std::set<std::string> peers_;  // of the links, at the beginning
  Flow sent_, got_;
  bool enough_ = false;
  TaskGroup tasks_;
  std::unique_ptr<TaskGroup> transfer_;
};

}  // namespace sallyport::test
