#include "relay/gateway/report_queue.h"

#include <algorithm>
#include <ranges>

namespace sallyport::gateway {

namespace asio = boost::asio;

asio::awaitable<void> ReportQueue::put(jobs::Report report, std::size_t bytes) {
  while (reports_.size() >= kMaxReports || bytes_ >= kMaxBytes) {
    drained_.clear();
    co_await drained_.wait();
  }
  reports_.push_back({std::move(report), bytes});
  bytes_ += bytes;
  arrived_.set();
}

asio::awaitable<std::vector<jobs::Report>> ReportQueue::oldest() {
  while (reports_.empty()) {
    arrived_.clear();
    co_await arrived_.wait();
  }
  std::vector<jobs::Report> batch;
  batch.reserve(std::min(reports_.size(), kAtOnce));
  for (const auto& one : reports_ | std::views::take(kAtOnce)) batch.push_back(one.report);
  co_return batch;
}

void ReportQueue::stored(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    bytes_ -= reports_.front().bytes;
    reports_.pop_front();
  }
  drained_.set();
}

}  // namespace sallyport::gateway
