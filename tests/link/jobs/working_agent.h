#pragma once

#include "agent/runner/jobs_channel.h"
#include "relay/jobs/service.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/unit/agent/runner/engine_bench.h"

namespace sallyport::test {

// Both clocks of a machine on which time passes as the tests move the wall clock.
class PassingTime final : public Clock {
 public:
  explicit PassingTime(const Clock& clock) : clock_(clock) {}
  WallTime wall() const override { return clock_.wall(); }
  SteadyTime steady() const override { return SteadyTime(wall().time_since_epoch()); }

 private:
  const Clock& clock_;
};

// A whole agent but for its connectors: the real engine over a real journal, on the real link. What its one action did
// is what `bench.command` counted.
class WorkingAgent final : public agent::LinkWork {
 public:
  using Bend = std::function<void(agent::SupervisorOptions&)>;
  WorkingAgent(
      GatewayRig& rig, runner::test::EngineBench& bench, agent::IdentityStore& identities, agent::Endpoint relay,
      Bend bend = [](auto&) {});
  void start() { tasks_.spawn("supervisor", supervisor_.run()); }
  awaitable<void> finish();
  awaitable<void> leave();  // as an agent that is told to stop: what runs ends and is reported first
  awaitable<bool> until_ready();
  const agent::LinkStatus& status() const { return supervisor_.status(); }

  std::string policy_summary_json() override { return "{}"; }
  bool has_to_report() const override {
    const auto now = bench_.engine->status();
    return !now.drained || now.outbox.rows > 0;
  }
  awaitable<void> on_link(link::Session& session) override {
    return beside ? beside(session) : agent::LinkWork::on_link(session);
  }
  awaitable<void> on_jobs(link::Session& session) override;
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.spawn("pong", answer(session, nonce)); }
  void on_go_away(link::Session& session, const std::string&, std::chrono::milliseconds) override {
    if (knows(session.peer(), link::kLinks)) channel_.leave(session);
  }
  void on_state(const agent::LinkStatus&) override {}

  std::function<awaitable<void>(link::Session&)> beside;  // what else goes over each link
  LinesSink lines;
  int links = 0;     // that had the jobs
  int in_order = 0;  // jobs channels that ended so

 private:
  awaitable<void> answer(link::Session& session, std::uint64_t nonce);

  GatewayRig& rig_;
  runner::test::EngineBench& bench_;
  Log log_;
  runner::JobsChannel channel_;
  agent::Dialer dialer_;
  agent::TlsTransport transport_;
  PassingTime time_;
  agent::Renewer renewer_;
  TaskGroup tasks_;
  agent::Supervisor supervisor_;
};

inline constexpr std::size_t kStepsOfOrder = 2;

// The relay's side of the work: one recipe of two steps, repeated when they were cut off; jobs of it, and the final
// account.
class Orders {
 public:
  explicit Orders(GatewayRig& rig);
  awaitable<void> prepare();
  awaitable<void> start(int count);  // more jobs
  awaitable<bool> all_succeeded();   // waits
  std::size_t jobs() const { return jobs_.size(); }

 private:
  GatewayRig& rig_;
  jobs::StoredJobService service_;
  RecipeId recipe_;
  std::vector<JobId> jobs_;
};

struct Runs {
  std::size_t steps = 0;  // different ones, by their idempotency keys
  std::size_t repeated = 0;
  friend bool operator==(const Runs&, const Runs&) = default;
};
Runs runs_of(const runner::test::EngineBench& bench);

// Every step of every job ran, and none of them twice.
bool each_step_once(const runner::test::EngineBench& bench, const Orders& orders);

}  // namespace sallyport::test
