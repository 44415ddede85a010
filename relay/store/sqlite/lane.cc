#include "relay/store/sqlite/lane.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::store::sqlite {

namespace asio = boost::asio;

Lane::Lane(Database database, Tasks tasks, LaneLimits limits)
    : database_(std::move(database)), tasks_(std::move(tasks)), limits_(limits) {}

Lane::~Lane() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  thread_.join();
}

boost::asio::awaitable<Result<void>> Lane::submit(Work work) {
  auto start = [this](auto handler, Work queued) {
    auto executor = asio::get_associated_executor(handler);
    auto busy = asio::prefer(executor, asio::execution::outstanding_work.tracked);
    Call call;
    call.work = std::move(queued);
    // The mark that keeps the loop busy travels with the handler: the loop runs until the caller was resumed. This
    // thread may still be leaving post() then, so the loop has to outlive the lane.
    call.resume = [handler = std::move(handler), executor, busy = std::move(busy)](Result<void> outcome) mutable {
      asio::post(executor, [handler = std::move(handler), busy = std::move(busy),
                            outcome = std::move(outcome)]() mutable { std::move(handler)(std::move(outcome)); });
    };
    if (auto queued_well = enqueue(call); !queued_well) call.resume(std::move(queued_well));
  };
  auto uncancelled = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
  co_return co_await asio::async_initiate<decltype(uncancelled), void(Result<void>)>(std::move(start), uncancelled,
                                                                                     std::move(work));
}

Result<void> Lane::enqueue(Call& call) {
  std::lock_guard lock(mutex_);
  if (closing_) return fail(Errc::unavailable, "the relay's database is closing");
  if (waiting_.size() >= limits_.max_queued) {
    return fail(Errc::exhausted, "too many calls wait for the relay's database: slow down");
  }
  waiting_.push_back(std::move(call));
  if (waiting_.size() == 1) asio::post(thread_, [this] { run_waiting(); });
  return {};
}

void Lane::run_waiting() {
  std::vector<Call> calls;
  {
    std::lock_guard lock(mutex_);
    calls.swap(waiting_);
  }
  for (std::size_t first = 0; first < calls.size(); first += limits_.max_batch) {
    const std::size_t count = std::min(limits_.max_batch, calls.size() - first);
    const std::span batch = std::span(calls).subspan(first, count);
    tasks_.run_batch(database_, batch);
    for (Call& call : batch) call.resume(std::move(call.outcome));
    if (tasks_.after_batch) tasks_.after_batch(database_);
  }
}

void read_each(Database& database, std::span<Call> calls, std::chrono::milliseconds most) {
  for (Call& call : calls) {
    database.give_up_at(std::chrono::steady_clock::now() + most);
    auto begun = database.run("begin");
    call.outcome = begun ? call.work(database) : Result<void>(std::unexpected(begun.error()));
    database.give_up_at(SteadyTime::max());
    if (database.in_transaction()) database.run_quietly("commit");
  }
}

}  // namespace sallyport::store::sqlite
