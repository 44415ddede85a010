#include "tests/link/doctor/bad_line.h"

#include "shared/async/socket_options.h"
#include "shared/async/timeout.h"

#include <boost/asio/write.hpp>

#include <array>

namespace sallyport::test {
namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

void break_off(tcp::socket& socket) {
  boost::system::error_code ignored;
  (void)set_closing(socket, Closing::by_reset);
  socket.close(ignored);
}

}  // namespace

BadLine::BadLine(const asio::any_io_executor& executor, std::uint16_t to_port, Faults faults)
    : to_(asio::ip::address_v4::loopback(), to_port),
      faults_(faults),
      acceptor_(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      tasks_(executor, [](const auto&, const auto&) {}) {
  tasks_.spawn("accept", accept_loop());
}

asio::awaitable<void> BadLine::accept_loop() {
  for (;;) {
    auto [bad, socket] = co_await acceptor_.async_accept(kAsValue);
    if (bad) co_return;
    auto& wire = wires_.emplace_back(
        Wire{std::move(socket), Socket(acceptor_.get_executor()), std::chrono::steady_clock::now()});
    tasks_.spawn("wire", serve(wire));
  }
}

asio::awaitable<void> BadLine::serve(Wire& wire) {
  const auto [bad] = co_await wire.far.async_connect(to_, kAsValue);
  if (bad) co_return wire.near.close();
  if (faults_.hang_up) {
    std::array<char, 1> one{};
    co_await wire.near.async_read_some(asio::buffer(one), kAsValue);
    co_return break_off(wire.near);
  }
  tasks_.spawn("to relay", pump(wire, wire.near, wire.far, faults_.swallow_from));
  tasks_.spawn("to agent", pump(wire, wire.far, wire.near, 0));
  if (faults_.cut_after > 0ms) tasks_.spawn("watch", watch(wire));
}

asio::awaitable<void> BadLine::pump(Wire& wire, Socket& from, Socket& to, std::size_t swallow_from) {
  std::array<char, 64u << 10> chunk;
  boost::system::error_code ignored;
  for (bool swallows = false;;) {
    const auto [ended, count] = co_await from.async_read_some(asio::buffer(chunk), kAsValue);
    if (ended) break;
    wire.used = std::chrono::steady_clock::now();
    swallows = swallows || (swallow_from > 0 && count >= swallow_from);
    if (swallows) continue;
    const auto [bad, sent] = co_await asio::async_write(to, asio::buffer(chunk.data(), count), kAsValue);
    if (bad) break;
  }
  to.shutdown(tcp::socket::shutdown_send, ignored);
}

asio::awaitable<void> BadLine::watch(Wire& wire) {
  while (std::chrono::steady_clock::now() < wire.used + faults_.cut_after)
    co_await sleep_until(wire.used + faults_.cut_after);
  break_off(wire.near);
  break_off(wire.far);
}

asio::awaitable<void> BadLine::finish() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  tasks_.stop();
  co_await tasks_.join();
}

}  // namespace sallyport::test
