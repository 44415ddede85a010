#include "shared/tunnel/splice.h"

#include "tests/unit/shared/tunnel/tunnel_rig.h"

#include <boost/asio/write.hpp>

#include <random>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using tunnel::SpliceEnd;
namespace asio = boost::asio;

namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

// The same bytes again for the same seed, however they are cut.
class Stream {
 public:
  explicit Stream(std::uint64_t seed) : bytes_(seed) {}
  char next() {
    if (left_ == 0) word_ = bytes_(), left_ = 8;
    --left_;
    const auto byte = static_cast<char>(word_);
    word_ >>= 8;
    return byte;
  }

 private:
  std::mt19937_64 bytes_;
  std::uint64_t word_ = 0;
  int left_ = 0;
};

// Sends in pieces of chance, then the end.
asio::awaitable<void> produce(tcp::socket& socket, std::uint64_t seed, std::size_t size) {
  Stream bytes(seed);
  std::mt19937_64 chance(seed + 1);
  while (size > 0) {
    std::string piece(std::min<std::size_t>(size, 1 + chance() % (chance() % 4 == 0 ? 300'000 : 3'000)), '\0');
    for (auto& byte : piece) byte = bytes.next();
    size -= piece.size();
    co_await send(socket, std::move(piece));
  }
  finish(socket);
}

asio::awaitable<void> consume(tcp::socket& socket, std::uint64_t seed, std::size_t size, bool& same) {
  Stream bytes(seed);
  std::mt19937_64 chance(seed + 2);
  std::string piece(200'000, '\0');
  std::size_t got = 0;
  for (;;) {
    const auto room = asio::buffer(piece.data(), 1 + chance() % piece.size());
    const auto [bad, count] = co_await socket.async_read_some(room, kAsValue);
    for (std::size_t i = 0; i < count; ++i) {
      if (piece[i] != bytes.next()) co_return;
    }
    got += count;
    if (bad) co_return void(same = bad == asio::error::eof && got == size);
  }
}

}  // namespace

ASYNC_TEST_CASE("bytes go both ways at once, and each end is passed on", "[tunnel]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  constexpr std::size_t kUp = 20u << 20, kDown = 24u << 20;
  bool up = false, down = false;
  rig.link.tasks.spawn("client writes", produce(rig.client(), 1, kUp));
  rig.link.tasks.spawn("target writes", produce(rig.target(), 2, kDown));
  rig.link.tasks.spawn("client reads", consume(rig.client(), 2, kDown, down));
  rig.link.tasks.spawn("target reads", consume(rig.target(), 1, kUp, up));
  co_await rig.until_over();
  CHECK(up);
  CHECK(down);
  CHECK(rig.relay.end->end == SpliceEnd::finished);
  CHECK(rig.agent.end->end == SpliceEnd::finished);
  CHECK(rig.relay.end->detail.empty());
  CHECK(rig.relay.flow.to_channel == kUp);
  CHECK(rig.relay.flow.from_channel == kDown);
  CHECK(rig.agent.flow.to_channel == kDown);
  CHECK(rig.agent.flow.from_channel == kUp);
  co_await rig.close();
}

ASYNC_TEST_CASE("a half that has ended leaves the other open", "[tunnel]") {
  for (const bool client_first : {true, false}) {
    INFO("the client ends first: " << client_first);
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    auto& first = client_first ? rig.client() : rig.target();
    auto& second = client_first ? rig.target() : rig.client();
    co_await send(first, "the question");
    finish(first);
    const auto question = co_await read_to_end(second);
    CHECK(question == "the question");
    for (int i = 0; i < 3; ++i) {
      co_await send(second, "an answer");
      const auto answer = co_await read_until(first, 9);
      CHECK(answer == "an answer");
    }
    CHECK_FALSE(rig.relay.end);
    CHECK_FALSE(rig.agent.end);
    finish(second);
    const auto rest = co_await read_to_end(first);
    CHECK(rest.empty());
    co_await rig.until_over();
    CHECK(rig.relay.end->end == SpliceEnd::finished);
    CHECK(rig.agent.end->end == SpliceEnd::finished);
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("an answer whose end comes with it arrives whole, whatever its size", "[tunnel]") {
  for (const std::size_t size : {1u, 16u << 10, 65'000u, 1u << 20}) {
    INFO(size << " bytes");
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    co_await send(rig.client(), "?");
    const auto question = co_await read_until(rig.target(), 1);
    CHECK(question == "?");
    rig.link.tasks.spawn("answer", produce(rig.target(), 3, size));
    bool same = false;
    co_await consume(rig.client(), 3, size, same);
    CHECK(same);
    finish(rig.client());
    co_await rig.until_over();
    CHECK(rig.relay.end->end == SpliceEnd::finished);
    CHECK(rig.agent.end->end == SpliceEnd::finished);
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("a reset arrives as a reset", "[tunnel]") {
  struct Row {
    std::string what;
    bool by_client;
    bool one_half_ended;
  };
  for (const auto& row : {Row{"by the client", true, false}, Row{"by the target", false, false},
                          Row{"by the client, whose half had ended", true, true},
                          Row{"by the target, whose half had ended", false, true}}) {
    INFO(row.what);
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    auto& resetting = row.by_client ? rig.client() : rig.target();
    auto& other = row.by_client ? rig.target() : rig.client();
    auto& near = row.by_client ? rig.relay : rig.agent;
    auto& far = row.by_client ? rig.agent : rig.relay;
    co_await send(resetting, "hello");
    const auto hello = co_await read_until(other, 5);
    CHECK(hello == "hello");
    if (row.one_half_ended) {
      finish(resetting);
      const auto end = co_await read_to_end(other);
      CHECK(end.empty());
    }
    reset_by_rst(resetting);
    co_await rig.until_over();
    const auto [bad, count] = co_await asio::async_write(other, asio::buffer("x", 1), kAsValue);
    if (row.one_half_ended) {
      CHECK((bad == asio::error::broken_pipe || bad == asio::error::connection_reset));
    } else {
      CHECK(bad == asio::error::connection_reset);
    }
    CHECK(near.end->end == SpliceEnd::socket_broken);
    CHECK_FALSE(near.end->code);
    CHECK_THAT(near.end->detail, Catch::Contains("reset by peer"));
    CHECK(far.end->end == SpliceEnd::channel_broken);
    CHECK(far.end->code == mux::ResetCode::broken);
    CHECK(far.end->detail == near.end->detail);
    co_await rig.close();
  }
}
