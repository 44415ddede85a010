#include "agent/link/dialer.h"

#include "agent/platform/tcp_connect.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace sallyport::agent {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kLookups = 2;  // at the same time: a name that hangs leaves the way to another one open

// Beginning with the address of that number.
asio::awaitable<Result<tcp::socket>> connect_any(Endpoint to, std::vector<tcp::endpoint> addresses, std::size_t first,
                                                 SteadyTime deadline) {
  if (!addresses.empty())
    std::ranges::rotate(addresses, addresses.begin() + static_cast<std::ptrdiff_t>(first % addresses.size()));
  auto socket = co_await platform::connect_first(std::move(addresses), kBetweenAddresses, deadline);
  if (socket || socket.error().code == Errc::cancelled) co_return socket;
  co_return in_context("connecting to " + to_string(to), std::move(socket.error()));
}

asio::awaitable<Result<void>> shake_hands(tcp::socket& socket, const Proxy& proxy, Endpoint target) {
  const auto request = connect_request(target, proxy);
  const auto text = request.reveal();
  const auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(text.data(), text.size()), kAsValue);
  if (unsent) co_return fail(Errc::unavailable, fmt::format("proxy {}: {}", to_string(proxy.at), unsent.message()));
  ProxyAnswer answer(proxy.at);
  std::array<std::byte, 1024> chunk;
  for (;;) {
    const auto [bad, count] = co_await socket.async_read_some(asio::buffer(chunk), kAsValue);
    if (bad)
      co_return fail(Errc::unavailable, fmt::format("proxy {} closed the connection before it answered CONNECT: {}",
                                                    to_string(proxy.at), bad.message()));
    SP_CO_TRY(const bool open, answer.feed(std::span(chunk).first(count)));
    if (open) co_return Result<void>();
  }
}

// What a dial knows before it connects.
struct Way {
  Endpoint target;
  std::optional<Proxy> proxy;
  std::vector<tcp::endpoint> addresses;  // of the proxy, or of the target
  SteadyTime deadline;
};

asio::awaitable<Result<tcp::socket>> attempt(const Way& way, unsigned number) {
  if (!way.proxy) co_return co_await connect_any(way.target, way.addresses, number, way.deadline);
  const auto& proxy = *way.proxy;
  auto socket = co_await connect_any(proxy.at, way.addresses, number, way.deadline);
  if (!socket) co_return in_context("the HTTP proxy", std::move(socket.error()));
  auto opened = co_await with_deadline(way.deadline, shake_hands(*socket, proxy, way.target));
  if (!opened && opened.error().code == Errc::timed_out) {
    co_return fail(Errc::timed_out, fmt::format("proxy {} accepted the connection and did not answer CONNECT in time",
                                                to_string(proxy.at)));
  }
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  co_return socket;
}

asio::awaitable<Result<tcp::socket>> attempts(const Way& way, unsigned number);

asio::awaitable<Result<tcp::socket>> another(const Way& way, unsigned number) {
  co_await sleep_for(kAnotherDial);
  co_return co_await attempts(way, number);
}

asio::awaitable<Result<tcp::socket>> attempts(const Way& way, unsigned number) {
  using namespace asio::experimental::awaitable_operators;
  if (number + 1 >= kMostDials) co_return co_await attempt(way, number);
  auto first = co_await (attempt(way, number) || another(way, number + 1));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return std::get<1>(std::move(first));
}

}  // namespace

Dialer::Dialer(const asio::any_io_executor& executor, std::string proxy, Environment environment,
               platform::Lookups::Resolve resolve)
    : proxy_(std::move(proxy)),
      environment_(std::move(environment)),
      lookups_(std::make_unique<platform::Lookups>(executor, kLookups, std::move(resolve))) {}

asio::awaitable<Result<std::vector<tcp::endpoint>>> Dialer::look_up(Endpoint at, SteadyTime deadline) const {
  return lookups_->find(std::move(at.host), at.port, deadline);
}

asio::awaitable<Result<tcp::socket>> Dialer::dial(Endpoint target, SteadyTime deadline) const {
  SP_CO_TRY(auto proxy, choose_proxy(proxy_, environment_, target));
  auto addresses = co_await look_up(proxy ? proxy->at : target, deadline);
  if (!addresses && proxy) co_return in_context("the HTTP proxy", std::move(addresses.error()));
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  const Way way{std::move(target), std::move(proxy), *std::move(addresses), deadline};
  co_return co_await attempts(way, 0);
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (!value) return std::nullopt;
  return value;
}

}  // namespace sallyport::agent
