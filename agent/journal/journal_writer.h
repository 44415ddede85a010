#pragma once

#include "agent/journal/journal.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>

namespace sallyport::journal {

// Gives a Journal a thread of its own and commits in groups: everything that was asked for while the disk was busy goes
// into the next transaction. Used on one executor. commit() returns when the batch is on the disk, batches of one
// caller in the order they were made. Cancelling a commit() does not undo it; its caller returns when it has ended.
class JournalWriter {
 public:
  JournalWriter(boost::asio::any_io_executor executor, std::unique_ptr<Journal> journal);
  ~JournalWriter();  // waits for the thread

  boost::asio::awaitable<Result<void>> commit(Batch batch);

  boost::asio::awaitable<Result<std::vector<JobId>>> unfinished();
  boost::asio::awaitable<Result<StoredJob>> load(JobId job);
  boost::asio::awaitable<Result<std::optional<JobSummary>>> find(JobId job);
  boost::asio::awaitable<Result<std::vector<HeldJob>>> holding();
  boost::asio::awaitable<Result<JournalMark>> mark();
  boost::asio::awaitable<Result<std::vector<OutboxRow>>> outbox_after(std::uint64_t seq, std::size_t max_rows,
                                                                      std::size_t max_bytes);
  boost::asio::awaitable<Result<StoredAssignments>> assignments();
  boost::asio::awaitable<Result<std::optional<std::string>>> cursor(RecipeId recipe, std::string name);

  // As of the last commit that ended.
  bool outbox_full() const;
  OutboxSize outbox_size() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sallyport::journal
