#pragma once

#include "agent/runner/engine_core.h"
#include "agent/runner/sent_holdings.h"

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace sallyport::runner {

// The sending side of the jobs channel: what is held, credit, answers, and the reports of the outbox in order, with a
// bounded number of bytes unconfirmed; from the oldest unconfirmed one again after a new link. On a slow link fewer
// bytes are under way, and a Holding passes between two reports: a long history must not cost a running job its lease.
// Lives on the engine's executor.
class ReportPump {
 public:
  struct Hooks {
    std::function<std::vector<journal::HeldJob>()> held_in_memory;
    std::function<std::uint32_t()> free_slots;
    std::function<std::uint64_t()> assignments_revision;
  };
  ReportPump(EngineCore& core, Hooks hooks) : core_(core), hooks_(std::move(hooks)), room_(core.executor) {}

  asio::awaitable<void> serve(Uplink& uplink);
  void answer(std::string message);           // lost when nobody serves: the relay asks again on the next link
  asio::awaitable<void> wait_for_room();      // until few answers wait, or nobody serves
  Result<void> confirmed(std::uint64_t seq);  // Errc::invalid: never sent
  // Until when a lease holds that rests on this Holding; the next one goes out in time to renew it. Already over when
  // nothing proves that it began after a Holding of ours. Errc::invalid: there never was such a Holding.
  Result<BootTime> lease_end(std::uint64_t holding, std::chrono::milliseconds length);
  void dispatched() { told_slots_ -= told_slots_ > 0 ? 1 : 0, ++held_; }
  // Of jobs that a Holding names, as of the last one: it has to fit into one message, and so has its answer.
  bool holds_too_many() const { return held_ >= core_.options.max_held; }
  void hold_now() { holding_due_ = BootTime::min(), core_.to_send.set(); }

 private:
  asio::awaitable<Result<void>> send_all(Uplink& uplink);
  asio::awaitable<Result<void>> send_holding(Uplink& uplink);
  asio::awaitable<Result<void>> send_ready(Uplink& uplink);
  asio::awaitable<Result<void>> send_health(Uplink& uplink);
  asio::awaitable<Result<void>> send_reports(Uplink& uplink);
  BootTime next_due(const Uplink& uplink) const;

  struct Flight {
    std::uint64_t seq;
    std::size_t bytes;
    BootTime sent_at;
  };
  enum class Load { light, full };
  void adapt(BootTime::duration took, Load load);
  EngineCore& core_;
  Hooks hooks_;
  Event room_;
  bool serving_ = false;
  std::deque<std::string> answers_;
  std::deque<Flight> flight_;
  SentHoldings holdings_;
  std::size_t flight_bytes_ = 0;
  std::size_t window_ = 0;          // bytes that may be unconfirmed
  std::uint64_t sent_seq_ = 0;      // on this link
  std::uint64_t highest_sent_ = 0;  // on any
  std::uint32_t told_slots_ = 0;
  std::size_t held_ = 0;
  BootTime holding_due_{};
  BootTime health_due_{};  // not before
  std::chrono::milliseconds lease_length_{30'000};
};

}  // namespace sallyport::runner
