#include "shared/link/session_impl.h"

#include "proto/sallyport/v1/link.pb.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace sallyport::link {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kIdleRead = 512;  // held as long as the link lives
constexpr std::size_t kSmallRead = 4u << 10;
constexpr std::size_t kLargeRead = 128u << 10;

// What so much memory is read into next time, after so many bytes: 0, the least there is, suffices.
std::size_t chunk_after(std::size_t bytes) {
  if (bytes < kIdleRead) return 0;
  return bytes < kSmallRead ? kSmallRead : kLargeRead;
}

struct SetAtExit {
  Event& event;
  ~SetAtExit() { event.set(); }
};

// Gathers what is offered to one channel in a row, so that its watcher has it all at once.
class Offers {
 public:
  Offers(LinkCore& core, std::span<const std::byte> fed) : core_(core), fed_(fed) {}

  void add(mux::ChannelNumber channel, std::span<const std::byte> payload) {
    if (channel != channel_ || count_ == payloads_.size()) hand_over();
    channel_ = channel;
    payloads_[count_++] = payload;
    if (!is_fed(payload)) hand_over();  // it is the mux's own, and gone with its next call
  }
  void hand_over(LinkCore::Following following = LinkCore::Following::perhaps) {
    const auto count = std::exchange(count_, 0);
    if (count > 0) core_.hand_over(channel_, std::span(payloads_).first(count), following);
  }
  // Before what `next` says happens.
  void hand_over(const mux::MuxEvent& next) {
    const bool is_end = next.channel == channel_ && core_.mux.has_finished(channel_);
    hand_over(is_end ? LinkCore::Following::nothing : LinkCore::Following::perhaps);
  }

 private:
  bool is_fed(std::span<const std::byte> payload) const {
    const auto* const end = std::to_address(fed_.end());
    return !std::less<>()(payload.data(), fed_.data()) && std::less<>()(payload.data(), end);
  }

  LinkCore& core_;
  std::span<const std::byte> fed_;
  mux::ChannelNumber channel_ = 0;
  std::array<std::span<const std::byte>, ChannelWatcher::kMostPieces> payloads_;
  std::size_t count_ = 0;
};

}  // namespace

// With little to read it holds little memory. What fills that is followed by more.
asio::awaitable<void> Session::Impl::read_loop() {
  SetAtExit gone{silent};
  std::array<std::byte, kIdleRead> little;
  for (;;) {
    const auto into = wanted_chunk > 0 ? chunk_of(wanted_chunk) : std::span<std::byte>(little);
    const auto count = co_await stream->read_some(into);
    if (!count) co_return end(LinkEnd::stream_failed, count.error().message);
    if (*count == 0) {
      const auto how = drain_until ? LinkEnd::drained : LinkEnd::peer_closed;
      co_return end(how, "the other side closed the connection");
    }
    wanted_chunk = chunk_after(*count);
    traffic.add(*count, clock.steady());
    // After the end the rest is read and dropped, so that the last message is not lost to a TCP reset.
    if (!core->ended.is_set()) take_bytes(into.first(*count));
  }
}

std::span<std::byte> Session::Impl::chunk_of(std::size_t size) {
  if (chunk_size < size) {
    chunk = std::make_unique_for_overwrite<std::byte[]>(size);
    chunk_size = size;
  }
  return {chunk.get(), chunk_size};
}

void Session::Impl::rest() {
  if (wanted_chunk == 0) {
    chunk.reset();
    chunk_size = 0;
  }
  if (batch.empty()) batch.rest();
  core->mux.rest();
}

bool Session::Impl::take_bytes(std::span<const std::byte> bytes) {
  core->mux.feed(bytes);
  Offers offers(*core, bytes);
  while (!core->ended.is_set()) {
    auto event = core->mux.next();
    if (!event) {
      offers.hand_over();
      break_off(event.error().message);
      return false;
    }
    if (!*event) break;
    if ((*event)->kind == mux::MuxEvent::Kind::offered) {
      offers.add((*event)->channel, (*event)->payload);
    } else {
      offers.hand_over(**event);
      on_event(**event);
    }
  }
  offers.hand_over();
  core->wake_writer();
  core->channels_changed.set();
  return !core->ended.is_set();
}

asio::awaitable<void> Session::Impl::write_loop() {
  SetAtExit gone{written};
  for (;;) {
    core->output.clear();
    core->mux.take_batch(batch);
    if (batch.empty()) {
      if (core->ended.is_set()) co_return;
      co_await core->output.wait();
      continue;
    }
    traffic.add(batch.size(), clock.steady());
    const auto outcome = co_await stream->write_pieces(batch.pieces());
    batch.clear();
    if (!outcome) co_return end(LinkEnd::stream_failed, outcome.error().message);
    core->wake_blocked();
  }
}

asio::awaitable<void> Session::Impl::handshake() {
  const auto deadline = clock.steady() + options.times.handshake;
  if (options.side == mux::Side::agent) send(make_hello(options.self, options.limits.initial_window));
  co_await greeted.wait_until(deadline);
  if (core->ended.is_set()) co_return;
  if (!greeted.is_set()) {
    const auto missing = options.side == mux::Side::agent ? "Welcome" : "Hello";
    co_return end_with_refusal(
        LinkEnd::handshake_timeout,
        {"protocol", fmt::format("P3.3: no {} within {} ms", missing, options.times.handshake.count()),
         kRetryAfterViolation});
  }
  if (options.side == mux::Side::agent) co_return;  // Welcome has started everything

  auto offer = std::move(hello);
  auto refusal = co_await owner.admit(offer->peer);
  if (core->ended.is_set()) co_return;
  if (refusal) co_return end_with_refusal(LinkEnd::refused_peer, *std::move(refusal));
  peer = std::move(offer->peer);
  send(make_welcome(options, peer, unix_ms(clock.wall())));
  core->mux.start(offer->window);
  begin_work();
}

void Session::Impl::begin_work() {
  working = true;
  last_proof = clock.steady();
  work.spawn("heartbeat", heartbeat());
  work.spawn("work", owner.serve(self));
}

// Every interval a Ping; the peer is silent when none was answered for `misses` intervals.
asio::awaitable<void> Session::Impl::heartbeat() {
  const auto interval = options.times.heartbeat;
  const auto patience = interval * options.times.misses;
  auto next_ping = clock.steady();
  Event never(executor);
  for (;;) {
    const auto now = clock.steady();
    if (now - last_proof >= patience) {
      co_return end(LinkEnd::silent_peer,
                    fmt::format("P10.3: no answer from the other side's dispatch path for {} ms", patience.count()));
    }
    if (now >= next_ping) {
      v1::Control message;
      message.mutable_ping()->set_nonce(++last_ping);
      last_ping_at = now;
      send(message);
      next_ping = now + interval;
      rest();
    }
    co_await never.wait_until(std::min(next_ping, last_proof + patience));
  }
}

void Session::Impl::begin_draining(std::chrono::milliseconds drain) {
  if (drain_until || core->ended.is_set()) return;
  drain_until = clock.steady() + drain;
  core->mux.stop_opening();
  work.spawn("drain", drain_loop(*drain_until));
}

asio::awaitable<void> Session::Impl::drain_loop(SteadyTime until) {
  while (core->mux.open_channels() > 0 && clock.steady() < until) {
    core->channels_changed.clear();
    co_await core->channels_changed.wait_until(until);
  }
  const auto left = core->mux.open_channels();
  end(LinkEnd::drained, left == 0 ? "every channel has ended" : fmt::format("time is up with {} channels open", left));
}

// Lets the writer empty its queue; after a Refusal also waits for the peer to close.
asio::awaitable<void> Session::Impl::farewell() {
  const auto deadline = clock.steady() + options.times.farewell;
  switch (core->why.end) {
    case LinkEnd::peer_closed:
    case LinkEnd::stream_failed:
    case LinkEnd::silent_peer:
    case LinkEnd::refused: co_return;
    default: break;
  }
  co_await written.wait_until(deadline);
  if (last_word) co_await silent.wait_until(deadline);
}

}  // namespace sallyport::link
