#pragma once

#include "agent/journal/records.h"
#include "agent/runner/connection_health.h"
#include "shared/base/result.h"
#include "shared/base/text.h"
#include "shared/execution/report.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

// The messages of the jobs channel as plain values, and their bytes (proto/sallyport/v1/jobs.proto).
namespace sallyport::runner::wire {

namespace report = execution::report;

struct CompletedStep {
  std::string path;
  std::uint32_t attempt = 1;
  std::string status;
  std::string output_json;
  std::string plan = {};  // of a dry run
};

struct Lease {
  JobId job;
  std::uint64_t epoch = 0;
  std::chrono::milliseconds length{0};
};

struct Dispatch {
  Lease lease;
  std::uint64_t holding = 0;  // the lease rests on it
  RecipeId recipe;
  std::uint32_t recipe_version = 0;
  std::string recipe_json;
  std::string trigger_json;
  std::string event_key;
  std::vector<CompletedStep> done;
  std::uint32_t run_number = 1;
  bool held_before = false;
  journal::Payload payload = journal::Payload::of_recipe;
  execution::Mode mode = execution::Mode::real;
  std::string problem;  // not empty: why this agent cannot take it, whatever it knows of the job
};
struct CancelJob {
  JobId job;
  std::uint64_t epoch = 0;
  std::string reason;
};
struct Leases {
  std::uint64_t holding = 0;  // that this answers
  std::vector<Lease> renewed;
  std::vector<Lease> fenced;
};
struct ReportsAcked {
  std::uint64_t seq = 0;
};
struct Assignments {
  std::uint64_t revision = 0;
  std::vector<journal::Assignment> recipes;
};
using ToAgent = std::variant<Dispatch, CancelJob, Leases, ReportsAcked, Assignments>;

// Puts messages that came in parts together again (docs/protocol.md P9.3). Lives as long as one channel.
class Assembler {
 public:
  // Nothing: more parts follow. Refuses what does not parse, a message of a kind it does not know (P13.1), ids that are
  // no ids, counts and sizes beyond reason, and parts that do not belong together: Errc::invalid.
  Result<std::optional<ToAgent>> take(std::span<const std::byte> message);

 private:
  std::optional<ToAgent> begun_;
  std::size_t bytes_ = 0;
};

struct Answer {
  JobId job;
  std::uint64_t epoch = 0;
  bool accepted = false;
  std::string error_class;
  std::string message;
};
std::string encode(const Answer& answer);
std::string encode_holding(std::uint64_t number, journal::JournalMark journal,
                           const std::vector<journal::HeldJob>& jobs, std::uint64_t assignments_revision);
std::string encode_ready(std::uint32_t slots);
std::string encode_health(const std::vector<ConnectionUse>& uses);

// What the outbox keeps: the report without the numbers that are known only when it is sent. Texts come out as valid
// UTF-8 and cut, so that it has at most kMaxReport bytes.
inline constexpr std::size_t kMaxReport = 512u << 10;
std::string encode_body(const report::Body& body, WallTime at);
// The whole message. In place of a row that cannot be read, or is larger than any report may be, goes an agent event
// "report.lost" under its numbers: it must not keep back what comes after it.
std::string encode(const journal::OutboxRow& row);

}  // namespace sallyport::runner::wire
