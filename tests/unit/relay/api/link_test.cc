// The door for agents that come through HTTPS.
#include "shared/websocket/stream.h"
#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"
#include "tests/unit/relay/api/world.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

Ask asking(std::vector<std::string> more) {
  Ask ask{.target = "/v1/link"};
  ask.headers = {"Connection: Upgrade", "Upgrade: websocket"};
  ask.headers.insert(ask.headers.end(), more.begin(), more.end());
  ask.peer = "192.0.2.7";
  return ask;
}

const std::string kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const std::string kVersion = "Sec-WebSocket-Version: 13";
const std::string kProtocol = "Sec-WebSocket-Protocol: chat, sallyport.link.v1";

asio::awaitable<void> echo_once(std::unique_ptr<ByteStream> carrier, std::string peer) {
  Bytes chunk(256);
  const auto got = co_await carrier->read_some(chunk);
  const auto answer = peer + " said " + std::string(as_text(std::span(chunk).first(got.value_or(0))));
  static_cast<void>(co_await carrier->write_all(as_bytes(answer)));
}

Result<api::Services::ServeLink> give_echo(const std::string& peer) {
  return [peer](std::unique_ptr<ByteStream> carrier) { return echo_once(std::move(carrier), peer); };
}

asio::awaitable<std::string> say(std::unique_ptr<ByteStream> line, std::string text) {
  const auto client =
      websocket::make_stream(co_await asio::this_coro::executor, std::move(line), websocket::Side::client);
  static_cast<void>(co_await client->write_all(as_bytes(text)));
  Bytes chunk(256);
  const auto got = co_await client->read_some(chunk);
  co_return std::string(as_text(std::span(chunk).first(got.value_or(0))));
}

}  // namespace

ASYNC_TEST_CASE("an agent gets a WebSocket for its link without showing anything", "[api][link]") {
  World world(co_await asio::this_coro::executor);
  world.take_link = give_echo;
  auto reply = co_await world.play(asking({kKey, kVersion, kProtocol}));
  auto& upgrade = std::get<http::UpgradeResponse>(reply);
  CHECK(upgrade.protocol == "websocket");
  REQUIRE(upgrade.headers.find("Sec-WebSocket-Accept") != nullptr);
  CHECK(*upgrade.headers.find("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(*upgrade.headers.find("Sec-WebSocket-Protocol") == "sallyport.link.v1");
  auto line = memory_line(co_await asio::this_coro::executor);
  const auto heard = co_await (say(std::move(line.a), "hello") && upgrade.serve(std::move(line.b)));
  CHECK(heard == "192.0.2.7 said hello");
}

ASYNC_TEST_CASE("who asks for a WebSocket in another way is told how", "[api][link]") {
  World world(co_await asio::this_coro::executor);
  world.take_link = give_echo;
  const std::string short_key = "Sec-WebSocket-Key: c2hvcnQ=";
  for (const auto& more : std::vector<std::vector<std::string>>{{},
                                                                {kVersion, kProtocol},
                                                                {short_key, kVersion, kProtocol},
                                                                {kKey, kVersion},
                                                                {kKey, kVersion, "Sec-WebSocket-Protocol: chat"}}) {
    const auto refused = co_await world.call(asking(more));
    CHECK(refused.status == 400);
    CHECK(text_of(json_of(refused), "code") == "websocket");
  }
  const auto outdated = co_await world.call(asking({kKey, "Sec-WebSocket-Version: 8", kProtocol}));
  CHECK(outdated.status == 426);
  CHECK(*outdated.headers.find("Sec-WebSocket-Version") == "13");
}

ASYNC_TEST_CASE("a link for which there is no place is told to come again", "[api][link]") {
  World world(co_await asio::this_coro::executor);
  world.take_link = [](const std::string&) { return fail(Errc::unavailable, "all 256 places are taken"); };
  const auto refused = co_await world.call(asking({kKey, kVersion, kProtocol}));
  CHECK(refused.status == 503);
  CHECK(*refused.headers.find("Retry-After") == "10");
  CHECK(refused.body.find("all 256 places are taken") != std::string::npos);
}
