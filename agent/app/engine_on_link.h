#pragma once

#include "agent/link/supervisor.h"
#include "agent/platform/service_host.h"
#include "agent/policy/config.h"
#include "agent/runner/jobs_channel.h"

namespace sallyport::app {

// What the relay may know (docs/protocol.md P3.7): names and kinds, and for those that were used since this process
// started what the last use told. No settings, no rules, no message.
Value connection_summary(const policy::Connections& connections, const std::vector<runner::ConnectionUse>& uses);

// Ties the links to the engine: the jobs channel runs while a link is up, on one of them, pings of each are answered
// through the engine, and the engine stands still when the relay disowns this agent, until a link is ready again. All
// arguments must outlive it.
class EngineOnLink final : public agent::LinkWork {
 public:
  EngineOnLink(const boost::asio::any_io_executor& executor, runner::Engine& engine, const policy::Config& config,
               const platform::ServiceHost& host, const Log& log)
      : engine_(engine), config_(config), host_(host), log_(log), channel_(executor, engine) {}

  boost::asio::awaitable<void> on_jobs(link::Session& session) override;
  std::string policy_summary_json() override;
  void on_ping(link::Session& session, std::uint64_t nonce) override;
  void on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds drain) override;
  bool has_to_report() const override;
  void on_state(const agent::LinkStatus& status) override;

 private:
  boost::asio::awaitable<void> answer(link::Session& session, std::uint64_t nonce);

  runner::Engine& engine_;
  const policy::Config& config_;
  const platform::ServiceHost& host_;
  const Log& log_;
  runner::JobsChannel channel_;
  std::size_t answering_ = 0;
};

}  // namespace sallyport::app
