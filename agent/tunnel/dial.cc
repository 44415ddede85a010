#include "agent/tunnel/dial.h"

#include "agent/platform/tcp_connect.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>

namespace sallyport::tunnel {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

// Shared with the timer's callback, which may come after the end.
struct Attempt final : link::ChannelWatcher {
  Attempt(const asio::any_io_executor& on, const link::Channel& wanted_for)
      : channel(wanted_for), socket(on), deadline(on) {}

  std::size_t on_bytes(std::span<const std::span<const std::byte>>) override { return 0; }
  void on_readable() override {}
  void on_writable() override {}
  void on_broken() override {
    const auto why = channel.broken();
    stop({Errc::cancelled, "not wanted any more: " + (why ? why->message : std::string())});
  }
  void stop(Error error) {
    if (why_stopped || over) return;
    why_stopped = std::move(error);
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  const link::Channel& channel;
  tcp::socket socket;
  asio::steady_timer deadline;
  std::optional<Error> why_stopped;
  bool over = false;
};

struct Watch {
  std::shared_ptr<Attempt> attempt;
  explicit Watch(std::shared_ptr<Attempt> of) : attempt(std::move(of)) { attempt->channel.watch(attempt.get()); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    attempt->over = true;
    attempt->deadline.cancel();
    attempt->channel.watch(nullptr);
  }
};

}  // namespace

asio::awaitable<Result<tcp::socket>> connect_while_wanted(tcp::endpoint to, const link::Channel& channel,
                                                          SteadyTime deadline) {
  const auto attempt = std::make_shared<Attempt>(co_await asio::this_coro::executor, channel);
  const Watch watch(attempt);
  attempt->deadline.expires_at(deadline);
  attempt->deadline.async_wait([attempt, to](const auto& cancelled) {
    if (!cancelled) attempt->stop({Errc::timed_out, "no answer in time from " + to.address().to_string()});
  });
  if (channel.broken()) attempt->on_broken();
  if (attempt->why_stopped) co_return std::unexpected(*attempt->why_stopped);
  const auto [bad] = co_await attempt->socket.async_connect(to, asio::as_tuple(asio::use_awaitable));
  if (attempt->why_stopped) co_return std::unexpected(*attempt->why_stopped);
  if (bad == asio::error::operation_aborted) co_return fail(Errc::cancelled, "cancelled while it was connecting");
  if (bad) co_return in_context(to.address().to_string(), platform::connect_error(bad));
  co_return std::move(attempt->socket);
}

}  // namespace sallyport::tunnel
