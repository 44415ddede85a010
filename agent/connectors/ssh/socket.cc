#include "agent/connectors/ssh/socket.h"

#include "agent/connectors/translate.h"
#include "agent/platform/lookups.h"
#include "agent/platform/tcp_connect.h"
#include "shared/async/run.h"
#include "shared/async/socket_options.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

namespace sallyport::connectors::ssh {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::chrono::milliseconds kApart{250};
constexpr KeepAlive kProbes{std::chrono::seconds(30), std::chrono::seconds(10), 3};

asio::awaitable<Result<tcp::socket>> dial(std::string host, std::uint16_t port, SteadyTime deadline) {
  platform::Lookups lookups(co_await asio::this_coro::executor, 1);
  auto addresses = co_await lookups.find(host, port, deadline);
  if (!addresses) co_return std::unexpected(std::move(addresses).error());
  co_return co_await platform::connect_first(*std::move(addresses), kApart, deadline);
}

}  // namespace

StepResult<platform::Fd> connect_socket(const std::string& host, std::uint16_t port, const CallLimits& limits) {
  asio::io_context loop(1);
  const std::stop_callback ends_early(limits.stop, [&loop] { loop.stop(); });
  auto socket = run_to_end(loop, dial(host, port, limits.deadline), "the attempt to connect");
  if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (!socket) return std::unexpected(to_step_error(std::move(socket).error()));
  boost::system::error_code failed;
  socket->set_option(tcp::no_delay(true), failed);
  socket->non_blocking(true, failed);
  if (failed) return step_fail("connection", failed.message());
  SP_CHECK(to_step(set_keep_alive(*socket, kProbes)));
  platform::Fd fd(socket->release(failed));
  if (failed) return step_fail("connection", failed.message());
  return fd;
}

}  // namespace sallyport::connectors::ssh
