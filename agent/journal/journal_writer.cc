#include "agent/journal/journal_writer.h"

#include "shared/async/blocking.h"
#include "shared/async/event.h"

#include <deque>

namespace sallyport::journal {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kMaxGroup = 256;  // batches in one transaction

// Its owner is suspended in commit() until it is written, or until it is its turn to write.
struct Waiting {
  explicit Waiting(const asio::any_io_executor& executor) : wake(executor) {}
  Batch batch;
  bool written = false;
  Result<void> outcome;
  Event wake;
};

}  // namespace

struct JournalWriter::Impl {
  Impl(asio::any_io_executor on, std::unique_ptr<Journal> given)
      : executor(std::move(on)),
        journal(std::move(given)),
        full(journal->outbox_full()),
        size(journal->outbox_size()) {}

  asio::any_io_executor executor;
  std::unique_ptr<Journal> journal;
  asio::thread_pool thread{1};
  std::deque<std::shared_ptr<Waiting>> queue;
  bool writing = false;
  bool full;
  OutboxSize size;

  static asio::awaitable<Result<void>> commit(std::shared_ptr<Impl> impl, Batch batch);
  asio::awaitable<void> write_group();
  template <class Read>
  asio::awaitable<std::invoke_result_t<Read, Journal&>> read(Read read) {
    co_return co_await run_blocking(thread, [this, &read] { return read(*journal); });
  }
};

// The first in the queue writes for everybody who is in it by then, and passes the turn on.
asio::awaitable<void> JournalWriter::Impl::write_group() {
  std::vector<std::shared_ptr<Waiting>> group;
  std::vector<Batch> batches;
  while (!queue.empty() && group.size() < kMaxGroup) {
    batches.push_back(std::move(queue.front()->batch));
    group.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  auto outcomes = co_await run_blocking(thread, [this, &batches] { return journal->apply_all(batches); });
  full = journal->outbox_full();
  size = journal->outbox_size();
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i]->written = true;
    group[i]->outcome = std::move(outcomes[i]);
    group[i]->wake.set();
  }
}

asio::awaitable<Result<void>> JournalWriter::Impl::commit(std::shared_ptr<Impl> impl, Batch batch) {
  auto mine = std::make_shared<Waiting>(impl->executor);
  mine->batch = std::move(batch);
  impl->queue.push_back(mine);
  if (impl->writing) co_await mine->wake.wait();
  if (mine->written) co_return std::move(mine->outcome);
  impl->writing = true;
  co_await impl->write_group();
  impl->writing = !impl->queue.empty();
  if (impl->writing) impl->queue.front()->wake.set();
  co_return std::move(mine->outcome);
}

JournalWriter::JournalWriter(asio::any_io_executor executor, std::unique_ptr<Journal> journal)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(journal))) {}

JournalWriter::~JournalWriter() { impl_->thread.join(); }

asio::awaitable<Result<void>> JournalWriter::commit(Batch batch) {
  auto uncancelled = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
  co_return co_await asio::co_spawn(impl_->executor, Impl::commit(impl_, std::move(batch)), std::move(uncancelled));
}

asio::awaitable<Result<std::vector<JobId>>> JournalWriter::unfinished() {
  co_return co_await impl_->read([](Journal& journal) { return journal.unfinished(); });
}

asio::awaitable<Result<StoredJob>> JournalWriter::load(JobId job) {
  co_return co_await impl_->read([&job](Journal& journal) { return journal.load(job); });
}

asio::awaitable<Result<std::optional<JobSummary>>> JournalWriter::find(JobId job) {
  co_return co_await impl_->read([&job](Journal& journal) { return journal.find(job); });
}

asio::awaitable<Result<std::vector<HeldJob>>> JournalWriter::holding() {
  co_return co_await impl_->read([](Journal& journal) { return journal.holding(); });
}

asio::awaitable<Result<JournalMark>> JournalWriter::mark() {
  co_return co_await impl_->read([](Journal& journal) { return journal.mark(); });
}

asio::awaitable<Result<std::vector<OutboxRow>>> JournalWriter::outbox_after(std::uint64_t seq, std::size_t max_rows,
                                                                            std::size_t max_bytes) {
  co_return co_await impl_->read([=](Journal& journal) { return journal.outbox_after(seq, max_rows, max_bytes); });
}

asio::awaitable<Result<StoredAssignments>> JournalWriter::assignments() {
  co_return co_await impl_->read([](Journal& journal) { return journal.assignments(); });
}

asio::awaitable<Result<std::optional<std::string>>> JournalWriter::cursor(RecipeId recipe, std::string name) {
  co_return co_await impl_->read([&](Journal& journal) { return journal.cursor(recipe, name); });
}

bool JournalWriter::outbox_full() const { return impl_->full; }
OutboxSize JournalWriter::outbox_size() const { return impl_->size; }

}  // namespace sallyport::journal
