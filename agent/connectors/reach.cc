#include "agent/connectors/reach.h"

#include "agent/platform/lookups.h"
#include "agent/platform/tcp_connect.h"
#include "shared/async/run.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

namespace sallyport::connectors {
namespace asio = boost::asio;
using asio::ip::tcp;
using findings::Finding;
using findings::Verdict;
namespace {

constexpr std::chrono::milliseconds kApart{250};

std::string listed(const std::vector<tcp::endpoint>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : ", ") + address.address().to_string();
  return text;
}

Finding found(const std::string& host, const Result<std::vector<tcp::endpoint>>& addresses) {
  if (!addresses)
    return {"dns", Verdict::bad, addresses.error().message,
            fmt::format("correct `host` in connections.yaml, or have {} made resolvable here (/etc/resolv.conf, "
                        "/etc/hosts)",
                        host)};
  const auto text = listed(*addresses);
  return {
      "dns", Verdict::good,
      text == host ? fmt::format("{} is an address, nothing to look up", host) : fmt::format("{} is {}", host, text)};
}

Finding connected(const std::string& host, std::uint16_t port, const Result<tcp::socket>& socket) {
  if (socket) {
    boost::system::error_code gone;
    const auto peer = socket->remote_endpoint(gone);
    return {"tcp", Verdict::good, fmt::format("{} takes connections at port {}", peer.address().to_string(), port)};
  }
  return {"tcp", Verdict::bad, fmt::format("{} takes no connection at port {}: {}", host, port, socket.error().message),
          "correct `host` and `port` in connections.yaml, start the server, or have the way to it opened"};
}

asio::awaitable<Result<Reach>> walk(std::string host, std::uint16_t port, SteadyTime deadline) {
  Reach reach;
  platform::Lookups lookups(co_await asio::this_coro::executor, 1);
  auto addresses = co_await lookups.find(host, port, deadline);
  reach.findings.push_back(found(host, addresses));
  if (!addresses) co_return reach;
  const auto socket = co_await platform::connect_first(*std::move(addresses), kApart, deadline);
  reach.findings.push_back(connected(host, port, socket));
  reach.reached = socket.has_value();
  co_return reach;
}

}  // namespace

Reach try_to_reach(const std::string& host, std::uint16_t port, SteadyTime deadline) {
  asio::io_context loop(1);
  auto reach = run_to_end(loop, walk(host, port, deadline), "the attempt to reach it");
  if (reach) return *std::move(reach);
  return {{{"tcp", Verdict::bad, reach.error().message}}, false};
}

}  // namespace sallyport::connectors
