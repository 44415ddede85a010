#include "relay/gateway/doorway.h"

#include "shared/async/timeout.h"

#include <algorithm>
#include <utility>

namespace sallyport::gateway {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::string_view kCrowded = "too many connections of this address have not ended their handshake";

}  // namespace

asio::awaitable<Result<void>> SocketLine::readable() {
  const auto [bad] = co_await socket_.async_wait(tcp::socket::wait_read, asio::as_tuple(asio::use_awaitable));
  if (bad == asio::error::operation_aborted) co_return fail(Errc::cancelled, "cancelled");
  if (bad) co_return fail(Errc::unavailable, "the socket broke: " + bad.message());
  co_return Result<void>();
}

void SocketLine::turn_away() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

asio::awaitable<void> Doorway::wait_for_room() {
  has_room_.clear();
  co_await has_room_.wait();
}

// The oldest silent one of the same source leaves; where there is none, the newcomer itself.
void Doorway::turn_out_for(Guest& newcomer) {
  const auto oldest = std::ranges::find_if(silent_, [&](const auto* one) { return one->source_ == newcomer.source_; });
  (oldest == silent_.end() ? newcomer : **oldest).turn_out();
}

void Doorway::call_next() {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Guest& next = **it;
    if (!handshakes_.has_place_for(next.source_)) {
      ++it;
      continue;
    }
    it = waiting_.erase(it);
    handshakes_.take(next.source_);
    next.stage_ = Guest::Stage::shaking;
    next.called_.set();
  }
}

Doorway::Guest::Guest(Doorway& door, std::string source)
    : door_(door), source_(std::move(source)), called_(door.executor_) {
  if (!door_.guests_.has_place_for(source_)) door_.turn_out_for(*this);
  if (stage_ == Stage::turned_out) return;
  door_.guests_.take(source_);
  counted_ = true;
  at_ = door_.silent_.insert(door_.silent_.end(), this);
}

Doorway::Guest::~Guest() {
  leave_stage();
  give_back();
}

void Doorway::Guest::give_back() {
  if (std::exchange(counted_, false)) door_.guests_.give_back(source_);
  door_.has_room_.set();
}

void Doorway::Guest::leave_stage() {
  switch (std::exchange(stage_, Stage::done)) {
    case Stage::silent: door_.silent_.erase(at_); break;
    case Stage::waiting: door_.waiting_.erase(at_); break;
    case Stage::shaking:
      door_.handshakes_.give_back(source_);
      door_.call_next();
      break;
    case Stage::turned_out:
    case Stage::done: break;
  }
}

void Doorway::Guest::turn_out() {
  if (counted_) {
    leave_stage();
    give_back();
  }
  stage_ = Stage::turned_out;
  if (line_ != nullptr) line_->turn_away();
}

void Doorway::Guest::handshake_ended() { leave_stage(); }

asio::awaitable<Result<void>> Doorway::Guest::wait_for_word(Line& line, SteadyTime deadline) {
  const auto crowded = [] { return fail(Errc::exhausted, std::string(kCrowded)); };
  if (stage_ == Stage::turned_out) co_return crowded();
  line_ = &line;
  const auto spoke = co_await with_deadline(deadline, line.readable());
  line_ = nullptr;
  if (stage_ == Stage::turned_out) co_return crowded();
  co_return spoke;
}

asio::awaitable<Result<void>> Doorway::Guest::wait_for_turn(Line& line, SteadyTime deadline) {
  SP_CO_CHECK(co_await wait_for_word(line, deadline));
  leave_stage();
  stage_ = Stage::waiting;
  at_ = door_.waiting_.insert(door_.waiting_.end(), this);
  door_.call_next();
  co_await called_.wait_until(deadline);
  // First of all: whoever leaves calls the next, also when all of them are told to end.
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return fail(Errc::cancelled, "cancelled");
  if (stage_ == Stage::shaking) co_return Result<void>();
  co_return fail(Errc::timed_out, "the connection did not get its turn to shake hands in time");
}

}  // namespace sallyport::gateway
