#pragma once

#include "relay/store/sqlite/lane.h"

#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>

namespace sallyport::store::sqlite {

// Runs functions `Result<T>(Database&)` on the lane of writes or of reads. They may be run more than once and must not
// consume what they captured.
class Engine {
 public:
  Engine(Database writer, Database reader, LaneLimits limits);

  template <class F>
  boost::asio::awaitable<std::invoke_result_t<const F&, Database&>> write(F work) {
    return on(writes_, std::move(work));
  }
  template <class F>
  boost::asio::awaitable<std::invoke_result_t<const F&, Database&>> read(F work) {
    return on(reads_, std::move(work));
  }
  // What has been written goes from the log into the file, and the log is emptied: right after this, or after the first
  // write that no reader is in the way of.
  boost::asio::awaitable<Result<void>> empty_log() {
    *empty_log_ = true;
    return write([](Database&) { return Result<void>(); });
  }

 private:
  template <class F>
  static boost::asio::awaitable<std::invoke_result_t<const F&, Database&>> on(Lane& lane, F work) {
    std::invoke_result_t<const F&, Database&> outcome = fail(Errc::internal, "the database call was not run");
    Result<void> done = co_await lane.submit([&outcome, &work](Database& database) -> Result<void> {
      outcome = std::as_const(work)(database);
      if (!outcome) return std::unexpected(outcome.error());
      return {};
    });
    if (!done) co_return std::unexpected(std::move(done).error());
    co_return outcome;
  }

  std::shared_ptr<std::atomic<bool>> empty_log_ = std::make_shared<std::atomic<bool>>(false);
  Lane writes_;
  Lane reads_;
};

}  // namespace sallyport::store::sqlite
