#pragma once

#include "relay/store/jobs.h"
#include "shared/base/ids.h"
#include "shared/base/secret.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// The messages of the jobs channel as plain values (docs/protocol.md); relay/gateway translates them from and to the
// wire.
namespace sallyport::jobs {

struct Lease {
  JobId job;
  std::uint64_t epoch = 0;
  std::chrono::milliseconds length{0};
};

// --- relay to agent

struct CompletedStep {
  std::string path;
  std::uint32_t attempt = 1;
  std::string status;
  std::string output_json;
  std::string uses = {};  // for the history of a re-run: agents are not told
  std::string plan = {};  // of a dry run
};

struct Dispatch {
  Lease lease;
  std::uint64_t holding = 0;  // the newest that had come when the lease was granted
  RecipeId recipe;
  std::uint32_t version = 0;
  std::string recipe_json;
  std::string trigger_json;
  std::string event_key;
  std::vector<CompletedStep> done;
  std::uint32_t run_number = 1;
  bool held_before = false;  // a step that is not done may have begun with a holder that was lost
  store::Payload payload = store::Payload::kept;
  store::Mode mode = store::Mode::real;
};

struct CancelJob {
  JobId job;
  std::uint64_t epoch = 0;
  std::string reason;
};

struct LeaseAnswer {
  std::uint64_t holding = 0;  // that this answers; 0: none, and it renews nothing
  std::vector<Lease> renewed;
  std::vector<Lease> fenced;
};

struct ReportsAcked {
  std::uint64_t seq = 0;
};

struct AssignedRecipe {
  RecipeId recipe;
  std::uint32_t version = 0;
  std::string recipe_json;
  store::Payload payload = store::Payload::kept;
};

struct AssignmentSet {
  std::uint64_t revision = 0;
  std::vector<AssignedRecipe> recipes;
};

using ToAgent = std::variant<Dispatch, CancelJob, LeaseAnswer, ReportsAcked, AssignmentSet>;

// --- agent to relay

struct Holding {
  std::vector<Lease> jobs;
  std::uint64_t assignments_revision = 0;
  std::uint64_t number = 0;
  std::uint64_t journal = 0;  // which one the agent has; 0: it does not tell
  std::uint64_t journal_seq = 0;
};

struct Ready {
  std::uint32_t slots = 0;
};

struct DispatchAnswer {
  JobId job;
  std::uint64_t epoch = 0;
  bool accepted = false;
  std::string error_class;
  std::string message;
};

struct ReportedJobStart {
  RecipeId recipe;
  std::uint32_t version = 0;
  std::string trigger_json;
  std::string event_key;
  std::string trigger_kind;
};
struct ReportedStepStart {
  std::string path;
  std::uint32_t attempt = 1;
  std::string uses;
  std::string input_json;
};
struct ReportedStepEnd {
  std::string path;
  std::uint32_t attempt = 1;
  std::string status;
  std::string output_json;
  std::string error_class;
  std::string message;
  std::optional<std::int64_t> retry_at_ms;
  std::string uses = {};  // "": of an older agent
  std::string plan = {};  // of a dry run
};
struct ReportedLog {
  std::string path;
  std::string level;
  std::string text;
};
struct ReportedJobEnd {
  std::string status;
  std::string error_class;
  std::string message;
  std::string failed_step;
};
struct ReportedAgentEvent {
  std::string kind;
  std::string rule;
  std::string message;
};

struct Report {
  std::uint64_t seq = 0;
  JobId job;
  std::uint64_t epoch = 0;  // 0: started by a local trigger
  std::uint64_t job_seq = 0;
  std::int64_t at_ms = 0;
  std::variant<ReportedJobStart, ReportedStepStart, ReportedStepEnd, ReportedLog, ReportedJobEnd, ReportedAgentEvent>
      what;
};

// What the last use of a connection told its agent.
struct ReportedUse {
  std::string connection;
  std::string health;
  std::string error_class;
  std::int64_t at_ms = 0;
};
struct ReportedUses {
  std::vector<ReportedUse> uses;
};

using FromAgent = std::variant<Holding, Ready, DispatchAnswer, Report, ReportedUses>;

}  // namespace sallyport::jobs
