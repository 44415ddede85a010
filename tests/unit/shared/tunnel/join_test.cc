#include "shared/tunnel/join.h"

#include "tests/unit/shared/link/link_fixture.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using mux::ResetCode;
using tunnel::SpliceEnd;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> take_one(link::Session& session, std::optional<link::Channel>& channel) {
  auto incoming = co_await session.accept_channel();
  if (incoming) channel.emplace(std::move(incoming->channel));
}

// client - channel - join - channel - target: two links, each with its relay's end here.
struct JoinRig {
  explicit JoinRig(asio::any_io_executor on)
      : desk(on), site(on), task(on, [](const auto& name, const auto& why) { FAIL_CHECK(name << ": " << why); }) {
    desk.relay_options.serves = {"connection/1"};
    desk.relay.owner.work = [this](link::Session& session) { return take_one(session, near_client); };
    site.agent_options.serves = {"tunnel/1"};
    site.agent.owner.work = [this](link::Session& session) { return take_one(session, target); };
  }

  asio::awaitable<void> start(tunnel::SpliceLimits limits = {}) {
    desk.start();
    site.start();
    const bool ready =
        co_await desk.until([&] { return desk.agent.session->proven() && site.relay.session->proven(); });
    REQUIRE(ready);
    client.emplace(*desk.agent.session->open_channel("connection/1"));
    near_target.emplace(*site.relay.session->open_channel("tunnel/1 target:1"));
    const bool taken = co_await desk.until([&] { return near_client && target; });
    REQUIRE(taken);
    carriage = tunnel::begin_join(co_await asio::this_coro::executor, *near_client, *near_target, flow, limits,
                                  [this](tunnel::SpliceOutcome outcome) { end = std::move(outcome); });
    CHECK_FALSE(end);
  }
  asio::awaitable<void> until_over() {
    const bool over = co_await desk.until([&] { return end.has_value(); });
    REQUIRE(over);
  }
  asio::awaitable<void> close() {
    carriage->stop();
    co_await until_over();
    task.stop();
    co_await task.join();
    for (auto* channel : {&client, &near_client, &near_target, &target}) channel->reset();
    desk.agent.session->stop("test is over");
    site.agent.session->stop("test is over");
    co_await desk.join();
    co_await site.join();
  }

  LinkPair desk, site;
  std::optional<link::Channel> client, near_client, near_target, target;
  tunnel::Flow flow;
  std::shared_ptr<tunnel::Carriage> carriage;
  std::optional<tunnel::SpliceOutcome> end;
  TaskGroup task;
};

asio::awaitable<void> say(link::Channel& channel, std::string text) {
  const auto sent = co_await channel.write(std::as_bytes(std::span(text)));
  if (!sent) FAIL_CHECK("writing: " << sent.error().message);
}

asio::awaitable<void> pour(link::Channel& channel, std::size_t size) {
  const Bytes piece(30'000, std::byte{'x'});
  while (size > 0) {
    const auto part = std::min(size, piece.size());
    if (!co_await channel.write(std::span(piece).first(part))) co_return;
    size -= part;
  }
  (void)channel.finish();
}

asio::awaitable<std::string> hear(link::Channel& channel, std::size_t size) {
  std::string all(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const auto count = co_await channel.read_some(std::as_writable_bytes(std::span(all)).subspan(got));
    if (!count || *count == 0) break;
    got += *count;
  }
  all.resize(got);
  co_return all;
}

// Until an end; the number of bytes before it. A reset is an error.
asio::awaitable<Result<std::size_t>> count_to_end(link::Channel& channel) {
  Bytes some(100'000);
  std::size_t got = 0;
  for (;;) {
    const auto count = co_await channel.read_some(some);
    if (!count) co_return std::unexpected(count.error());
    if (*count == 0) co_return got;
    got += *count;
  }
}

asio::awaitable<void> count_into(link::Channel& channel, std::optional<Result<std::size_t>>& got) {
  got = co_await count_to_end(channel);
}

}  // namespace

ASYNC_TEST_CASE("two channels: bytes go both ways at once, and each end is passed on", "[tunnel][join]") {
  JoinRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  constexpr std::size_t kUp = 9u << 20, kDown = 11u << 20;
  std::optional<Result<std::size_t>> up, down;
  rig.task.spawn("client writes", pour(*rig.client, kUp));
  rig.task.spawn("target writes", pour(*rig.target, kDown));
  rig.task.spawn("client reads", count_into(*rig.client, down));
  rig.task.spawn("target reads", count_into(*rig.target, up));
  co_await rig.until_over();
  const bool read = co_await rig.desk.until([&] { return up && down; });
  REQUIRE(read);
  CHECK(*up == kUp);
  CHECK(*down == kDown);
  CHECK(rig.end->end == SpliceEnd::finished);
  CHECK(rig.flow.to_channel == kUp);
  CHECK(rig.flow.from_channel == kDown);
  co_await rig.close();
}

ASYNC_TEST_CASE("two channels: a half that has ended leaves the other open", "[tunnel][join]") {
  for (const bool client_first : {true, false}) {
    INFO("the client ends first: " << client_first);
    JoinRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    auto& first = client_first ? *rig.client : *rig.target;
    auto& second = client_first ? *rig.target : *rig.client;
    co_await say(first, "the question");
    (void)first.finish();
    const auto question = co_await count_to_end(second);
    CHECK(question == 12u);
    for (int i = 0; i < 3; ++i) {
      co_await say(second, "an answer");
      const auto answer = co_await hear(first, 9);
      CHECK(answer == "an answer");
    }
    CHECK_FALSE(rig.end);
    (void)second.finish();
    const auto rest = co_await count_to_end(first);
    CHECK(rest == 0u);
    co_await rig.until_over();
    CHECK(rig.end->end == SpliceEnd::finished);
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("two channels: a reset is passed on with its reason, after what came before it", "[tunnel][join]") {
  struct Row {
    bool by_client;
    ResetCode code;
    ResetCode arrives;
    bool half_ended;
  };
  for (const auto& row : {Row{true, ResetCode::broken, ResetCode::broken, false},
                          Row{true, ResetCode::cancelled, ResetCode::broken, true},
                          Row{false, ResetCode::broken, ResetCode::broken, true},
                          Row{false, ResetCode::forbidden, ResetCode::forbidden, false},
                          Row{false, ResetCode::unreachable, ResetCode::unreachable, false}}) {
    INFO("by the client: " << row.by_client << ", " << mux::to_string(row.code));
    JoinRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    auto& resetting = row.by_client ? *rig.client : *rig.target;
    auto& other = row.by_client ? *rig.target : *rig.client;
    co_await say(resetting, "the last word");
    if (row.half_ended) {
      (void)resetting.finish();
      const auto word = co_await count_to_end(other);
      CHECK(word == 13u);
    }
    resetting.reset(row.code, "as it was told", mux::Unsent::send);
    co_await rig.until_over();
    CHECK(rig.end->end == (row.by_client ? SpliceEnd::socket_broken : SpliceEnd::channel_broken));
    CHECK(rig.end->code == row.code);
    CHECK(rig.end->detail == "as it was told");
    if (!row.half_ended) {
      const auto word = co_await hear(other, 13);
      CHECK(word == "the last word");
    }
    (void)co_await other.wait_broken();
    REQUIRE(other.peer_reset());
    CHECK(other.peer_reset()->code == row.arrives);
    CHECK(other.peer_reset()->text == "as it was told");
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("two channels: the end of either link ends both", "[tunnel][join]") {
  for (const bool of_client : {true, false}) {
    INFO("the client's link: " << of_client);
    JoinRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    co_await say(*rig.client, "hello");
    const auto hello = co_await hear(*rig.target, 5);
    CHECK(hello == "hello");
    (of_client ? rig.desk : rig.site).line.a_to_b->broken = true;
    (of_client ? rig.desk : rig.site).line.b_to_a->broken = true;
    (of_client ? rig.desk : rig.site).line.a_to_b->touch();
    (of_client ? rig.desk : rig.site).line.b_to_a->touch();
    co_await rig.until_over();
    CHECK(rig.end->end == (of_client ? SpliceEnd::socket_broken : SpliceEnd::channel_broken));
    CHECK_FALSE(rig.end->code);
    CHECK_FALSE(rig.end->detail.empty());
    auto& other = of_client ? *rig.target : *rig.client;
    (void)co_await other.wait_broken();
    CHECK(other.peer_reset()->code == (of_client ? ResetCode::broken : ResetCode::cancelled));
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("two channels: a slow reader slows its writer down, and little is held here", "[tunnel][join]") {
  JoinRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  rig.task.spawn("target writes", pour(*rig.target, 64u << 20));
  std::uint64_t before = 1;
  while (rig.flow.from_channel != before) {
    before = rig.flow.from_channel;
    co_await sleep_for(200ms);
  }
  CHECK(before < (4u << 20));
  co_await say(*rig.client, "the other way is free");
  const auto heard = co_await hear(*rig.target, 21);
  CHECK(heard == "the other way is free");
  rig.client->reset(ResetCode::broken, "enough");
  co_await rig.until_over();
  CHECK(rig.end->end == SpliceEnd::socket_broken);
  co_await rig.close();
}

ASYNC_TEST_CASE("two channels: limits of time and rate, and a stop", "[tunnel][join]") {
  SECTION("idle") {
    JoinRig rig(co_await asio::this_coro::executor);
    co_await rig.start({.idle = 2s});
    for (int i = 0; i < 4; ++i) {
      co_await say(*rig.client, "x");
      (void)co_await hear(*rig.target, 1);
      co_await sleep_for(600ms);
    }
    CHECK_FALSE(rig.end);
    co_await rig.until_over();
    CHECK(rig.end->end == SpliceEnd::idle);
    (void)co_await rig.client->wait_broken();
    (void)co_await rig.target->wait_broken();
    CHECK(rig.client->peer_reset()->code == ResetCode::cancelled);
    CHECK(rig.target->peer_reset()->text == "no byte for 2s");
    co_await rig.close();
  }
  SECTION("rate") {
    JoinRig rig(co_await asio::this_coro::executor);
    co_await rig.start({.bytes_per_second = 100'000});
    const auto begun = std::chrono::steady_clock::now();
    co_await say(*rig.client, std::string(60'000, 'x'));
    const auto all = co_await hear(*rig.target, 60'000);
    CHECK(all.size() == 60'000);
    CHECK(std::chrono::steady_clock::now() - begun >= 400ms);
    co_await rig.close();
  }
  SECTION("stop") {
    JoinRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    rig.carriage->stop();
    CHECK_FALSE(rig.end);
    co_await rig.until_over();
    CHECK(rig.end->end == SpliceEnd::stopped);
    (void)co_await rig.client->wait_broken();
    (void)co_await rig.target->wait_broken();
    CHECK(rig.client->peer_reset()->code == ResetCode::cancelled);
    CHECK(rig.target->peer_reset()->code == ResetCode::cancelled);
    co_await rig.close();
  }
}
