#include "shared/tunnel/splice.h"

#include "shared/async/event.h"
#include "shared/async/socket_options.h"
#include "shared/base/text.h"
#include "shared/tunnel/alarm.h"
#include "shared/tunnel/pacer.h"

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <utility>

namespace sallyport::tunnel {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr std::size_t kTurn = 64u << 10;        // after which others on the loop have theirs
constexpr std::chrono::seconds kLastBytes{5};   // for what came before a reset, when the reader of it is slow
constexpr std::chrono::milliseconds kLook{20};  // between looks at whether they have arrived
constexpr std::chrono::seconds kUrgent{1};      // between looks at a socket that has urgent data and no error
constexpr KeepAlive kKeepAlive{.idle = std::chrono::seconds(60), .interval = std::chrono::seconds(15), .probes = 4};

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

// SO_ERROR, as an option of Asio's.
struct PendingError {
  int number = 0;
  template <class Protocol>
  int level(const Protocol&) const {
    return SOL_SOCKET;
  }
  template <class Protocol>
  int name(const Protocol&) const {
    return SO_ERROR;
  }
  template <class Protocol>
  int* data(const Protocol&) {
    return &number;
  }
  template <class Protocol>
  std::size_t size(const Protocol&) const {
    return sizeof(number);
  }
  template <class Protocol>
  void resize(const Protocol&, std::size_t) {}
};

// One connection. Socket, channel and alarm call back here; a callback under way keeps it alive, and does nothing once
// it is closed.
class Splice final : public Carriage, private link::ChannelWatcher, public std::enable_shared_from_this<Splice> {
 public:
  Splice(tcp::socket& socket, link::Channel& channel, Flow& flow, SpliceLimits limits, OnSpliceEnd on_end)
      : socket_(socket),
        channel_(channel),
        flow_(flow),
        limits_(limits),
        in_{Pacer(limits.bytes_per_second)},
        out_{Pacer(limits.bytes_per_second)},
        on_end_(std::move(on_end)) {}

  void begin();
  void stop() override;
  // A fault ends this connection, and no other.
  template <class Act>
  auto fenced(Act act) -> decltype(act()) {
    try {
      return act();
    } catch (const std::exception& fault) {
      end(SpliceEnd::failed, fault.what());
    }
    return decltype(act())();
  }

 private:
  struct Direction {
    Pacer pace;
    SteadyTime held_until{};  // by the pace
    bool over = false;
    bool posted = false;   // goes on when others have had their turn
    bool waiting = false;  // for the socket
  };

  std::size_t on_bytes(std::span<const std::span<const std::byte>> bytes) override {
    return fenced([&] { return take(bytes, 0); });
  }
  std::size_t on_last_bytes(std::span<const std::span<const std::byte>> bytes) override {
    return fenced([&] { return take(bytes, more_follows()); });
  }
  void on_readable() override {
    fenced([&] { move_out(); });
  }
  void on_writable() override {
    fenced([&] { move_in(); });
  }
  void on_broken() override {
    fenced([&] { broke(); });
  }

  void move_in();   // socket to channel
  void move_out();  // channel to socket
  std::size_t take(std::span<const std::span<const std::byte>> bytes, tcp::socket::message_flags how);
  std::size_t write_socket(std::span<const asio::const_buffer> bytes, tcp::socket::message_flags how);
  bool is_idle(const Direction& direction) const;
  bool holds(Direction& direction, std::size_t moved);
  void go_on_later(Direction& direction, void (Splice::*move)());
  void wait_for(Direction& direction, tcp::socket::wait_type what, void (Splice::*move)());
  void watch_for_reset();
  void look_for_reset();
  void broke();  // the channel

  void socket_input_ended(error_code why);
  void socket_failed(error_code why);
  void channel_output_ended();
  void channel_failed(const Error& why);
  void direction_ended(Direction& direction);
  void end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code = std::nullopt);
  bool has_arrived();
  void close();

  SteadyTime idle_until() const;
  SteadyTime next_look(SteadyTime now) const;
  void look_in_time(SteadyTime now);
  void look_at_time(SteadyTime now);

  tcp::socket& socket_;
  link::Channel& channel_;
  Flow& flow_;
  const SpliceLimits limits_;
  Direction in_, out_;
  SteadyTime last_byte_ = steady_now();
  SteadyTime urgent_until_ = SteadyTime::max();
  SteadyTime socket_until_ = SteadyTime::max();   // what came before its reset has to be through
  SteadyTime channel_until_ = SteadyTime::max();  // the same for the channel's
  bool watching_ = false;                         // for a reset that no read or write would see
  bool over_ = false;                             // what is left is to close it, when its last bytes have arrived
  bool closed_ = false;
  error_code socket_error_;  // the first one: the system tells it once
  SpliceOutcome outcome_;    // once it is over
  Alarm alarm_;
  OnSpliceEnd on_end_;
};

void Splice::begin() {
  error_code bad;
  socket_.non_blocking(true, bad);
  if (bad) return end(SpliceEnd::socket_broken, bad.message());
  channel_.watch(this);
  if (channel_.broken()) broke();
  move_out();
  move_in();
  look_in_time(steady_now());
}

void Splice::stop() {
  if (closed_) return;
  if (!over_) outcome_ = {SpliceEnd::stopped, std::nullopt, "it was stopped on this side"};
  over_ = true;
  close();
}

bool Splice::is_idle(const Direction& direction) const {
  return !over_ && !direction.over && !direction.posted && !direction.waiting && direction.held_until <= steady_now();
}

void Splice::move_in() {
  for (std::size_t moved = 0; is_idle(in_);) {
    const auto room = channel_.prepare(in_.pace.chunk(kTurn));
    if (!room || room->size == 0) return watch_for_reset();  // on_broken() says why, or on_writable() goes on
    std::array<asio::mutable_buffer, mux::WriteRoom::kParts> into;
    std::ranges::transform(room->parts, into.begin(), [](auto part) { return asio::buffer(part.data(), part.size()); });
    error_code bad;
    const auto count = socket_.read_some(into, bad);
    if (bad == asio::error::would_block) return wait_for(in_, tcp::socket::wait_read, &Splice::move_in);
    if (bad) return socket_input_ended(bad);
    last_byte_ = steady_now();
    flow_.to_channel += count;
    channel_.commit(count);
    if (holds(in_, count)) return watch_for_reset();
    const bool may_be_all = flow_.to_channel == count && flow_.from_channel > 0;  // an answer: its end goes with it
    if (count < room->size && !may_be_all) return wait_for(in_, tcp::socket::wait_read, &Splice::move_in);
    moved += count;
    if (moved >= kTurn / 2) return go_on_later(in_, &Splice::move_in);
  }
}

void Splice::move_out() {
  for (std::size_t moved = 0; is_idle(out_);) {
    const auto bytes = channel_.peek();
    if (!bytes) return channel_failed(bytes.error());
    if (!*bytes) return;  // on_bytes() and on_readable() go on
    if ((*bytes)->empty()) return channel_output_ended();
    const asio::const_buffer next((*bytes)->data(), out_.pace.chunk((*bytes)->size()));
    const auto count = write_socket({&next, 1}, 0);
    channel_.consume(count);
    moved += count;
    if (holds(out_, count)) return;
    if (moved >= kTurn) return go_on_later(out_, &Splice::move_out);
  }
}

std::size_t Splice::take(std::span<const std::span<const std::byte>> bytes, tcp::socket::message_flags how) {
  if (!is_idle(out_)) return 0;
  if (out_.pace.limits()) {
    go_on_later(out_, &Splice::move_out);
    return 0;
  }
  std::array<asio::const_buffer, kMostPieces> buffers;
  const auto count = std::min(bytes.size(), buffers.size());
  for (std::size_t i = 0; i < count; ++i) buffers[i] = asio::buffer(bytes[i].data(), bytes[i].size());
  return write_socket(std::span(buffers).first(count), count == bytes.size() ? how : 0);
}

// What the socket does not take goes when it does.
std::size_t Splice::write_socket(std::span<const asio::const_buffer> bytes, tcp::socket::message_flags how) {
  error_code bad;
  const auto count = socket_.send(bytes, how, bad);
  if (count > 0) last_byte_ = steady_now();
  flow_.from_channel += count;
  if (bad && bad != asio::error::would_block) {
    out_.waiting = true;  // for nothing
    socket_failed(bad);
  } else if (count < asio::buffer_size(bytes)) {
    wait_for(out_, tcp::socket::wait_write, &Splice::move_out);
  }
  return count;
}

bool Splice::holds(Direction& direction, std::size_t moved) {
  if (!direction.pace.limits()) return false;
  direction.held_until = direction.pace.spend(moved, last_byte_);
  if (direction.held_until <= last_byte_) return false;
  look_in_time(last_byte_);
  return true;
}

void Splice::go_on_later(Direction& direction, void (Splice::*move)()) {
  direction.posted = true;
  asio::post(socket_.get_executor(), [self = shared_from_this(), &direction, move] {
    direction.posted = false;
    self->fenced([&] { (*self.*move)(); });
  });
}

void Splice::wait_for(Direction& direction, tcp::socket::wait_type what, void (Splice::*move)()) {
  direction.waiting = true;
  socket_.async_wait(what, [self = shared_from_this(), &direction, move](error_code) {
    direction.waiting = false;
    self->fenced([&] { (*self.*move)(); });
  });
}

// While nobody waits for bytes: with the client's half closed, without credit, or held by the pace.
void Splice::watch_for_reset() {
  if (watching_ || over_ || socket_error_) return;
  watching_ = true;
  socket_.async_wait(tcp::socket::wait_error, [self = shared_from_this()](error_code) {
    self->watching_ = false;
    self->fenced([&] { self->look_for_reset(); });
  });
}

void Splice::look_for_reset() {
  if (over_ || socket_error_) return;
  PendingError pending;
  error_code bad;
  socket_.get_option(pending, bad);
  if (pending.number != 0) bad = error_code(pending.number, asio::error::get_system_category());
  if (bad) return socket_failed(bad);
  if (out_.over) return;  // both sides have closed: what is left, move_in() reads
  watching_ = true;
  urgent_until_ = steady_now() + kUrgent;
  look_in_time(steady_now());
}

SteadyTime Splice::idle_until() const {
  return limits_.idle.count() == 0 ? SteadyTime::max() : last_byte_ + limits_.idle;
}

// Whatever is not over by `now`: what is, has been looked at.
SteadyTime Splice::next_look(SteadyTime now) const {
  if (over_) return now + kLook;
  auto at = std::min({idle_until(), urgent_until_, socket_until_, channel_until_});
  for (const auto* direction : {&in_, &out_}) {
    if (direction->held_until > now) at = std::min(at, direction->held_until);
  }
  return at;
}

// Sees to it that look_at_time() is called when there is something to look at.
void Splice::look_in_time(SteadyTime now) {
  if (closed_) return;
  alarm_.set(socket_.get_executor(), next_look(now), [self = shared_from_this()] {
    if (self->closed_) return;
    self->fenced([&] {
      const auto at = steady_now();
      self->look_at_time(at);
      self->look_in_time(at);
    });
  });
}

void Splice::look_at_time(SteadyTime now) {
  if (over_) {
    if (has_arrived()) close();
    return;
  }
  if (now >= idle_until()) return end(SpliceEnd::idle, fmt::format("no byte for {}", format_duration(limits_.idle)));
  if (now >= socket_until_) return end(SpliceEnd::socket_broken, socket_error_.message());
  if (now >= channel_until_) return channel_failed(channel_.broken().value_or(Error{}));
  if (now >= urgent_until_) {
    urgent_until_ = SteadyTime::max();
    watching_ = false;
    watch_for_reset();
  }
  if (!limits_.bytes_per_second) return;
  move_in();
  move_out();
}

void Splice::broke() {
  if (over_) return;
  channel_until_ = std::min(channel_until_, steady_now() + kLastBytes);
  if (out_.over) return channel_failed(channel_.broken().value_or(Error{}));
  move_out();
  look_in_time(steady_now());
}

void Splice::socket_input_ended(error_code why) {
  if (why != asio::error::eof) socket_failed(why);
  if (socket_error_) return end(SpliceEnd::socket_broken, socket_error_.message());
  if (!channel_.finish()) return;
  direction_ended(in_);
  watch_for_reset();
}

// move_in() may still find bytes that came before the reset, and ends this when it has them.
void Splice::socket_failed(error_code why) {
  if (why == asio::error::broken_pipe) why = asio::error::connection_reset;  // the same, after the client's end
  if (!socket_error_) socket_error_ = why;
  socket_until_ = std::min(socket_until_, steady_now() + kLastBytes);
  if (in_.over) return end(SpliceEnd::socket_broken, socket_error_.message());
  look_in_time(steady_now());
}

void Splice::channel_output_ended() {
  error_code bad;
  socket_.shutdown(tcp::socket::shutdown_send, bad);
  if (bad) return socket_failed(bad);
  direction_ended(out_);
}

void Splice::channel_failed(const Error& why) {
  if (auto reset = channel_.peer_reset()) return end(SpliceEnd::channel_broken, std::move(reset->text), reset->code);
  end(SpliceEnd::channel_broken, why.message);
}

void Splice::direction_ended(Direction& direction) {
  direction.over = true;
  if (in_.over && out_.over) return end(SpliceEnd::finished, "");
  if (auto why = channel_.broken(); why && out_.over) channel_failed(*why);  // it had to come after these bytes
}

void Splice::end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code) {
  if (over_) return;
  over_ = true;
  outcome_ = {why, code, std::move(detail)};
  if (why != SpliceEnd::channel_broken || socket_error_) return close();
  channel_until_ = std::min(channel_until_, steady_now() + kLastBytes);
  if (has_arrived()) return close();
  look_in_time(steady_now());
}

// What a reset of the socket discards has not arrived.
bool Splice::has_arrived() {
  PendingError pending;
  error_code bad;
  socket_.get_option(pending, bad);
  return bad || pending.number != 0 || steady_now() >= channel_until_ || unacknowledged(socket_).value_or(0) == 0;
}

void Splice::close() {
  closed_ = true;
  alarm_.drop();
  channel_.watch(nullptr);
  if (outcome_.end == SpliceEnd::finished) {
    (void)set_closing(socket_, Closing::orderly);
  } else if (outcome_.end == SpliceEnd::socket_broken) {
    channel_.reset(mux::ResetCode::broken, outcome_.detail, mux::Unsent::send);
  } else {
    channel_.reset(mux::ResetCode::cancelled, outcome_.detail);
  }
  const auto executor = socket_.get_executor();
  error_code ignored;
  socket_.close(ignored);
  asio::post(executor, [self = shared_from_this()] { self->on_end_(std::move(self->outcome_)); });
}

template <class Socket>
Result<void> prepare_any(Socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(tcp::socket::out_of_band_inline(true), ignored);
  SP_CHECK(set_closing(socket, Closing::by_reset));
  return set_keep_alive(socket, kKeepAlive);
}

}  // namespace

std::string_view to_string(SpliceEnd end) {
  switch (end) {
    case SpliceEnd::finished: return "finished";
    case SpliceEnd::socket_broken: return "socket_broken";
    case SpliceEnd::channel_broken: return "channel_broken";
    case SpliceEnd::idle: return "idle";
    case SpliceEnd::stopped: return "stopped";
    case SpliceEnd::failed: return "failed";
  }
  return "unknown";
}

Result<void> prepare(tcp::socket& socket) { return prepare_any(socket); }
Result<void> prepare(tcp::acceptor& listener) { return prepare_any(listener); }

std::shared_ptr<Carriage> begin_splice(tcp::socket& socket, link::Channel& channel, Flow& flow, SpliceLimits limits,
                                       OnSpliceEnd on_end) {
  auto splice = std::make_shared<Splice>(socket, channel, flow, limits, std::move(on_end));
  splice->fenced([&] { splice->begin(); });
  return splice;
}

asio::awaitable<SpliceOutcome> splice(tcp::socket& socket, link::Channel& channel, Flow& flow, SpliceLimits limits) {
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  std::optional<SpliceOutcome> outcome;
  Event over(co_await asio::this_coro::executor);
  const auto carriage = begin_splice(socket, channel, flow, limits, [&](SpliceOutcome why) {
    outcome = std::move(why);
    over.set();
  });
  while (!outcome) {
    co_await over.wait();
    carriage->stop();
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return *std::move(outcome);
}

}  // namespace sallyport::tunnel
