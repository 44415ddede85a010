#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/trigger.h"
#include "agent/journal/journal_writer.h"
#include "agent/journal/spool.h"
#include "agent/platform/boot_clock.h"
#include "agent/runner/connection_health.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/execution/execution.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace sallyport::runner {

using execution::AgentFacts;
using execution::SecretSource;
namespace report = execution::report;

// The way to the relay while a link is up: whole messages of the jobs channel (proto: ToRelay).
class Uplink {
 public:
  virtual ~Uplink() = default;
  virtual boost::asio::awaitable<Result<void>> send(std::string message) = 0;  // waits for credit
  virtual bool takes_health() const { return false; }                          // the relay has the capability "health"
};

struct EngineOptions {
  AgentFacts agent;
  std::uint32_t slots = 16;                     // jobs of the relay at one time, and as many of local triggers
  std::uint32_t max_local_jobs = 1'000;         // started by local triggers and not finished: more events have to wait
  std::uint32_t workers = 8;                    // steps that run at one time
  std::size_t report_window = 4u << 20;         // bytes of reports sent and not yet confirmed, at most
  std::size_t max_held = 5'000;                 // jobs of the relay that are unfinished or unreported: no more credit
  std::chrono::milliseconds disk_retry{1'000};  // a journal that cannot be written is tried again after this
};

// What the composition root hands in; all of it outlives the engine.
struct EngineParts {
  journal::JournalWriter& journal;
  journal::Spool& spool;
  std::vector<connectors::Action*> actions;
  std::vector<connectors::TriggerSource*> triggers;
  std::vector<connectors::HandleOpener*> openers;
  SecretSource secret;  // empty: this agent has none
  const Clock& clock;
  const platform::BootClock& boot_clock;
  const Log& log;
  Redactor* redactor = nullptr;                         // that the log knows, too; empty: one for reports alone
  std::set<std::string, std::less<>> connections = {};  // of the configuration: whose health is told
};

// Owns every job of this agent: takes dispatches, watches for local triggers, runs steps on a bounded pool, journals
// before and after each, and reports. Lives on one executor (one loop); only steps and disk work leave it.
//
// A dispatch is answered after it is in the journal; the same one again is answered the same way and changes nothing. A
// job whose lease has ended starts no step and has its running ones interrupted until the relay renews it; a fenced job
// is dropped with everything it kept. Jobs of local triggers need no lease and go on while the link is down, unless the
// relay has disowned this agent.
class Engine {
 public:
  Engine(const boost::asio::any_io_executor& executor, EngineParts parts, EngineOptions options);
  ~Engine();

  // Takes up every unfinished job and the assigned local triggers; call once, before anything else.
  boost::asio::awaitable<Result<void>> start();

  // --- a link. Tells the relay what is held and how much more may come, then sends answers and reports, each again
  // after a new link until it is confirmed. Returns when sending fails or when cancelled. One at a time.
  boost::asio::awaitable<void> serve(Uplink& uplink);
  // One message of the relay (proto: ToAgent), in the order they came. An error means that the peer breaks the
  // protocol.
  boost::asio::awaitable<Result<void>> on_message(Bytes message);
  // The relay has refused this agent: whatever it granted, no lease holds any more, and what runs under one is
  // interrupted. Leases that are granted or renewed on a later link count again.
  void withdraw_leases();
  // Returns after a round trip through what takes dispatches, the journal's thread included; for heartbeats.
  boost::asio::awaitable<Result<void>> prove_alive();

  // --- the agent's standing with the relay
  // The relay says that this identity is no longer this agent's, or not its alone. No local trigger is watched from now
  // on, and no step of any job starts; those that run end by themselves. Stays so after a restart, until resume().
  void suspend(std::string reason);
  // A link was accepted again. Jobs go on; triggers are watched as after a restart.
  void resume();

  // Takes nothing new from now on, lets running steps end, interrupts them at the deadline, and returns when all is
  // still. What is unfinished goes on after the next start().
  boost::asio::awaitable<void> drain(SteadyTime deadline);
  // As drain() without waiting for running steps to end by themselves. One of both must have returned before
  // destruction.
  boost::asio::awaitable<void> stop();

  struct Status {
    std::size_t relay_jobs = 0;
    std::size_t local_jobs = 0;
    std::size_t running_steps = 0;
    std::size_t watched_recipes = 0;
    bool suspended = false;
    bool drained = false;  // drain() or stop() has taken effect: nothing is written to the outbox any more
    journal::OutboxSize outbox;
  };
  Status status() const;
  // What the last uses of connections told, by name; those that were not used yet are not in it.
  std::vector<ConnectionUse> connection_uses() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::runner
