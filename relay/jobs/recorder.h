#pragma once

#include "relay/audit/audit.h"
#include "relay/jobs/dispatcher.h"
#include "relay/jobs/outlines.h"
#include "relay/jobs/retention_rules.h"
#include "relay/keys/envelope.h"
#include "relay/keys/fingerprints.h"
#include "relay/store/agents.h"
#include "relay/store/assignments.h"
#include "relay/store/history.h"

#include <span>

namespace sallyport::jobs {

// Turns agents' reports into history: seals payloads, or drops them where none is to be kept, appends, tells watchers.
// Lives on the relay's loop.
class Recorder {
 public:
  struct Parts {
    store::Agents& agents;
    store::Jobs& jobs;
    store::History& history;
    RecipeOutlines& outlines;
    RetentionRules& retention;
    store::Assignments& assignments;
    keys::Envelope& envelope;
    keys::Fingerprints& fingerprints;
    Audit& audit;
    Dispatcher& dispatcher;
    LocalJobFeed& feed;
    const Clock& clock;
    const Log& log;
  };

  Recorder(boost::asio::any_io_executor executor, Parts parts) : executor_(std::move(executor)), parts_(parts) {}

  // Stores reports in the order of one agent's outbox; those of different jobs go side by side, so that they share a
  // commit. Success: every one is stored, or was refused for good (fenced, of a recipe that is not this agent's), which
  // is logged: the agent may forget them, and its journal is known to have come so far. An error: the store is not
  // available; nothing may be acknowledged, the same reports come again.
  store::awaitable<Result<void>> record(AgentLink& link, std::vector<Report> reports);

 private:
  struct Batch {
    JobId job;
    std::uint64_t epoch = 0;
    std::vector<Report> reports;
  };
  struct AgentEvent {
    JobId job;
    ReportedAgentEvent what;
  };

  store::awaitable<void> note_journal(LinkedAgent agent, std::uint64_t seq, Result<void>& outcome);
  store::awaitable<void> record_batch(AgentLink& link, Batch batch, Result<void>& outcome);
  store::awaitable<Result<void>> append(LinkedAgent agent, Batch batch);
  WallTime at_latest_now(WallTime told) const;
  store::awaitable<Result<void>> adopt_local_job(LinkedAgent agent, JobId job, Report report);
  store::awaitable<Result<void>> add_local_job(LinkedAgent agent, store::Job job, std::string trigger_json);
  store::awaitable<Result<void>> audit_all(LinkedAgent agent, std::vector<AgentEvent> events);
  store::awaitable<Result<store::HistoryEntry>> entry_of(OrgId org, JobId job, Report report);
  store::awaitable<Result<store::StepFinished>> step_end_of(OrgId org, JobId job, ReportedStepEnd end);

  boost::asio::any_io_executor executor_;
  Parts parts_;
};

}  // namespace sallyport::jobs
