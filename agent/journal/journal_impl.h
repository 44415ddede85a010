#pragma once

#include "agent/journal/database.h"
#include "agent/journal/journal.h"
#include "agent/journal/sealer.h"

#include <map>

namespace sallyport::journal {

// What a change did to the outbox; added to the journal's own figures when its transaction is on the disk.
struct OutboxDelta {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};

struct Journal::Impl {
  Impl(JournalOptions given, Database opened)
      : options(std::move(given)), database(std::move(opened)), sealer(options.key.duplicate()) {}

  JournalOptions options;
  Database database;
  Sealer sealer;
  OutboxSize outbox;
  std::uint64_t ended = 0;                   // since the start; old tombstones are removed now and then
  std::map<RecipeId, std::uint64_t> events;  // likewise, by recipe

  Result<Bytes> seal(const std::string& scope, Sealer::Place place, const std::string& plain) {
    return sealer.seal(scope, place, plain);
  }
};

// Names a row of the step tables for the sealer.
inline std::string place_of(const StepRun& run) {
  return run.path + "[" + std::to_string(run.item) + "]#" + std::to_string(run.attempt);
}

// Brings the file to this program's schema, or says why it cannot.
Result<void> prepare_schema(Database& database);

// Writes changes inside the transaction its caller holds open.
class ChangeWriter {
 public:
  explicit ChangeWriter(Journal::Impl& impl);
  Result<void> write(const Batch& batch);
  OutboxDelta delta() const { return delta_; }

  Result<void> operator()(const AcceptJob& change);
  Result<void> operator()(const RaiseEpoch& change);
  Result<void> operator()(const AddIntent& change);
  Result<void> operator()(const AddDone& change);
  Result<void> operator()(const SetProgress& change);
  Result<void> operator()(const RequestCancel& change);
  Result<void> operator()(const EndJob& change);
  Result<void> operator()(const AbandonJob& change);
  Result<void> operator()(const AddReport& change);
  Result<void> operator()(const RecordEvent& change);
  Result<void> operator()(const SetCursor& change);
  Result<void> operator()(const ReplaceAssignments& change);
  Result<void> operator()(const SetSuspended& change);
  Result<void> operator()(const AcknowledgeReports& change);

 private:
  struct Standing {
    JobState state;
    std::uint64_t epoch;
  };
  Result<Standing> standing_of(const JobId& job);
  Result<Standing> require_unfinished(const JobId& job);
  Result<void> insert_done(const JobId& job, const Done& done, const char* sql);
  Result<void> insert_earlier(const JobId& job, const std::vector<Done>& done);
  Result<void> bury(const JobId& job, JobState state, WallTime at);
  Result<void> drop_old_tombstones();
  Result<void> drop_old_events(const RecipeId& recipe);
  Result<void> forget_departed(WallTime now);
  Result<std::int64_t> next_job_seq(const JobId& job);

  Journal::Impl& impl_;
  Database& db_;
  OutboxDelta delta_;
};

}  // namespace sallyport::journal
