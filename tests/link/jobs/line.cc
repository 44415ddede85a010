#include "tests/link/jobs/line.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <stdexcept>

namespace sallyport::test {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {
constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);
}

Line::Line(const asio::any_io_executor& executor, std::uint16_t to_port)
    : to_(asio::ip::address_v4::loopback(), to_port),
      acceptor_(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      tasks_(executor, [](const auto&, const auto&) {}) {
  tasks_.spawn("accept", accept_loop());
}

asio::awaitable<void> Line::accept_loop() {
  for (;;) {
    auto [bad, socket] = co_await acceptor_.async_accept(kAsValue);
    if (bad) co_return;
    auto& wire = wires_.emplace_back(acceptor_.get_executor());
    wire.agent = std::move(socket);
    if (!to_come_.to_relay) wire.to_relay.set();
    if (!to_come_.to_agent) wire.to_agent.set();
    tasks_.spawn("connect", connect(wire));
  }
}

asio::awaitable<void> Line::connect(Wire& wire) {
  const auto [bad] = co_await wire.relay.async_connect(to_, kAsValue);
  if (bad) co_return wire.agent.close();
  tasks_.spawn("to relay", pump(wire.agent, wire.relay, wire.to_relay));
  tasks_.spawn("to agent", pump(wire.relay, wire.agent, wire.to_agent));
}

asio::awaitable<void> Line::pump(Socket& from, Socket& to, Event& alive) {
  std::array<char, 16u << 10> chunk;
  boost::system::error_code ignored;
  for (;;) {
    const auto [ended, count] = co_await from.async_read_some(asio::buffer(chunk), kAsValue);
    co_await alive.wait();
    if (ended) break;
    const auto [bad, sent] = co_await asio::async_write(to, asio::buffer(chunk.data(), count), kAsValue);
    if (bad) break;
  }
  to.shutdown(tcp::socket::shutdown_send, ignored);
}

void Line::die(Dead directions) {
  for (auto& wire : wires_) {
    if (directions.to_relay) wire.to_relay.clear();
    if (directions.to_agent) wire.to_agent.clear();
  }
}

Line::Wire& Line::wire_of(const std::string& peer) {
  for (auto& wire : wires_) {
    boost::system::error_code closed;
    const auto end = wire.relay.local_endpoint(closed);
    if (!closed && peer == fmt::format("{}:{}", end.address().to_string(), end.port())) return wire;
  }
  throw std::logic_error("no line comes out at " + peer);
}

void Line::die(const std::string& peer, Dead directions) {
  auto& wire = wire_of(peer);
  if (directions.to_relay) wire.to_relay.clear();
  if (directions.to_agent) wire.to_agent.clear();
}

void Line::cut(const std::string& peer) {
  auto& wire = wire_of(peer);
  boost::system::error_code ignored;
  for (auto* socket : {&wire.agent, &wire.relay}) socket->close(ignored);
}

void Line::swallow(Dead directions) {
  to_come_ = directions;
  die(directions);
}

asio::awaitable<void> Line::finish() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  tasks_.stop();
  co_await tasks_.join();
}

}  // namespace sallyport::test
