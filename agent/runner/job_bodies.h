#pragma once

#include "agent/connectors/bodies.h"
#include "agent/journal/memory_spool.h"
#include "agent/journal/spool.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sallyport::runner {

struct Spools {
  journal::Spool& disk;
  journal::MemorySpool& memory;
};
enum class Kept { on_disk, in_memory };

// The bodies one job may use: the openers of the composition root by kind, and the job's own spool. A handle says what
// it wants to be, but only the opener decides what it gets: handles also come back from the relay. Thread-safe as far
// as the openers are.
class JobBodies final : public connectors::Bodies {
 public:
  JobBodies(JobId job, Spools spools, const std::vector<connectors::HandleOpener*>& openers)
      : job_(std::move(job)), spools_(spools), openers_(openers) {}

  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle& handle) override;
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle& handle) override;
  connectors::StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string media_type) override;
  connectors::StepResult<std::unique_ptr<connectors::BodyWriter>> new_body(std::string media_type, Kept kept);
  Result<void> remove(const std::string& name);  // nothing there is fine

 private:
  connectors::StepResult<connectors::HandleOpener*> opener_of(const Handle& handle) const;

  JobId job_;
  Spools spools_;
  const std::vector<connectors::HandleOpener*>& openers_;
};

// The same for one run of a step, and remembers what it made. For one thread at a time.
class RunBodies final : public connectors::Bodies {
 public:
  RunBodies(std::shared_ptr<JobBodies> job, Kept kept) : job_(std::move(job)), kept_(kept) {}

  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle& handle) override;
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle& handle) override;
  connectors::StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string media_type) override;
  const std::vector<std::string>& made() const { return made_; }  // names of committed bodies in the spool

 private:
  std::shared_ptr<JobBodies> job_;
  Kept kept_;
  std::vector<std::string> made_;
};

// How long a reader may go on, asked between rows.
struct Patience {
  const Clock& clock;
  SteadyTime deadline = SteadyTime::max();
  std::stop_token stop = {};

  connectors::StepResult<void> check() const;  // class cancelled or timeout
};

// Gives the items of one body in order, from any of them on; opened when it is first asked. An item is a row, or a list
// of rows when the handle says how many make a batch: that many, or fewer when they come to more than 1 MiB together
// (one row always goes). A row that no expression could take is class "too_large", with its number. What bounds a batch
// also says which rows item `index` has, and a job under way goes on with that index. For one thread at a time.
class ItemReader {
 public:
  ItemReader(std::shared_ptr<JobBodies> bodies, Handle source)
      : bodies_(std::move(bodies)), source_(std::move(source)) {}
  // After an error the next call may begin at the first row again.
  connectors::StepResult<std::optional<Value>> item(std::int64_t index, const Patience& patience);

 private:
  struct Row {
    Value value;
    std::size_t bytes;
  };

  std::int64_t batch_size() const;  // 0: single rows
  connectors::StepResult<void> open();
  connectors::StepResult<std::optional<Value>> next_item(const Patience& patience);
  connectors::StepResult<std::optional<Row>> next_row();

  std::shared_ptr<JobBodies> bodies_;
  Handle source_;
  std::unique_ptr<connectors::RowReader> rows_;
  std::optional<Row> waiting_;  // had no more room in the last batch
  std::int64_t next_ = 0;
  std::int64_t rows_read_ = 0;
};

}  // namespace sallyport::runner
