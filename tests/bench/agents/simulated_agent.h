#pragma once

#include "agent/link/supervisor.h"
#include "shared/async/task_group.h"
#include "tests/bench/agents/jobs_peer.h"

#include <optional>
#include <string>

namespace sallyport::bench {

// In memory, so that thousands fit into one process without a file each.
class MemoryIdentity final : public agent::IdentityStore {
 public:
  Result<agent::Identity> load() const override;
  Result<void> install(const agent::Identity& identity) override;

 private:
  std::string text_;
};

// Counts handshakes: those that were done, and those that broke off.
class CountingTransport final : public agent::Transport {
 public:
  explicit CountingTransport(agent::Transport& inner) : inner_(inner) {}
  boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(agent::Endpoint relay,
                                                                      SteadyTime deadline) override;
  std::uint64_t handshakes() const { return handshakes_; }

 private:
  agent::Transport& inner_;
  std::uint64_t handshakes_ = 0;
};

// One agent as the relay sees it: the agent's own code for enrolment, link, back-off and liveness, and a JobsPeer in
// place of its engine. `clock` and `log` must outlive it; on one loop.
class SimulatedAgent final : public agent::LinkWork {
 public:
  SimulatedAgent(boost::asio::any_io_executor executor, std::string name, const Clock& clock, const Log& log);

  boost::asio::awaitable<Result<void>> enrol(std::string enrolment_string);
  void link(TaskGroup& tasks, std::uint32_t links);  // so many, from now on, whatever happens; after enrol()

  std::size_t links_ready() const { return supervisor_ ? supervisor_->status().links : 0; }
  std::string last_problem() const { return supervisor_ ? supervisor_->status().last_problem : ""; }
  std::uint64_t jobs_done() const { return jobs_.jobs_done(); }
  std::uint64_t handshakes() const { return counted_.handshakes(); }
  const agent::IdentityStore& identity() const { return identity_; }

  std::string policy_summary_json() override { return R"({"connections":[]})"; }
  boost::asio::awaitable<void> on_jobs(link::Session& session) override { return jobs_.run(session); }
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.pong(nonce); }
  void on_go_away(link::Session&, const std::string&, std::chrono::milliseconds) override {}
  void on_state(const agent::LinkStatus&) override {}

 private:
  boost::asio::any_io_executor executor_;
  std::string name_;
  const Clock& clock_;
  const Log& log_;
  agent::Dialer dialer_;
  MemoryIdentity identity_;
  agent::TlsTransport transport_;
  CountingTransport counted_{transport_};
  JobsPeer jobs_;
  std::optional<agent::Supervisor> supervisor_;
};

}  // namespace sallyport::bench
