#include "agent/connectors/certificate/shown.h"
#include "agent/platform/lookups.h"
#include "agent/platform/tcp_connect.h"
#include "shared/async/run.h"
#include "shared/async/timeout.h"
#include "shared/tls/context.h"
#include "shared/tls/stream.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>

namespace sallyport::connectors::certificate {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
namespace {

using Chain = std::vector<crypto::Certificate>;

constexpr std::chrono::milliseconds kApart{250};
constexpr std::chrono::seconds kPatience{5};  // what is left of the test's time is the library's

Error broke(const boost::system::error_code& why) {
  return {Errc::unavailable, "the connection broke: " + why.message()};
}

awaitable<Result<void>> talk(tcp::socket& socket, Prelude& prelude) {
  std::array<std::byte, 2048> buffer{};
  for (;;) {
    const auto words = prelude.take_output();
    const auto text = words.reveal();
    const auto [unsent, sent] =
        co_await asio::async_write(socket, asio::buffer(text.data(), text.size()), asio::as_tuple(asio::use_awaitable));
    if (unsent) co_return std::unexpected(broke(unsent));
    if (prelude.is_done()) co_return Result<void>();
    const auto [unread, count] =
        co_await socket.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (unread) co_return std::unexpected(broke(unread));
    SP_CO_CHECK(prelude.feed(std::span(buffer).first(count)));
  }
}

struct Way {
  std::string host;  // of the first hop
  std::uint16_t port;
  Prelude prelude;
};

awaitable<Result<Chain>> visit(Way way, std::string name, const Clock& clock, SteadyTime deadline) {
  SP_CO_TRY(const auto context, tls::make_onlooker_client_context(clock));
  platform::Lookups lookups(co_await asio::this_coro::executor, 1);
  SP_CO_TRY(auto addresses, co_await lookups.find(way.host, way.port, deadline));
  SP_CO_TRY(auto socket, co_await platform::connect_first(std::move(addresses), kApart, deadline));
  SP_CO_CHECK(co_await with_deadline(deadline, talk(socket, way.prelude)));
  auto met = co_await tls::connect_tls(std::move(socket), context, std::move(name), deadline);
  if (met) co_return (*met)->facts().peer_chain;
  if (!met.error().shown.empty()) co_return std::move(met.error().shown);
  co_return std::unexpected(std::move(met.error().error));
}

Shown look(Whom whom, Way way, const Clock& clock, SteadyTime deadline) {
  asio::io_context loop(1);
  const auto until = std::min(deadline, std::chrono::steady_clock::now() + kPatience);
  auto chain = run_to_end(loop, visit(std::move(way), whom.host, clock, until), "the look at the certificate");
  if (chain) return {std::move(whom), *std::move(chain), clock};
  return Shown(std::move(whom), std::move(chain).error());
}

}  // namespace

Shown look(Whom whom, const Clock& clock, SteadyTime deadline) {
  Way way{whom.host, whom.port, Prelude(whom.before)};
  return look(std::move(whom), std::move(way), clock, deadline);
}

Shown look(Whom whom, Through proxy, const Clock& clock, SteadyTime deadline) {
  Way way{std::move(proxy.host), proxy.port, Prelude(Before::http_proxy, std::move(proxy.request))};
  return look(std::move(whom), std::move(way), clock, deadline);
}

}  // namespace sallyport::connectors::certificate
