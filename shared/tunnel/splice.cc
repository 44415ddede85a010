#include "shared/tunnel/splice.h"

#include "shared/async/event.h"
#include "shared/async/socket_options.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/base/text.h"
#include "shared/tunnel/pacer.h"

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <memory>
#include <span>

namespace sallyport::tunnel {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr std::size_t kBuffer = 32u << 10;
constexpr std::size_t kTurn = 256u << 10;       // after which others on the loop have theirs
constexpr std::chrono::seconds kLastBytes{5};   // for what came before a reset, when the reader of it is slow
constexpr std::chrono::milliseconds kLook{20};  // between looks at whether they have arrived
constexpr std::chrono::seconds kUrgent{1};      // between looks at a socket that has urgent data and no error
constexpr KeepAlive kKeepAlive{.idle = std::chrono::seconds(60), .interval = std::chrono::seconds(15), .probes = 4};
constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

// 32 KiB while bytes flow, nothing while none do.
class Buffer {
 public:
  std::span<std::byte> take(std::size_t size) {
    if (!bytes_) bytes_ = std::make_unique_for_overwrite<std::byte[]>(kBuffer);
    return {bytes_.get(), size};
  }
  void give_back() { bytes_.reset(); }

 private:
  std::unique_ptr<std::byte[]> bytes_;
};

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

class Splice {
 public:
  Splice(const asio::any_io_executor& on, tcp::socket& socket, link::Channel& channel, Flow& flow, SpliceLimits limits)
      : socket_(socket),
        channel_(channel),
        flow_(flow),
        limits_(limits),
        over_(on),
        tasks_(on, [this](const auto& task, const auto& why) { end(SpliceEnd::stopped, task + ": " + why); }) {}

  asio::awaitable<SpliceOutcome> run();

 private:
  asio::awaitable<void> carry_in();   // socket to channel
  asio::awaitable<void> carry_out();  // channel to socket
  asio::awaitable<void> watch_socket();
  asio::awaitable<void> watch_channel();

  Result<void> prepare_socket();
  asio::awaitable<bool> write_socket(std::span<const std::byte> bytes);
  void socket_input_ended(error_code why);
  void socket_failed(error_code why);
  void channel_output_ended();
  void channel_failed(const Error& why);
  void direction_ended(bool& direction);
  void end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code = std::nullopt);
  asio::awaitable<void> await_arrival();
  void close(const SpliceOutcome& outcome);
  SteadyTime idle_until() const;

  tcp::socket& socket_;
  link::Channel& channel_;
  Flow& flow_;
  const SpliceLimits limits_;
  SteadyTime last_byte_ = std::chrono::steady_clock::now();
  bool in_over_ = false;
  bool out_over_ = false;
  error_code socket_error_;  // the first one: the system tells it once
  SteadyTime last_bytes_until_ = SteadyTime::max();
  std::optional<SpliceOutcome> outcome_;
  Event over_;
  TaskGroup tasks_;
};

asio::awaitable<SpliceOutcome> Splice::run() {
  if (const auto ready = prepare_socket(); !ready) end(SpliceEnd::socket_broken, ready.error().message);
  tasks_.spawn("socket to channel", carry_in());
  tasks_.spawn("channel to socket", carry_out());
  tasks_.spawn("watch over the socket", watch_socket());
  tasks_.spawn("watch over the channel", watch_channel());
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  while (!outcome_ && cancellation.cancelled() == asio::cancellation_type::none) {
    co_await over_.wait_until(idle_until());
    if (std::chrono::steady_clock::now() >= idle_until()) {
      end(SpliceEnd::idle, fmt::format("no byte for {}", format_duration(limits_.idle)));
    }
  }
  auto outcome = outcome_.value_or(SpliceOutcome{SpliceEnd::stopped, std::nullopt, "it was stopped on this side"});
  if (outcome.end == SpliceEnd::channel_broken) co_await await_arrival();
  close(outcome);
  tasks_.stop();
  co_await tasks_.join();
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return outcome;
}

// Urgent bytes are carried as ordinary ones, so that none is lost. Whatever ends this process before both directions
// have ended must not look like their end.
Result<void> Splice::prepare_socket() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(tcp::socket::out_of_band_inline(true), ignored);
  socket_.non_blocking(true, ignored);
  SP_CHECK(set_closing(socket_, Closing::by_reset));
  return set_keep_alive(socket_, kKeepAlive);
}

SteadyTime Splice::idle_until() const {
  return limits_.idle.count() == 0 ? SteadyTime::max() : last_byte_ + limits_.idle;
}

asio::awaitable<void> Splice::carry_in() {
  Buffer buffer;
  Pacer pace(limits_.bytes_per_second);
  for (bool drained = true;;) {
    if (drained) {
      buffer.give_back();
      co_await socket_.async_wait(tcp::socket::wait_read, kAsValue);
    }
    error_code bad;
    const auto into = buffer.take(pace.chunk(kBuffer));
    const auto count = socket_.read_some(asio::buffer(into.data(), into.size()), bad);
    drained = bad == asio::error::would_block || count < into.size();
    if (bad == asio::error::would_block) continue;
    if (bad) co_return socket_input_ended(bad);
    last_byte_ = std::chrono::steady_clock::now();
    if (!co_await channel_.write(into.first(count))) co_return;  // watch_channel() says why
    flow_.to_channel += count;
    if (!pace.limits()) continue;
    buffer.give_back();
    co_await sleep_until(pace.spend(count, std::chrono::steady_clock::now()));
  }
}

asio::awaitable<void> Splice::carry_out() {
  Buffer buffer;
  Pacer pace(limits_.bytes_per_second);
  const auto loop = co_await asio::this_coro::executor;
  for (std::size_t moved = 0;;) {
    if (!channel_.readable()) {
      buffer.give_back();
      if (!co_await channel_.wait_readable()) co_return;
    }
    if (moved >= kTurn) {
      co_await asio::post(loop, asio::use_awaitable);
      moved = 0;
    }
    const auto into = buffer.take(pace.chunk(kBuffer));
    const auto count = co_await channel_.read_some(into);
    if (!count) co_return channel_failed(count.error());
    if (*count == 0) co_return channel_output_ended();
    if (!co_await write_socket(into.first(*count))) co_return;
    moved += *count;
    if (!pace.limits()) continue;
    buffer.give_back();
    co_await sleep_until(pace.spend(*count, std::chrono::steady_clock::now()));
  }
}

asio::awaitable<bool> Splice::write_socket(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    error_code bad;
    const auto count = socket_.write_some(asio::buffer(bytes.data(), bytes.size()), bad);
    if (bad == asio::error::would_block) {
      co_await socket_.async_wait(tcp::socket::wait_write, kAsValue);
      continue;
    }
    if (bad) {
      socket_failed(bad);
      co_return false;
    }
    last_byte_ = std::chrono::steady_clock::now();
    flow_.from_channel += count;
    bytes = bytes.subspan(count);
  }
  co_return true;
}

// A reset is seen here also while no byte can be read or written: with the client's half closed, or without credit.
asio::awaitable<void> Splice::watch_socket() {
  while (!socket_error_) {
    co_await socket_.async_wait(tcp::socket::wait_error, kAsValue);
    PendingError pending;
    error_code bad;
    socket_.get_option(pending, bad);
    if (pending.number != 0) bad = error_code(pending.number, asio::error::get_system_category());
    if (bad) socket_failed(bad);
    if (!socket_error_ && out_over_) co_return;  // both sides have closed: what is left, carry_in() reads
    if (!socket_error_) co_await sleep_for(kUrgent);
  }
  co_await sleep_for(kLastBytes);
  end(SpliceEnd::socket_broken, socket_error_.message());
}

asio::awaitable<void> Splice::watch_channel() {
  const auto why = co_await channel_.wait_broken();
  last_bytes_until_ = std::chrono::steady_clock::now() + kLastBytes;
  if (!out_over_) co_await sleep_until(last_bytes_until_);
  channel_failed(why);
}

// A reset discards what has not arrived.
asio::awaitable<void> Splice::await_arrival() {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  const auto until = std::min(last_bytes_until_, std::chrono::steady_clock::now() + kLastBytes);
  while (!socket_error_ && cancellation.cancelled() == asio::cancellation_type::none &&
         std::chrono::steady_clock::now() < until && unacknowledged(socket_).value_or(0) > 0) {
    co_await sleep_for(kLook);
  }
}

void Splice::socket_input_ended(error_code why) {
  if (why != asio::error::eof) socket_failed(why);
  if (socket_error_) return end(SpliceEnd::socket_broken, socket_error_.message());
  if (channel_.finish()) direction_ended(in_over_);
}

// carry_in() may still find bytes that came before the reset, and ends this when it has them.
void Splice::socket_failed(error_code why) {
  if (why == asio::error::broken_pipe) why = asio::error::connection_reset;  // the same, after the client's end
  if (!socket_error_) socket_error_ = why;
  if (in_over_) end(SpliceEnd::socket_broken, socket_error_.message());
}

void Splice::channel_output_ended() {
  error_code bad;
  socket_.shutdown(tcp::socket::shutdown_send, bad);
  if (bad) return socket_failed(bad);
  direction_ended(out_over_);
}

void Splice::channel_failed(const Error& why) {
  if (auto reset = channel_.peer_reset()) return end(SpliceEnd::channel_broken, std::move(reset->text), reset->code);
  end(SpliceEnd::channel_broken, why.message);
}

void Splice::direction_ended(bool& direction) {
  direction = true;
  if (in_over_ && out_over_) end(SpliceEnd::finished, "");
}

void Splice::end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code) {
  if (outcome_) return;
  outcome_ = SpliceOutcome{why, code, std::move(detail)};
  over_.set();
}

void Splice::close(const SpliceOutcome& outcome) {
  if (outcome.end == SpliceEnd::finished) {
    (void)set_closing(socket_, Closing::orderly);
  } else if (outcome.end == SpliceEnd::socket_broken) {
    channel_.reset(mux::ResetCode::broken, outcome.detail, mux::Unsent::send);
  } else {
    channel_.reset(mux::ResetCode::cancelled, outcome.detail);
  }
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace

std::string_view to_string(SpliceEnd end) {
  switch (end) {
    case SpliceEnd::finished: return "finished";
    case SpliceEnd::socket_broken: return "socket_broken";
    case SpliceEnd::channel_broken: return "channel_broken";
    case SpliceEnd::idle: return "idle";
    case SpliceEnd::stopped: return "stopped";
  }
  return "unknown";
}

asio::awaitable<SpliceOutcome> splice(tcp::socket& socket, link::Channel& channel, Flow& flow, SpliceLimits limits) {
  Splice work(co_await asio::this_coro::executor, socket, channel, flow, limits);
  co_return co_await work.run();
}

}  // namespace sallyport::tunnel
