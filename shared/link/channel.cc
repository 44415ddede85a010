#include "shared/link/channel.h"

#include "shared/link/link_core.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <array>

namespace sallyport::link {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadSize = 16u << 10;

// Ends what was begun to be sent: the next sender goes on, and what did not get out whole takes the channel with it,
// because what follows would be read as its rest. A channel that the other side has reset may still be read.
struct Sending {
  std::shared_ptr<ChannelState> state;
  bool whole = false;

  explicit Sending(std::shared_ptr<ChannelState> of) : state(std::move(of)) { state->sending = true; }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;
  ~Sending() {
    state->sending = false;
    if (state->waiting) state->waiting->sender_gone.set();
    if (whole || state->core->ended.is_set() || state->core->mux.peer_reset(state->number)) return;
    state->core->mux.reset(state->number, mux::ResetCode::cancelled, "a write was broken off");
    state->core->wake_writer();
  }
};

// Returns when a read may find something, at the latest when the link ended. A link's end cancels those who read on it:
// what came just before is theirs all the same.
asio::awaitable<Result<void>> wait_for_more(std::shared_ptr<ChannelState> state) {
  if (state->core->ended.is_set()) co_return std::unexpected(state->core->ended_error());
  const auto cancelled = [](auto now) { return now.cancelled() != asio::cancellation_type::none; };
  if (!cancelled(co_await asio::this_coro::cancellation_state)) co_await state->waits().readable.wait();
  if (state->core->ended.is_set() && state->core->mux.readable(state->number)) co_return Result<void>();
  if (cancelled(co_await asio::this_coro::cancellation_state))
    co_return fail(Errc::cancelled, "the read was cancelled");
  co_return Result<void>();
}

Result<std::optional<std::size_t>> read_now(ChannelState& state, std::span<std::byte> into) {
  if (state.waiting) state.waiting->readable.clear();
  auto count = state.core->mux.read(state.number, into);
  state.core->wake_writer();
  return count;
}

// Its buffer is on the stack, so that a channel that waits for a message holds none.
Result<std::optional<std::size_t>> feed_messages(ChannelState& state) {
  std::array<std::byte, kReadSize> chunk;
  auto count = read_now(state, chunk);
  if (count && *count) state.messages.feed(std::span(chunk).first(**count));
  return count;
}

asio::awaitable<Result<void>> wait_turn(std::shared_ptr<ChannelState> state) {
  while (state->sending) {
    state->waits().sender_gone.clear();
    co_await state->waits().sender_gone.wait();
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      co_return fail(Errc::cancelled, "cancelled before the first byte was sent");
    }
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> write_to(std::shared_ptr<ChannelState> state, std::span<const std::byte> bytes) {
  auto& core = *state->core;
  while (!bytes.empty()) {
    if (core.ended.is_set()) co_return std::unexpected(core.ended_error());
    if (state->waiting) state->waiting->writable.clear();
    SP_CO_TRY(const auto count, core.mux.write(state->number, bytes));
    core.wake_writer();
    bytes = bytes.subspan(count);
    if (bytes.empty()) break;
    co_await state->waits().writable.wait();
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      co_return fail(Errc::cancelled, "the write was cancelled");
    }
  }
  co_return Result<void>();
}

}  // namespace

Channel& Channel::operator=(Channel&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Channel::~Channel() {
  if (!state_) return;
  state_->watcher = nullptr;
  state_->core->release(state_->number);
}

mux::ChannelNumber Channel::number() const { return state_->number; }

asio::awaitable<Result<std::size_t>> Channel::read_some(std::span<std::byte> into) const {
  auto state = state_;
  for (;;) {
    SP_CO_TRY(const auto count, read_now(*state, into));
    if (count) co_return *count;
    SP_CO_CHECK(co_await wait_for_more(state));
  }
}

bool Channel::readable() const { return state_->core->ended.is_set() || state_->core->mux.readable(state_->number); }

asio::awaitable<Result<void>> Channel::wait_readable() const {
  auto state = state_;
  while (!state->core->ended.is_set() && !state->core->mux.readable(state->number)) {
    if (state->waiting) state->waiting->readable.clear();
    SP_CO_CHECK(co_await wait_for_more(state));
  }
  co_return Result<void>();
}

asio::awaitable<Error> Channel::wait_broken() const {
  auto state = state_;
  if (!state->core->ended.is_set() && !state->core->mux.peer_reset(state->number)) {
    co_await state->waits().broken.wait();
  }
  if (const auto reset = state->core->mux.peer_reset(state->number)) {
    co_return mux::reset_error(state->number, *reset);
  }
  if (state->core->ended.is_set()) co_return state->core->ended_error();
  co_return Error{Errc::cancelled, "the wait was cancelled"};
}

void Channel::watch(ChannelWatcher* watcher) const {
  state_->watcher = watcher;
  state_->core->mux.set_arrival(state_->number, watcher ? mux::Arrival::offered : mux::Arrival::kept);
}

Result<std::optional<std::span<const std::byte>>> Channel::peek() const {
  auto& core = *state_->core;
  SP_TRY(const auto bytes, core.mux.peek(state_->number));
  if (!bytes && core.ended.is_set()) return std::unexpected(core.ended_error());
  return bytes;
}

void Channel::consume(std::size_t count) const {
  state_->core->mux.consume(state_->number, count);
  state_->core->wake_writer();
}

Result<mux::WriteRoom> Channel::prepare(std::size_t most) const {
  if (state_->core->ended.is_set()) return std::unexpected(state_->core->ended_error());
  return state_->core->mux.prepare(state_->number, most);
}

void Channel::commit(std::size_t count) const {
  state_->core->mux.commit(state_->number, count);
  state_->core->wake_writer();
}

std::optional<Error> Channel::broken() const {
  const auto& core = *state_->core;
  if (const auto reset = core.mux.peer_reset(state_->number)) return mux::reset_error(state_->number, *reset);
  if (core.ended.is_set()) return core.ended_error();
  return std::nullopt;
}

std::optional<mux::PeerReset> Channel::peer_reset() const { return state_->core->mux.peer_reset(state_->number); }

asio::awaitable<Result<void>> Channel::write(std::span<const std::byte> bytes) const {
  auto state = state_;
  SP_CO_CHECK(co_await wait_turn(state));
  Sending turn(state);
  SP_CO_CHECK(co_await write_to(state, bytes));
  turn.whole = true;
  co_return Result<void>();
}

Result<void> Channel::finish() const {
  if (state_->core->ended.is_set()) return std::unexpected(state_->core->ended_error());
  auto outcome = state_->core->mux.finish(state_->number);
  state_->core->wake_writer();
  return outcome;
}

void Channel::reset(mux::ResetCode code, std::string_view text, mux::Unsent unsent) const {
  if (!state_->core->ended.is_set()) state_->core->mux.reset(state_->number, code, text, unsent);
  state_->core->wake_writer();
  if (!state_->waiting) return;
  state_->waiting->readable.set();
  state_->waiting->writable.set();
}

asio::awaitable<Result<void>> Channel::send_message(std::string message) const {
  auto state = state_;
  if (message.size() > mux::kMaxMessage) {
    co_return fail(Errc::too_large,
                   fmt::format("a message of {} bytes, at most {} fit on a channel", message.size(), mux::kMaxMessage));
  }
  SP_CO_CHECK(co_await wait_turn(state));
  Sending turn(state);
  const auto prefix = mux::message_prefix(message.size());
  SP_CO_CHECK(co_await write_to(state, prefix));
  SP_CO_CHECK(co_await write_to(state, as_bytes(message)));
  turn.whole = true;
  co_return Result<void>();
}

asio::awaitable<Result<std::optional<Bytes>>> Channel::receive_message() const {
  auto state = state_;
  for (;;) {
    SP_CO_TRY(auto message, state->messages.next());
    if (message) co_return std::move(message);
    SP_CO_TRY(const auto count, feed_messages(*state));
    if (!count) {
      SP_CO_CHECK(co_await wait_for_more(state));
    } else if (*count == 0) {
      SP_CO_CHECK(state->messages.finish());
      co_return std::nullopt;
    }
  }
}

}  // namespace sallyport::link
