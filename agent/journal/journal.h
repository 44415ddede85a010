#pragma once

#include "agent/journal/records.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sallyport::journal {

struct JournalOptions {
  std::filesystem::path file;
  Secret key;  // 32 bytes: local_key.h
  std::uint64_t max_outbox_rows = 200'000;
  std::uint64_t max_outbox_bytes = 256u << 20;
  std::uint64_t max_events_per_recipe = 100'000;  // the oldest are forgotten first
  std::chrono::hours keep_events{90 * 24};        // of a recipe, after it was assigned last
  std::uint64_t max_tombstones = 10'000;          // of jobs that ended
  std::string vfs;                                // name of a registered SQLite VFS; empty: the system's
};

// The agent's durable memory: jobs, what their steps did, reports the relay has not confirmed, events already seen,
// recipes to watch for. One SQLite file (WAL, synchronous=FULL), locked against a second process. Blocks; for one
// thread at a time (JournalWriter gives it one). A batch that returned without an error survives the power going off; a
// batch that returned an error left no trace.
//
// Errors: exhausted (disk full, outbox full), conflict (see the changes; also: another process holds the file),
// not_found, unavailable (IO), invalid (damaged, foreign or newer file, wrong key: the text says what to do).
class Journal {
 public:
  static Result<std::unique_ptr<Journal>> open(JournalOptions options);
  ~Journal();

  Result<void> apply(const Batch& batch);
  // Many batches, one fsync. Each stands alone: a refused one does not hurt the others.
  std::vector<Result<void>> apply_all(std::span<const Batch> batches);

  Result<std::vector<JobId>> unfinished();  // oldest first
  Result<StoredJob> load(const JobId& job);
  Result<std::optional<JobSummary>> find(const JobId& job);
  // Jobs of the relay that are unfinished, or have reports it has not confirmed.
  Result<std::vector<HeldJob>> holding();

  Result<JournalMark> mark();

  // Rows after `seq`, oldest first, until `max_bytes` are reached (at least one row if there is any).
  // A damaged row comes without its report: it does not hide those after it.
  Result<std::vector<OutboxRow>> outbox_after(std::uint64_t seq, std::size_t max_rows, std::size_t max_bytes);
  OutboxSize outbox_size() const;
  bool outbox_full() const;  // accept no new job, start no new step

  Result<StoredAssignments> assignments();
  Result<std::optional<std::string>> cursor(const RecipeId& recipe, const std::string& name);

  struct Impl;  // of this folder only

 private:
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::journal
