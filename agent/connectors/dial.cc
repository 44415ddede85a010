#include "agent/connectors/dial.h"

#include "agent/platform/lookups.h"
#include "agent/platform/socket_wait.h"
#include "agent/platform/tcp_connect.h"
#include "shared/async/run.h"
#include "shared/async/socket_options.h"

#include <fmt/format.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <condition_variable>
#include <mutex>

namespace sallyport::connectors {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::chrono::milliseconds kApart{250};
constexpr KeepAlive kProbes{std::chrono::seconds(30), std::chrono::seconds(5), 3};

asio::awaitable<Result<platform::Fd>> connect(std::string host, std::uint16_t port, SteadyTime deadline) {
  platform::Lookups lookups(co_await asio::this_coro::executor, 1);
  SP_CO_TRY(auto addresses, co_await lookups.find(host, port, deadline));
  SP_CO_TRY(auto socket, co_await platform::connect_first(std::move(addresses), kApart, deadline));
  (void)set_keep_alive(socket, kProbes);
  boost::system::error_code bad;
  socket.non_blocking(true, bad);
  socket.set_option(tcp::no_delay(true), bad);
  co_return platform::Fd(socket.release());
}

}  // namespace

StepResult<platform::Fd> dial(const std::string& host, std::uint16_t port, const CallLimits& limits) {
  asio::io_context loop(1);
  asio::cancellation_signal ending;
  Result<platform::Fd> outcome = fail(Errc::cancelled, "stopped");
  asio::co_spawn(loop, keep_outcome(outcome, connect(host, port, limits.deadline)),
                 asio::bind_cancellation_slot(ending.slot(), [&](const std::exception_ptr& fault) {
                   if (fault) outcome = fail(Errc::internal, fault_text(fault));
                 }));
  const std::stop_callback on_stop(limits.stop,
                                   [&] { asio::post(loop, [&] { ending.emit(asio::cancellation_type::terminal); }); });
  loop.run();
  if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (!outcome)
    return step_fail("connection", fmt::format("connecting to {}:{}: {}", host, port, outcome.error().message));
  return *std::move(outcome);
}

CutAtLimits::CutAtLimits(int socket, const CallLimits& limits)
    : at_stop_(limits.stop, Cut{socket}),
      at_deadline_([cut = Cut{socket}, deadline = limits.deadline](const std::stop_token& over) {
        std::mutex mutex;
        std::condition_variable_any changed;
        std::unique_lock lock(mutex);
        changed.wait_until(lock, over, deadline, [] { return false; });
        if (!over.stop_requested()) cut();
      }) {}

void CutAtLimits::Cut::operator()() const { platform::shut_down_socket(socket); }

}  // namespace sallyport::connectors
