#include "agent/runner/report_pump.h"

#include "agent/runner/wire.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::runner {
namespace {

constexpr std::size_t kMaxAnswers = 256;
constexpr std::size_t kRowsAtOnce = 128;
constexpr auto kShortestLease = std::chrono::milliseconds(1'500);
constexpr std::size_t kFirstWindow = 256u << 10;
constexpr std::size_t kLeastWindow = 64u << 10;
constexpr auto kUnreadableAgain = std::chrono::seconds(30);
constexpr auto kHealthPause = std::chrono::seconds(1);
constexpr auto kIdleHolding = std::chrono::minutes(5);  // there is no lease to renew

}  // namespace

void ReportPump::answer(std::string message) {
  if (!serving_) return;
  answers_.push_back(std::move(message));
  core_.to_send.set();
}

asio::awaitable<void> ReportPump::wait_for_room() {
  while (serving_ && answers_.size() >= kMaxAnswers) {
    room_.clear();
    co_await room_.wait();
    // The link has ended, and nobody makes room on it any more.
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) co_return;
  }
}

Result<BootTime> ReportPump::lease_end(std::uint64_t holding, std::chrono::milliseconds length) {
  SP_TRY(const BootTime end, holdings_.lease_end(holding, length));
  lease_length_ = std::max(length, kShortestLease);
  if (end == BootTime::min()) return end;
  holding_due_ = std::min(holding_due_, end - length + lease_length_ / 3);
  core_.to_send.set();
  return end;
}

Result<void> ReportPump::confirmed(std::uint64_t seq) {
  if (seq > highest_sent_) return fail(Errc::invalid, "the relay confirmed a report that was never sent");
  if (!flight_.empty() && flight_.front().seq <= seq) {
    adapt(core_.parts.boot_clock.now() - flight_.front().sent_at,
          2 * flight_bytes_ >= window_ ? Load::full : Load::light);
  }
  while (!flight_.empty() && flight_.front().seq <= seq) {
    flight_bytes_ -= flight_.front().bytes;
    flight_.pop_front();
  }
  core_.to_send.set();
  return {};
}

// What is under way takes so long to be confirmed as a Holding behind it takes to get through.
void ReportPump::adapt(BootTime::duration took, Load load) {
  if (took > lease_length_ / 6) {
    window_ = std::max(window_ / 2, kLeastWindow);
  } else if (took < lease_length_ / 12 && load == Load::full) {
    window_ *= 2;
  }
  window_ = std::min(window_, core_.options.report_window);
}

asio::awaitable<void> ReportPump::serve(Uplink& uplink) {
  struct Serving {
    ReportPump& pump;
    explicit Serving(ReportPump& of) : pump(of) { pump.serving_ = true; }
    ~Serving() { pump.serving_ = false, pump.room_.set(); }
  } serving{*this};
  answers_.clear();  // of an earlier link: the relay asks again
  room_.set();
  flight_.clear();
  flight_bytes_ = 0;
  window_ = std::min(kFirstWindow, core_.options.report_window);
  sent_seq_ = 0;
  told_slots_ = 0;
  holding_due_ = BootTime::min();
  core_.health.tell_all_again();
  for (;;) {
    core_.to_send.clear();
    if (const auto sent = co_await send_all(uplink); !sent) {
      if (sent.error().code != Errc::cancelled) core_.parts.log.warn("uplink.failed", {{"why", sent.error().message}});
      co_return;
    }
    co_await core_.to_send.wait_until(core_.timer_at(next_due(uplink)));
  }
}

asio::awaitable<Result<void>> ReportPump::send_all(Uplink& uplink) {
  if (core_.parts.boot_clock.now() >= holding_due_) SP_CO_CHECK(co_await send_holding(uplink));
  while (!answers_.empty()) {
    std::string message = std::move(answers_.front());
    answers_.pop_front();
    room_.set();
    SP_CO_CHECK(co_await uplink.send(std::move(message)));
  }
  SP_CO_CHECK(co_await send_ready(uplink));
  SP_CO_CHECK(co_await send_health(uplink));
  co_return co_await send_reports(uplink);
}

asio::awaitable<Result<void>> ReportPump::send_holding(Uplink& uplink) {
  holding_due_ = core_.parts.boot_clock.now() + lease_length_ / 3;
  SP_CO_TRY(const auto journal, co_await core_.parts.journal.mark());
  SP_CO_TRY(auto held, co_await core_.parts.journal.holding());
  for (auto& job : hooks_.held_in_memory()) {
    if (std::ranges::find(held, job.id, &journal::HeldJob::id) == held.end()) held.push_back(std::move(job));
  }
  held_ = held.size();
  const BootTime now = core_.parts.boot_clock.now();
  if (held.empty()) holding_due_ = now + kIdleHolding;
  const std::uint64_t number = holdings_.add(now);
  co_return co_await uplink.send(wire::encode_holding(number, journal, held, hooks_.assignments_revision()));
}

// Credit is told when there is more of it, or none any more; what dispatches use up the relay counts itself.
asio::awaitable<Result<void>> ReportPump::send_ready(Uplink& uplink) {
  const std::uint32_t slots = hooks_.free_slots();
  if (slots == told_slots_ || (slots < told_slots_ && slots != 0)) co_return Result<void>();
  told_slots_ = slots;
  co_return co_await uplink.send(wire::encode_ready(slots));
}

asio::awaitable<Result<void>> ReportPump::send_health(Uplink& uplink) {
  const BootTime now = core_.parts.boot_clock.now();
  if (!uplink.takes_health() || !core_.health.has_news() || now < health_due_) co_return Result<void>();
  health_due_ = now + kHealthPause;
  co_return co_await uplink.send(wire::encode_health(core_.health.take_news()));
}

BootTime ReportPump::next_due(const Uplink& uplink) const {
  const bool waits = uplink.takes_health() && core_.health.has_news();
  return waits ? std::min(holding_due_, health_due_) : holding_due_;
}

asio::awaitable<Result<void>> ReportPump::send_reports(Uplink& uplink) {
  const auto others_wait = [this] { return !answers_.empty() || core_.parts.boot_clock.now() >= holding_due_; };
  while (flight_bytes_ < window_ && !others_wait()) {
    const std::size_t room = window_ - flight_bytes_;
    const auto rows = co_await core_.parts.journal.outbox_after(sent_seq_, kRowsAtOnce, room);
    if (!rows) {
      core_.parts.log.error("outbox.unreadable", {{"why", rows.error().message}});
      holding_due_ = std::min(holding_due_, core_.parts.boot_clock.now() + kUnreadableAgain);
      break;
    }
    if (rows->empty()) break;
    for (const auto& row : *rows) {
      if (!row.report) core_.parts.log.error("report.lost", {{"job", row.job.value}, {"seq", row.seq}});
      std::string message = wire::encode(row);
      flight_.push_back({row.seq, message.size(), core_.parts.boot_clock.now()});
      flight_bytes_ += message.size();
      sent_seq_ = row.seq;
      highest_sent_ = std::max(highest_sent_, row.seq);
      SP_CO_CHECK(co_await uplink.send(std::move(message)));
      if (others_wait()) break;
    }
  }
  if (others_wait()) core_.to_send.set();
  co_return Result<void>();
}

}  // namespace sallyport::runner
