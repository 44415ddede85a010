#include "relay/gateway/jobs_seat.h"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace sallyport::gateway {
namespace asio = boost::asio;

JobsSeat::JobsSeat(JobsSeats& seats, const asio::any_io_executor& executor, AgentId agent,
                   std::function<void()> make_way)
    : seats_(seats), agent_(std::move(agent)) {
  auto& newest = seats_.newest_[agent_];
  turn_ = std::make_shared<JobsSeats::Turn>(executor, newest);
  turn_->make_way = std::move(make_way);
  if (auto former = std::exchange(newest, turn_); former && former->make_way)
    std::exchange(former->make_way, nullptr)();
}

JobsSeat::~JobsSeat() {
  turn_->make_way = nullptr;
  turn_->left.set();
  const auto it = seats_.newest_.find(agent_);
  // Whoever waits for this one waits for those before as well.
  if (it == seats_.newest_.end() || it->second != turn_) return;
  auto before = turn_->before;
  while (before && before->left.is_set()) before = before->before;
  if (before) {
    it->second = std::move(before);
  } else {
    seats_.newest_.erase(it);
  }
}

asio::awaitable<bool> JobsSeat::taken() {
  while (turn_->before) {
    const auto former = turn_->before;
    co_await former->left.wait();
    if (!former->left.is_set()) co_return false;
    turn_->before = former->before;
  }
  co_return true;
}

}  // namespace sallyport::gateway
