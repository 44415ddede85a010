// http.listen@1 and clients that mean no good. Slow ones: tests/unit/shared/http.
#include "tests/contract/connectors/listen/listening.h"
#include "tests/support/async_test.h"

#include <fmt/format.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

using namespace sallyport;
using test::args;
using test::Listening;
using test::signature_of;
namespace asio = boost::asio;

namespace {

const std::string kSigned =
    "security: none, rate: 100000, max_body: 4KiB, senders: [{path: /a, proof: signature, secret_file: \"@SECRET@\"}]";

std::string request(std::string_view more, std::string_view body) {
  return fmt::format("POST /a HTTP/1.1\r\nHost: a\r\n{}\r\n{}", more, body);
}
std::string good(std::string_view body) {
  return request(fmt::format("Content-Length: {}\r\nConnection: close\r\nX-Hub-Signature-256: {}\r\n", body.size(),
                             signature_of(body)),
                 body);
}

}  // namespace

ASYNC_TEST_CASE("a request that two servers could read differently is none", "[listen][hostile]") {
  Listening hooks(co_await asio::this_coro::executor, kSigned, "{path: /a}");
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  const auto hidden = good("{}");
  const auto signature = fmt::format("X-Hub-Signature-256: {}\r\n", signature_of("x"));
  const std::vector<std::string> heads{"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                                       "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
                                       "Content-Length: 1\r\nContent-Length: 2\r\n",
                                       "Content-Length: +1\r\n",
                                       "Content-Length: 1,1\r\n",
                                       "Transfer-Encoding: gzip, chunked\r\n",
                                       "Transfer-Encoding : chunked\r\n",
                                       "Content-Length: 99999999999999999999\r\n"};
  for (const auto& head : heads) {
    INFO(head);
    const auto answer = co_await hooks.raw(request(head + signature, "0\r\n\r\n" + hidden));
    CHECK(answer.starts_with("HTTP/1.1 400 "));
    CHECK(answer.find("HTTP/1.1", 8) == std::string::npos);  // one answer: what was hidden behind is no request
  }
  CHECK(hooks.events.empty());
  const auto answer = co_await hooks.raw(hidden);
  CHECK(answer.starts_with("HTTP/1.1 202 "));
  CHECK(hooks.events.size() == 1);
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("a length that is wrong gives no event of half a body", "[listen][hostile]") {
  const auto executor = co_await asio::this_coro::executor;
  Listening hooks(executor, kSigned, "{path: /a}");
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  const auto signature = fmt::format("X-Hub-Signature-256: {}\r\n", signature_of("whole"));
  const auto brief = co_await hooks.raw(request("Content-Length: 2\r\n" + signature, "whole"));
  CHECK(brief.starts_with("HTTP/1.1 401 "));
  {
    asio::ip::tcp::socket cut(executor);
    co_await cut.async_connect({asio::ip::make_address("127.0.0.1"), hooks.port()}, asio::use_awaitable);
    co_await asio::async_write(cut, asio::buffer(request("Content-Length: 9\r\n" + signature, "whole")),
                               asio::use_awaitable);
  }
  const auto after = co_await hooks.raw(good("{}"));
  CHECK(after.starts_with("HTTP/1.1 202 "));
  CHECK(hooks.events.size() == 1);
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("a body without an end is cut at its limit", "[listen][hostile]") {
  Listening hooks(co_await asio::this_coro::executor, kSigned, "{path: /a}");
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  std::string chunks;
  for (int i = 0; i < 1'000; ++i) chunks += "400\r\n" + std::string(1'024, 'x') + "\r\n";
  const auto answer = co_await hooks.raw(request("Transfer-Encoding: chunked\r\nX-Hub-Signature-256: 00\r\n", chunks));
  CHECK(answer.starts_with("HTTP/1.1 413 "));
  const auto announced = co_await hooks.raw(request("Content-Length: 1000000000\r\nX-Hub-Signature-256: 00\r\n", ""));
  CHECK(announced.starts_with("HTTP/1.1 413 "));
  const auto headers = co_await hooks.raw(request("X-A: " + std::string(20'000, 'x') + "\r\n", ""));
  CHECK(headers.starts_with("HTTP/1.1 431 "));
  CHECK(hooks.events.empty());
  co_await hooks.stop_all();
}

ASYNC_TEST_CASE("many silent connections keep no sender out", "[listen][hostile]") {
  const auto executor = co_await asio::this_coro::executor;
  Listening hooks(executor, kSigned, "{path: /a}");
  hooks.start("r", args({{"path", "/a"}}));
  co_await hooks.until_open();
  std::vector<asio::ip::tcp::socket> silent;
  for (int i = 0; i < 200; ++i) {
    silent.emplace_back(executor);
    co_await silent.back().async_connect({asio::ip::make_address("127.0.0.1"), hooks.port()}, asio::use_awaitable);
  }
  const auto answer = co_await hooks.raw(good("{}"));
  CHECK(answer.starts_with("HTTP/1.1 202 "));
  silent.clear();
  co_await hooks.stop_all();
}
