#include "relay/gateway/doorway.h"

#include "relay/gateway/hung_up.h"
#include "shared/async/timeout.h"

#include <algorithm>
#include <utility>

namespace sallyport::gateway {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

std::unexpected<Error> crowded() {
  return fail(Errc::exhausted, "too many connections of this address have not ended their handshake");
}

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

bool SocketLine::is_gone() const { return has_hung_up(socket_); }

// --- places

std::size_t Doorway::free() const {
  const auto places = room_ ? std::min(limits_.guests, room_()) : limits_.guests;
  return places - std::min(places, guests_);
}

Doorway::Source& Doorway::enter(const std::string& source) {
  auto& entered = sources_[source];
  entered.name = source;
  ++entered.guests;
  ++guests_;
  return entered;
}

void Doorway::leave(Source& source) {
  --guests_;
  if (--source.guests == 0) sources_.erase(sources_.find(source.name));
  has_room_.set();
}

asio::awaitable<void> Doorway::wait_for_room() {
  has_room_.clear();
  co_await has_room_.wait();
}

// --- turns

void Doorway::join_queue(Guest& guest) {
  auto& waiting = guest.source_->waiting;
  guest.ticket_ = next_ticket_++;
  if (waiting.empty()) queue_.emplace(guest.ticket_, guest.source_);
  guest.at_ = waiting.insert(waiting.end(), &guest);
}

void Doorway::leave_queue(Guest& guest) {
  auto& waiting = guest.source_->waiting;
  const bool was_first = waiting.front() == &guest;
  waiting.erase(guest.at_);
  if (!was_first) return;
  queue_.erase(guest.ticket_);
  if (!waiting.empty()) queue_.emplace(waiting.front()->ticket_, guest.source_);
}

// Passes by at most as many sources as there are handshakes under way.
void Doorway::call_next() {
  for (auto it = queue_.begin(); it != queue_.end() && !handshakes_.is_full();) {
    if (!handshakes_.has_place_for(it->second->name)) {
      ++it;
      continue;
    }
    call(*it->second->waiting.front());
    it = queue_.begin();
  }
}

void Doorway::call(Guest& guest) {
  leave_queue(guest);
  guest.stage_ = guest.line_->is_gone() ? Guest::Stage::gone : Guest::Stage::shaking;
  if (guest.stage_ == Guest::Stage::shaking) handshakes_.take(guest.source_->name);
  guest.called_.set();
}

// --- guests

// Where there is no place, the oldest silent one of the same source leaves; where there is none, the newcomer itself.
Doorway::Guest::Guest(Doorway& door, const std::string& source) : door_(door), called_(door.executor_) {
  const auto known = door_.sources_.find(source);
  const auto silent = known == door_.sources_.end() ? 0 : known->second.silent.size();
  const bool fits = silent < door_.free();
  if (!fits && silent == 0) return;
  source_ = &door_.enter(source);
  stage_ = Stage::silent;
  if (!fits) source_->silent.front()->turn_out();
  at_ = source_->silent.insert(source_->silent.end(), this);
}

Doorway::Guest::~Guest() {
  leave_stage();
  give_back();
}

void Doorway::Guest::give_back() {
  auto* source = std::exchange(source_, nullptr);
  if (source == nullptr) return;
  if (std::exchange(is_agent_, false)) {
    --source->agents;
    --door_.agents_;
  }
  door_.leave(*source);
}

void Doorway::Guest::leave_stage() {
  switch (std::exchange(stage_, Stage::spoken)) {
    case Stage::silent: source_->silent.erase(at_); break;
    case Stage::waiting: door_.leave_queue(*this); break;
    case Stage::shaking:
      door_.handshakes_.give_back(source_->name);
      door_.call_next();
      break;
    case Stage::turned_out:
    case Stage::spoken:
    case Stage::gone: break;
  }
}

void Doorway::Guest::turn_out() {
  leave_stage();
  give_back();
  stage_ = Stage::turned_out;
  if (line_ != nullptr) line_->turn_away();
}

void Doorway::Guest::handshake_ended() { leave_stage(); }

asio::awaitable<Result<void>> Doorway::Guest::wait_for_word(Line& line, SteadyTime deadline) {
  if (stage_ == Stage::turned_out) co_return crowded();
  line_ = &line;
  auto spoke = co_await with_deadline(deadline, line.readable());
  line_ = nullptr;
  if (stage_ == Stage::turned_out) co_return crowded();
  if (!spoke) co_return spoke;
  leave_stage();
  if (source_->guests <= kSpoken * (door_.free() + 1)) co_return spoke;
  turn_out();
  co_return crowded();
}

Result<void> Doorway::Guest::join_agents(std::size_t room) {
  if (stage_ != Stage::spoken || is_agent_) return fail(Errc::internal, "only who has said so is an agent, and once");
  const auto free = room - std::min(room, door_.agents_);
  if (free == 0) return fail(Errc::exhausted, "all places for agents are taken");
  if (source_->agents + 1 > kSpoken * free) return crowded();
  is_agent_ = true;
  ++source_->agents;
  ++door_.agents_;
  return {};
}

asio::awaitable<Result<void>> Doorway::Guest::wait_for_turn(Line& line, SteadyTime deadline) {
  if (stage_ != Stage::spoken) co_return fail(Errc::internal, "a guest that has said nothing gets no turn");
  line_ = &line;
  stage_ = Stage::waiting;
  door_.join_queue(*this);
  door_.call_next();
  co_await called_.wait_until(deadline);
  line_ = nullptr;
  // Cancelled first of all: whoever leaves calls the next, also when all of them are told to end.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  if (stage_ == Stage::shaking && !cancelled) co_return Result<void>();
  const bool gone = stage_ == Stage::gone;
  leave_stage();
  if (cancelled) co_return fail(Errc::cancelled, "cancelled");
  if (gone) co_return fail(Errc::unavailable, "the caller closed while it waited for its turn");
  co_return fail(Errc::timed_out, "the connection did not get its turn to shake hands in time");
}

}  // namespace sallyport::gateway
