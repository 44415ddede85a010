#include "tests/unit/shared/tunnel/tunnel_rig.h"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

namespace sallyport::test {
namespace asio = boost::asio;
using boost::system::error_code;
namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> take_one(link::Session& session, std::optional<link::Channel>& channel) {
  auto incoming = co_await session.accept_channel();
  if (incoming) channel.emplace(std::move(incoming->channel));
}

asio::awaitable<void> carry(TunnelRig::Side& side) {
  side.end = co_await tunnel::splice(*side.near, *side.channel, side.flow, side.limits);
}

}  // namespace

asio::awaitable<SocketPair> connected_pair(int kernel_buffers) {
  const auto on = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(on, {asio::ip::address_v4::loopback(), 0});
  SocketPair pair{tcp::socket(on), tcp::socket(on)};
  if (kernel_buffers > 0) acceptor.set_option(tcp::socket::receive_buffer_size(kernel_buffers));
  pair.outer.open(tcp::v4());
  if (kernel_buffers > 0) pair.outer.set_option(tcp::socket::receive_buffer_size(kernel_buffers));
  pair.outer.connect(acceptor.local_endpoint());  // completes by the listener's backlog
  pair.inner = acceptor.accept();
  if (kernel_buffers > 0) {
    pair.outer.set_option(tcp::socket::send_buffer_size(kernel_buffers));
    pair.inner.set_option(tcp::socket::send_buffer_size(kernel_buffers));
  }
  co_return pair;
}

asio::awaitable<std::string> read_to_end(tcp::socket& socket) {
  std::string all(1u << 20, '\0');
  const auto [bad, count] = co_await asio::async_read(socket, asio::buffer(all), kAsValue);
  if (bad != asio::error::eof) FAIL_CHECK("no clean end: " << bad.message());
  all.resize(count);
  co_return all;
}

asio::awaitable<std::string> read_until(tcp::socket& socket, std::size_t size) {
  std::string all(size, '\0');
  const auto [bad, count] = co_await asio::async_read(socket, asio::buffer(all), kAsValue);
  if (bad) FAIL_CHECK("reading: " << bad.message());
  all.resize(count);
  co_return all;
}

asio::awaitable<error_code> read_error(tcp::socket& socket) {
  std::string some(64u << 10, '\0');
  for (;;) {
    const auto [bad, count] = co_await socket.async_read_some(asio::buffer(some), kAsValue);
    if (bad) co_return bad;
  }
}

asio::awaitable<void> send(tcp::socket& socket, std::string text) {
  const auto [bad, count] = co_await asio::async_write(socket, asio::buffer(text), kAsValue);
  if (bad) FAIL_CHECK("writing: " << bad.message());
}

void finish(tcp::socket& socket) { socket.shutdown(tcp::socket::shutdown_send); }

void reset_by_rst(tcp::socket& socket) {
  socket.set_option(tcp::socket::linger(true, 0));
  socket.close();
}

TunnelRig::Side::Side(const asio::any_io_executor& executor)
    : task(executor, [](const auto& name, const auto& why) { FAIL_CHECK(name << ": " << why); }) {}

TunnelRig::TunnelRig(asio::any_io_executor executor) : on(executor), link(executor), relay(executor), agent(executor) {
  link.agent_options.serves = {"tunnel/1"};
  link.agent.owner.work = [this](link::Session& session) { return take_one(session, agent.channel); };
}

asio::awaitable<void> TunnelRig::start(tunnel::SpliceLimits relay_limits, int kernel_buffers) {
  link.start();
  const bool ready = co_await link.until([&] { return link.relay.session->proven(); });
  REQUIRE(ready);
  auto opened = link.relay.session->open_channel("tunnel/1 target:1");
  REQUIRE(opened);
  relay.channel.emplace(std::move(*opened));
  const bool taken = co_await link.until([&] { return agent.channel.has_value(); });
  REQUIRE(taken);
  relay.limits = relay_limits;
  for (auto* side : {&relay, &agent}) {
    auto pair = co_await connected_pair(kernel_buffers);
    side->far.emplace(std::move(pair.outer));
    side->near.emplace(std::move(pair.inner));
    REQUIRE(tunnel::prepare(*side->near));
    side->task.spawn("splice", carry(*side));
  }
}

asio::awaitable<void> TunnelRig::until_over() {
  const bool over = co_await link.until([&] { return relay.end && agent.end; });
  REQUIRE(over);
}

asio::awaitable<void> TunnelRig::close() {
  for (auto* side : {&relay, &agent}) {
    side->task.stop();
    co_await side->task.join();
    side->channel.reset();
  }
  link.agent.session->stop("test is over");
  co_await link.join();
}

}  // namespace sallyport::test
