#include "relay/tunnels/access_log.h"

#include "shared/async/timeout.h"

#include <algorithm>
#include <ranges>

namespace sallyport::tunnels {
namespace asio = boost::asio;
namespace {

constexpr auto kLastRetry = std::chrono::milliseconds(100);

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

bool never_taken(Errc code) {
  return code == Errc::not_found || code == Errc::invalid || code == Errc::conflict || code == Errc::too_large;
}

}  // namespace

AccessLog::AccessLog(const asio::any_io_executor& executor, Parts parts, AccessLogLimits limits)
    : parts_(parts),
      limits_(limits),
      changed_(executor),
      closing_(executor),
      complaints_(limits.complain),
      drops_(limits.complain) {}

void AccessLog::note(const OrgId& org, store::TunnelConnection record) {
  if (const auto known = by_id_.find(record.id); known != by_id_.end()) forget(known->second);
  auto& line = line_of(record);
  enlist(line, line.end(), {org, std::move(record)});
  hold_to_limit();
  if (waiting() == 1 || waiting() >= limits_.batch) changed_.set();
}

void AccessLog::enlist(Line& line, Line::iterator before, Waiting one) {
  const auto at = line.insert(before, std::move(one));
  by_id_[at->record.id] = at;
}

void AccessLog::forget(Line::iterator at) {
  by_id_.erase(at->record.id);
  line_of(at->record).erase(at);
}

void AccessLog::hold_to_limit() {
  while (waiting() > limits_.waiting && !begun_.empty()) forget(begun_.begin());
  while (waiting() > limits_.waiting) {
    forget(closed_.begin());
    parts_.dropped.add();
    if (const auto times = drops_.due(steady_now()))
      parts_.log.error("access_records.dropped", {{"times", *times}, {"message", "too many wait for the database"}});
  }
}

void AccessLog::close(SteadyTime deadline) {
  deadline_ = deadline;
  closing_.set();
  changed_.set();
}

bool AccessLog::is_over() const { return closing_.is_set() && (waiting() == 0 || steady_now() >= deadline_); }

asio::awaitable<void> AccessLog::run() {
  while (!is_over()) {
    changed_.clear();
    if (waiting() == 0) {
      co_await changed_.wait();
      continue;
    }
    co_await gather();
    co_await write_waiting();
  }
  if (closed_.empty()) co_return;
  parts_.dropped.add(closed_.size());
  parts_.log.error("access_records.dropped",
                   {{"times", closed_.size()}, {"message", "the relay stopped before the database took them"}});
}

asio::awaitable<void> AccessLog::gather() {
  const auto until = steady_now() + limits_.gather;
  while (waiting() < limits_.batch && !closing_.is_set() && steady_now() < until) {
    changed_.clear();
    co_await changed_.wait_until(until);
  }
}

// All that waits now, batch by batch: those of many organisations wait no longer than those of one.
asio::awaitable<void> AccessLog::write_waiting() {
  std::size_t left = waiting();
  while (left > 0 && waiting() > 0 && !is_over()) {
    const auto written = co_await write_some();
    if (!written) co_return co_await pause();
    left -= std::min(left, *written);
  }
}

asio::awaitable<void> AccessLog::pause() {
  if (closing_.is_set()) co_return co_await sleep_for(kLastRetry);
  co_await closing_.wait_until(steady_now() + limits_.retry);
}

asio::awaitable<std::optional<std::size_t>> AccessLog::write_some() {
  auto batch = take();
  auto stored = co_await parts_.tunnels.note_connections(batch.org, batch.records);
  const auto size = batch.records.size();
  if (size == 1 && singly_ > 0) --singly_;
  if (stored) co_return size;
  if (!never_taken(stored.error().code)) {
    refused(std::move(batch), stored.error());
    co_return std::nullopt;
  }
  if (size == 1) {
    drop(batch, stored.error());
    co_return 1;
  }
  singly_ = size;
  put_back(std::move(batch));
  co_return 0;
}

AccessLog::Batch AccessLog::take() {
  const std::size_t most = singly_ > 0 ? 1 : limits_.batch;
  Batch batch{closed_.empty() ? begun_.front().org : closed_.front().org, {}};
  take_from(closed_, batch, most);
  take_from(begun_, batch, most);
  return batch;
}

void AccessLog::take_from(Line& line, Batch& batch, std::size_t most) {
  for (auto at = line.begin(); at != line.end() && batch.records.size() < most;) {
    const auto one = at++;
    if (one->org != batch.org) continue;
    batch.records.push_back(one->record);
    forget(one);
  }
}

// A connection that has ended since waits with its end already.
void AccessLog::put_back(Batch batch) {
  for (auto& record : batch.records | std::views::reverse) {
    if (by_id_.contains(record.id)) continue;
    auto& line = line_of(record);
    enlist(line, line.begin(), {batch.org, std::move(record)});
  }
  hold_to_limit();
}

void AccessLog::refused(Batch batch, const Error& why) {
  put_back(std::move(batch));
  if (const auto times = complaints_.due(steady_now())) {
    parts_.log.error("access_records.not_stored",
                     {{"message", why.message}, {"times", *times}, {"waiting", waiting()}});
  }
}

void AccessLog::drop(const Batch& batch, const Error& why) {
  const auto& record = batch.records.front();
  if (record.closed_at) parts_.dropped.add();
  if (const auto times = drops_.due(steady_now()))
    parts_.log.error("access_records.dropped",
                     {{"times", *times}, {"tunnel", record.tunnel.value}, {"message", why.message}});
}

}  // namespace sallyport::tunnels
