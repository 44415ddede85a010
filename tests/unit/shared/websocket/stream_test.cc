#include "shared/websocket/stream.h"

#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"
#include "tests/support/streams.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <random>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using namespace boost::asio::experimental::awaitable_operators;
namespace asio = boost::asio;
using websocket::Opcode;
using websocket::Side;

namespace {

struct Ends {
  std::unique_ptr<ByteStream> client;
  std::unique_ptr<ByteStream> server;
};

asio::awaitable<Ends> connected() {
  const auto loop = co_await asio::this_coro::executor;
  auto line = memory_line(loop);
  co_return Ends{websocket::make_stream(loop, std::move(line.a), Side::client),
                 websocket::make_stream(loop, std::move(line.b), Side::server)};
}

// A server of raw frames at the other end of a client's stream.
struct RawServer {
  std::unique_ptr<ByteStream> line;
  std::unique_ptr<ByteStream> client;

  asio::awaitable<void> send(Opcode opcode, std::string_view text) const {
    Bytes wire;
    append_frame(wire, opcode, as_bytes(text), std::nullopt);
    const auto sent = co_await line->write_all(wire);
    REQUIRE(sent);
  }
  // The next part from the client.
  asio::awaitable<websocket::Part> heard() {
    Bytes chunk(4096);
    for (;;) {
      auto part = reader.next();
      REQUIRE(part);
      if (*part) co_return **std::move(part);
      const auto got = co_await line->read_some(chunk);
      REQUIRE(got);
      REQUIRE(*got > 0);
      reader.feed(std::span(chunk).first(*got));
    }
  }
  websocket::FrameReader reader{Side::client};
};

asio::awaitable<RawServer> raw_server() {
  const auto loop = co_await asio::this_coro::executor;
  auto line = memory_line(loop);
  co_return RawServer{std::move(line.b), websocket::make_stream(loop, std::move(line.a), Side::client)};
}

}  // namespace

ASYNC_TEST_CASE("bytes go both ways at once through a WebSocket", "[websocket]") {
  auto ends = co_await connected();
  const auto up = noise(600'000, 1), down = noise(700'001, 2);
  auto [sent_up, sent_down, got_up, got_down] =
      co_await (write_it(*ends.client, up) && write_it(*ends.server, down) && read_exactly(*ends.server, up.size()) &&
                read_exactly(*ends.client, down.size()));
  CHECK(sent_up);
  CHECK(sent_down);
  REQUIRE(got_up);
  REQUIRE(got_down);
  CHECK(*got_up == up);
  CHECK(*got_down == down);
}

ASYNC_TEST_CASE("a ping is answered by whoever reads, and the newest one while a write is under way", "[websocket]") {
  auto raw = co_await raw_server();
  co_await raw.send(Opcode::ping, "one");
  co_await raw.send(Opcode::binary, "data");
  const auto got = co_await read_exactly(*raw.client, 4);
  CHECK(got.has_value());
  const auto pong = co_await raw.heard();
  CHECK(pong.kind == Opcode::pong);
  CHECK(as_text(pong.bytes) == "one");
}

ASYNC_TEST_CASE("a close is answered with its status, and ends the flow", "[websocket]") {
  auto raw = co_await raw_server();
  co_await raw.send(Opcode::close, "\x03\xe8 because");
  const auto got = co_await read_once(*raw.client);
  REQUIRE(got);
  CHECK(*got == 0);
  const auto answer = co_await raw.heard();
  CHECK(answer.kind == Opcode::close);
  CHECK(as_text(answer.bytes) == "\x03\xe8");
  const auto written = co_await raw.client->write_all(as_bytes("late"));
  REQUIRE_FALSE(written);
  CHECK(written.error().code == Errc::unavailable);
}

ASYNC_TEST_CASE("what breaks the protocol ends the flow with an error", "[websocket]") {
  auto raw = co_await raw_server();
  co_await raw.send(Opcode::text, "hello");
  const auto got = co_await read_once(*raw.client);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Errc::invalid);
}

ASYNC_TEST_CASE("what came behind the handshake is read first", "[websocket]") {
  const auto loop = co_await asio::this_coro::executor;
  auto line = memory_line(loop);
  Bytes first;
  append_frame(first, Opcode::binary, as_bytes("early"), std::nullopt);
  const auto client = websocket::make_stream(loop, std::move(line.a), Side::client, std::move(first));
  const auto got = co_await read_exactly(*client, 5);
  REQUIRE(got);
  CHECK(as_text(*got) == "early");
}

ASYNC_TEST_CASE("the end below is the end, and closing ends a read that waits", "[websocket]") {
  auto ends = co_await connected();
  SECTION("the end below") {
    ends.server->close();
    const auto got = co_await read_once(*ends.client);
    REQUIRE(got);
    CHECK(*got == 0);
  }
  SECTION("closing") {
    const auto got = co_await (read_once(*ends.client) && close_soon(*ends.client));
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::cancelled);
    const auto written = co_await ends.client->write_all(as_bytes("x"));
    CHECK_FALSE(written);
  }
}

ASYNC_TEST_CASE("a client's frames are masked, each with a key of its own", "[websocket]") {
  const auto loop = co_await asio::this_coro::executor;
  auto line = memory_line(loop);
  const auto client = websocket::make_stream(loop, std::move(line.a), Side::client);
  for (int i = 0; i < 2; ++i) {
    const auto sent = co_await client->write_all(as_bytes("same text"));
    REQUIRE(sent);
  }
  Bytes wire(256);
  const auto got = co_await line.b->read_some(wire);
  REQUIRE(got);
  REQUIRE(*got == 2 * (2 + 4 + 9));
  CHECK(as_text(wire).find("same text") == std::string_view::npos);
  CHECK_FALSE(std::equal(wire.begin(), wire.begin() + 15, wire.begin() + 15));
}
