#include "shared/link/channel.h"

#include "tests/unit/shared/link/link_fixture.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using link::LinkEnd;
namespace asio = boost::asio;

namespace {

// Keeps what the peer opened, and reads nothing.
struct Shelf {
  std::vector<link::Incoming> taken;
};
asio::awaitable<void> collect(link::Session& session, Shelf& shelf) {
  for (;;) {
    auto incoming = co_await session.accept_channel();
    if (!incoming) co_return;
    shelf.taken.push_back(std::move(*incoming));
  }
}

asio::awaitable<void> send_many(const link::Channel& channel, char letter, int count, int& done) {
  for (int i = 0; i < count; ++i) {
    const auto sent = co_await channel.send_message(std::string(50'000, letter));
    if (!sent) FAIL_CHECK(sent.error().message);
  }
  ++done;
}

asio::awaitable<void> send_one(const link::Channel& channel, std::size_t size, std::optional<Result<void>>& outcome) {
  outcome = co_await channel.send_message(std::string(size, 'x'));
}

asio::awaitable<void> pump(const link::Channel& channel, std::uint64_t& sent) {
  const Bytes chunk(64u << 10, std::byte{1});
  for (;;) {
    const auto outcome = co_await channel.write(chunk);
    if (!outcome) co_return;
    sent += chunk.size();
  }
}

asio::awaitable<std::uint64_t> take(const link::Channel& channel, std::uint64_t wanted) {
  Bytes chunk(64u << 10);
  std::uint64_t got = 0;
  while (got < wanted) {
    const auto count = co_await channel.read_some(chunk);
    if (!count || *count == 0) break;
    got += *count;
  }
  co_return got;
}

// A pair that is ready, whose relay shelves what the agent opens.
struct Ready {
  explicit Ready(asio::any_io_executor executor) : link(executor) {
    link.relay.owner.work = [this](link::Session& session) { return collect(session, shelf); };
  }
  asio::awaitable<void> start() {
    link.start();
    const bool ready = co_await link.until([&] { return link.agent.session->proven(); });
    REQUIRE(ready);
  }
  asio::awaitable<link::Channel> open() {
    auto channel = link.agent.session->open_channel("echo/1 with words");
    REQUIRE(channel);
    const auto before = shelf.taken.size();
    const bool arrived = co_await link.until([&] { return shelf.taken.size() > before; });
    REQUIRE(arrived);
    co_return std::move(*channel);
  }
  asio::awaitable<void> finish() {
    link.agent.session->stop("test is over");
    co_await link.join();
    shelf.taken.clear();
  }
  Shelf shelf;
  LinkPair link;
};

// Writes down what it is told, and takes all bytes at once.
struct Listener final : link::ChannelWatcher {
  using Bytes = std::span<const std::span<const std::byte>>;
  explicit Listener(const link::Channel& of) : channel(of) { channel.watch(this); }
  ~Listener() override { channel.watch(nullptr); }
  std::size_t on_bytes(Bytes bytes) override { return note("bytes ", bytes); }
  std::size_t on_last_bytes(Bytes bytes) override { return note("last bytes ", bytes); }
  void on_readable() override {
    const auto next = channel.peek();
    heard.emplace_back(next && *next && (*next)->empty() ? "end" : "readable");
  }
  void on_writable() override {}
  void on_broken() override { heard.emplace_back("broken"); }
  std::size_t note(std::string what, Bytes bytes) {
    std::size_t size = 0;
    for (const auto part : bytes) what += as_text(part), size += part.size();
    heard.push_back(std::move(what));
    return size;
  }
  const link::Channel& channel;
  std::vector<std::string> heard;
};

}  // namespace

ASYNC_TEST_CASE("a watcher hears of the end with the last bytes when they come together", "[link]") {
  using Heard = std::vector<std::string>;
  struct Row {
    std::string what;
    bool at_once;
    Heard heard;
  };
  for (const auto& row : {Row{"together", true, {"last bytes answer", "end"}},
                          Row{"one after the other", false, {"bytes answer", "end"}}}) {
    INFO(row.what);
    Ready test(co_await asio::this_coro::executor);
    co_await test.start();
    {
      const auto first = co_await test.open();
      const auto second = co_await test.open();
      Listener listener(test.shelf.taken[0].channel), other(test.shelf.taken[1].channel);
      const auto sent = co_await first.write(as_bytes("answer"));
      REQUIRE(sent);
      if (!row.at_once) {
        const bool came = co_await test.link.until([&] { return !listener.heard.empty(); });
        REQUIRE(came);
      }
      REQUIRE(first.finish());
      const auto more = co_await second.write(as_bytes("goes on"));
      REQUIRE(more);
      const bool all = co_await test.link.until([&] { return listener.heard.size() == 2 && !other.heard.empty(); });
      CHECK(all);
      CHECK(listener.heard == row.heard);
      CHECK(other.heard == Heard{"bytes goes on"});
    }
    co_await test.finish();
  }
}

ASYNC_TEST_CASE("bytes before a reset are not the last before an end", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  {
    const auto ours = co_await test.open();
    Listener listener(test.shelf.taken[0].channel);
    const auto sent = co_await ours.write(as_bytes("half"));
    REQUIRE(sent);
    ours.reset(mux::ResetCode::broken, "gone", mux::Unsent::send);
    const bool all = co_await test.link.until([&] { return listener.heard.size() == 2; });
    CHECK(all);
    CHECK(listener.heard == std::vector<std::string>{"bytes half", "broken"});
  }
  co_await test.finish();
}

ASYNC_TEST_CASE("a channel arrives with its purpose and ends in halves", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  auto ours = co_await test.open();
  auto& theirs = test.shelf.taken[0];
  CHECK(theirs.purpose == "echo/1 with words");
  Bytes chunk(100);
  const auto sent = co_await ours.write(as_bytes("question"));
  REQUIRE(sent);
  REQUIRE(ours.finish());
  auto count = co_await theirs.channel.read_some(chunk);
  CHECK(count == 8u);
  count = co_await theirs.channel.read_some(chunk);
  CHECK(count == 0u);
  const auto answered = co_await theirs.channel.write(as_bytes("answer"));
  REQUIRE(answered);
  count = co_await ours.read_some(chunk);
  CHECK(count == 6u);
  const auto late = co_await ours.write(as_bytes("x"));
  CHECK(late.error().code == Errc::conflict);
  co_await test.finish();
}

ASYNC_TEST_CASE("a purpose that nobody serves is refused", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  auto channel = test.link.agent.session->open_channel("echo/2");
  REQUIRE(channel);
  const auto answer = co_await channel->receive_message();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::not_found);
  CHECK(answer.error().message.find("nobody serves") != std::string::npos);
  CHECK(test.shelf.taken.empty());
  co_await test.finish();
}

ASYNC_TEST_CASE("as many channels as the limits allow may be opened in one turn", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  const auto most = link::SessionOptions().limits.channels;
  std::vector<link::Channel> mine;
  for (std::size_t i = 0; i < most; ++i) {
    auto channel = test.link.agent.session->open_channel("echo/1");
    REQUIRE(channel);
    mine.push_back(std::move(*channel));
  }
  const bool all = co_await test.link.until([&] { return test.shelf.taken.size() == most; });
  CHECK(all);
  mine.clear();
  co_await test.finish();
}

ASYNC_TEST_CASE("messages of several senders are never mixed", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  Ready test(executor);
  co_await test.start();
  auto ours = co_await test.open();
  int done = 0;
  TaskGroup senders(executor, [](auto&, auto) { FAIL_CHECK("a sender threw"); });
  for (const char letter : {'a', 'b', 'c'}) senders.spawn("sender", send_many(ours, letter, 20, done));
  for (int i = 0; i < 60; ++i) {
    const auto message = co_await test.shelf.taken[0].channel.receive_message();
    REQUIRE(message);
    REQUIRE(*message);
    const std::string text(as_text(**message));
    REQUIRE(text == std::string(50'000, text[0]));
  }
  co_await senders.join();
  CHECK(done == 3);
  co_await test.finish();
}

ASYNC_TEST_CASE("a message that is broken off half-way takes its channel with it", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  Ready test(executor);
  co_await test.start();
  auto ours = co_await test.open();
  std::optional<Result<void>> outcome;
  TaskGroup sender(executor, [](auto&, auto) { FAIL_CHECK("the sender threw"); });
  sender.spawn("sender", send_one(ours, 1u << 20, outcome));
  const bool half_way = co_await test.link.until([&] { return test.link.line.a_to_b->carried > 40'000; });
  CHECK(half_way);
  sender.stop();
  co_await sender.join();
  REQUIRE(outcome);
  CHECK(outcome->error().code == Errc::cancelled);
  const auto message = co_await test.shelf.taken[0].channel.receive_message();
  REQUIRE_FALSE(message);
  CHECK(message.error().code == Errc::cancelled);
  co_await test.finish();
}

ASYNC_TEST_CASE("a reader that stands still holds up nobody else, and no memory grows", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  Ready test(executor);
  co_await test.start();
  auto stalled = co_await test.open();
  auto lively = co_await test.open();
  std::uint64_t into_stalled = 0, into_lively = 0;
  TaskGroup pumps(executor, [](auto&, auto) { FAIL_CHECK("a pump threw"); });
  pumps.spawn("stalled", pump(stalled, into_stalled));
  pumps.spawn("lively", pump(lively, into_lively));
  const auto got = co_await take(test.shelf.taken[1].channel, 20u << 20);
  CHECK(got >= 20u << 20);
  CHECK(into_stalled <= 512u << 10);
  pumps.stop();
  co_await pumps.join();
  co_await test.finish();
}

ASYNC_TEST_CASE("a drained link ends when its channels have, and opens none", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  std::optional<link::Channel> ours = co_await test.open();
  test.link.relay.session->go_away("upgrade", 5s);
  const bool told = co_await test.link.until([&] { return !test.link.agent.owner.went_away.empty(); });
  CHECK(told);
  CHECK(test.link.agent.owner.went_away == "upgrade");
  CHECK(test.link.agent.session->draining());
  CHECK(test.link.agent.session->open_channel("echo/1").error().code == Errc::unavailable);
  const auto sent = co_await ours->send_message("work that was under way");
  CHECK(sent);
  const auto message = co_await test.shelf.taken[0].channel.receive_message();
  CHECK(message);
  ours.reset();
  test.shelf.taken.clear();
  co_await test.link.join();
  CHECK(test.link.agent.end->end == LinkEnd::drained);
  CHECK(test.link.relay.end->end == LinkEnd::drained);
}

ASYNC_TEST_CASE("a drain that does not end is ended", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  auto ours = co_await test.open();
  test.link.agent.session->go_away("stop", 50ms);
  co_await test.link.join();
  CHECK(test.link.agent.end->end == LinkEnd::drained);
  const auto late = co_await ours.receive_message();
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::unavailable);
  test.shelf.taken.clear();
}

ASYNC_TEST_CASE("a handle outlives its session and says what happened", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  auto test = std::make_unique<Ready>(executor);
  co_await test->start();
  auto ours = co_await test->open();
  co_await test->finish();
  test.reset();
  const auto sent = co_await ours.send_message("anybody there?");
  REQUIRE_FALSE(sent);
  CHECK(sent.error().code == Errc::unavailable);
  CHECK(sent.error().message.find("stopped") != std::string::npos);
  CHECK_FALSE(ours.finish());
}

ASYNC_TEST_CASE("a reset from the other side wakes reader and writer", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  auto ours = co_await test.open();
  test.shelf.taken[0].channel.reset(mux::ResetCode::forbidden, "not by this policy");
  const auto message = co_await ours.receive_message();
  REQUIRE_FALSE(message);
  CHECK(message.error().code == Errc::forbidden);
  CHECK(message.error().message.find("not by this policy") != std::string::npos);
  const auto sent = co_await ours.write(as_bytes("x"));
  CHECK(sent.error().code == Errc::forbidden);
  co_await test.finish();
}

ASYNC_TEST_CASE("a reader may wait without a buffer", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  auto ours = co_await test.open();
  auto& theirs = test.shelf.taken[0].channel;
  CHECK_FALSE(theirs.readable());
  auto waited = co_await with_timeout(50ms, theirs.wait_readable());
  CHECK(waited.error().code == Errc::timed_out);
  const auto sent = co_await ours.write(as_bytes("bytes"));
  REQUIRE(sent);
  waited = co_await theirs.wait_readable();
  REQUIRE(waited);
  CHECK(theirs.readable());
  Bytes chunk(100);
  auto count = co_await theirs.read_some(chunk);
  CHECK(count == 5u);
  CHECK_FALSE(theirs.readable());
  REQUIRE(ours.finish());
  waited = co_await theirs.wait_readable();
  REQUIRE(waited);
  count = co_await theirs.read_some(chunk);
  CHECK(count == 0u);
  co_await test.finish();
  CHECK(ours.readable());
  waited = co_await ours.wait_readable();
  CHECK(waited);
}

ASYNC_TEST_CASE("a break is told at once: a reset before what lies unread, and the link's end", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  co_await test.start();
  auto ours = co_await test.open();
  auto other = co_await test.open();
  const auto sent = co_await ours.write(as_bytes("bytes"));
  REQUIRE(sent);
  ours.reset(mux::ResetCode::broken, "it broke", mux::Unsent::send);
  auto& theirs = test.shelf.taken[0].channel;
  auto why = co_await theirs.wait_broken();
  CHECK(why.code == mux::errc_of(mux::ResetCode::broken));
  CHECK_THAT(why.message, Catch::Contains("it broke"));
  REQUIRE(theirs.peer_reset());
  CHECK(theirs.peer_reset()->code == mux::ResetCode::broken);
  CHECK(theirs.peer_reset()->text == "it broke");
  Bytes chunk(100);
  const auto count = co_await theirs.read_some(chunk);
  CHECK(count == 5u);
  CHECK_FALSE(other.peer_reset());
  test.link.agent.session->stop("test is over");
  why = co_await other.wait_broken();
  CHECK(why.code == Errc::unavailable);
  CHECK_THAT(why.message, Catch::Contains("the link ended"));
  CHECK_FALSE(other.peer_reset());
  co_await test.finish();
}

ASYNC_TEST_CASE("a line that stands still in the middle of much goes on where it was", "[link]") {
  Ready test(co_await asio::this_coro::executor);
  for (auto* options : {&test.link.agent_options, &test.link.relay_options}) {
    options->times.heartbeat = 100ms;
    options->times.misses = 100;
  }
  co_await test.start();
  const auto ours = co_await test.open();
  const auto& theirs = test.shelf.taken[0].channel;
  auto& there = *test.link.line.a_to_b;
  const auto& back = *test.link.line.b_to_a;
  const auto sent = co_await ours.write(Bytes(60'000, std::byte{1}));
  REQUIRE(sent);
  const auto arrived = there.carried + 60'000;
  const bool came = co_await test.link.until([&] { return there.carried >= arrived; });
  REQUIRE(came);
  there.stalled = true;
  const auto pinged = back.carried + 60;  // several times
  const bool rested = co_await test.link.until([&] { return back.carried >= pinged; });
  REQUIRE(rested);
  there.stalled = false;
  there.touch();
  auto got = co_await take(theirs, 60'000);
  CHECK(got == 60'000);
  const auto more = co_await ours.write(Bytes(30'000, std::byte{1}));
  REQUIRE(more);
  got = co_await take(theirs, 30'000);
  CHECK(got == 30'000);
  co_await test.finish();
}
