#include "agent/tunnel/tunnel_server.h"

#include "proto/sallyport/v1/tunnel.pb.h"
#include "shared/base/json.h"
#include "tests/support/no_files.h"
#include "tests/unit/agent/tunnel/agent_rig.h"

#include <fmt/format.h>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <list>
#include <sstream>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using mux::ResetCode;
namespace asio = boost::asio;

namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

std::string local(std::uint16_t port) { return fmt::format("127.0.0.1:{}", port); }

// A port that nobody listens on.
std::uint16_t closed_port(const asio::any_io_executor& on) { return TestTarget(on).port(); }

// A listener whose queue is full: a further connection gets no answer.
struct SilentTarget {
  explicit SilentTarget(const asio::any_io_executor& on) : acceptor(on) {
    acceptor.open(tcp::v4());
    acceptor.bind({asio::ip::address_v4::loopback(), 0});
    acceptor.listen(0);
    for (int i = 0; i < 3; ++i) {
      waiting.emplace_back(on).async_connect(acceptor.local_endpoint(), [](auto) {});
    }
  }
  std::uint16_t port() const { return acceptor.local_endpoint().port(); }
  tcp::acceptor acceptor;
  std::list<tcp::socket> waiting;
};

// How many things the log's lines about `what` stand for.
std::uint64_t times_told(const std::string& lines, const std::string& what) {
  std::uint64_t times = 0;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    if (!line.contains(what)) continue;
    const auto fields = parse_json(line);
    REQUIRE(fields);
    const auto* more = fields->find("times");
    times += more == nullptr ? 1 : static_cast<std::uint64_t>(more->as_int());
  }
  return times;
}

asio::awaitable<std::string> echo_once(AgentRig& rig, const std::string& purpose, TestTarget& target) {
  const auto channel = rig.open(purpose);
  const auto sent = co_await channel.write(as_bytes("hello"));
  REQUIRE(sent);
  REQUIRE(channel.finish());
  auto socket = co_await target.acceptor.async_accept(asio::use_awaitable);
  std::string text(64, '\0');
  const auto [bad, count] = co_await asio::async_read(socket, asio::buffer(text), kAsValue);
  CHECK(bad == asio::error::eof);
  asio::write(socket, asio::buffer(text, count));
  socket.close();
  Bytes answer(64);
  const auto got = co_await channel.read_some(answer);
  REQUIRE(got);
  const auto end = co_await channel.read_some(std::span(answer).subspan(*got));
  CHECK(end == 0u);
  co_return std::string(as_text(std::span(answer).first(*got)));
}

}  // namespace

ASYNC_TEST_CASE("what the policy allows is dialled and carried, and told in one line", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  AgentRig rig(on, {"10.255.255.1:9", local(target.port())});
  co_await rig.start();
  const auto answer = co_await echo_once(rig, "tunnel/1 " + local(target.port()), target);
  CHECK(answer == "hello");
  const bool told = co_await rig.link.until([&] { return rig.lines.text.contains("tunnel.closed"); });
  REQUIRE(told);
  CHECK_THAT(rig.lines.text, Catch::Contains(R"("target":")" + local(target.port())));
  CHECK_THAT(rig.lines.text, Catch::Contains(R"("end":"finished")"));
  CHECK_THAT(rig.lines.text, Catch::Contains(R"("to_target":5)"));
  CHECK_THAT(rig.lines.text, Catch::Contains(R"("from_target":5)"));
  co_await rig.close();
}

ASYNC_TEST_CASE("what is open is counted until it ends, however that is", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  const SilentTarget silent(on);
  AgentRig rig(on, {local(target.port()), local(silent.port()), fmt::format("localhost:{}", target.port())});
  co_await rig.start();
  std::optional<link::Channel> standing(rig.open("tunnel/1 " + local(target.port())));
  std::optional<link::Channel> by_name(rig.open(fmt::format("tunnel/1 localhost:{}", target.port())));
  std::optional<link::Channel> dialling(rig.open("tunnel/1 " + local(silent.port())));
  std::optional<link::Channel> asking(rig.open("reach/1 " + local(silent.port())));
  auto one = co_await target.acceptor.async_accept(asio::use_awaitable);
  auto two = co_await target.acceptor.async_accept(asio::use_awaitable);
  std::size_t left = 4;
  for (auto* channel : {&standing, &by_name, &dialling, &asking}) {
    const bool counted = co_await rig.link.until([&] { return rig.server.open() == left; });
    CHECK(counted);
    channel->reset();
    --left;
  }
  const bool none = co_await rig.link.until([&] { return rig.server.open() == 0; });
  CHECK(none);
  co_await rig.close();
}

ASYNC_TEST_CASE("a name is looked up by the agent and has to stand in the policy as a name", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  AgentRig rig(on, {fmt::format("LocalHost:{}", target.port())});
  co_await rig.start();
  const auto answer = co_await echo_once(rig, fmt::format("tunnel/1 LOCALHOST:{}", target.port()), target);
  CHECK(answer == "hello");
  const auto by_address = co_await rig.refusal(rig.open("tunnel/1 " + local(target.port())));
  CHECK(by_address.code == ResetCode::forbidden);
  co_await rig.close();
}

ASYNC_TEST_CASE("what the policy does not allow is refused with the rule, on both sides", "[tunnel][policy]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  const std::vector<std::string> other = {local(target.port() == 9 ? 10 : 9)};
  for (const auto& targets : {std::vector<std::string>{}, other}) {
    AgentRig rig(on, targets);
    co_await rig.start();
    const auto refused = co_await rig.refusal(rig.open("tunnel/1 " + local(target.port())));
    CHECK(refused.code == ResetCode::forbidden);
    CHECK(refused.text ==
          "policy.yaml tunnels: the local policy of this agent has no tunnel target " + local(target.port()));
    CHECK_THAT(rig.lines.text, Catch::Contains(R"("kind":"policy.refused")"));
    CHECK_THAT(rig.lines.text, Catch::Contains(R"("rule":"policy.yaml tunnels")"));
    CHECK_THAT(rig.lines.text, Catch::Contains(R"("tunnel_target":")" + local(target.port())));
    boost::system::error_code nobody;
    target.acceptor.non_blocking(true);
    (void)target.acceptor.accept(nobody);
    CHECK(nobody == asio::error::would_block);  // not dialled
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("many alike are told once in a while and counted", "[tunnel][policy][bounds]") {
  const auto on = co_await asio::this_coro::executor;
  const auto refusing = local(closed_port(on));
  AgentRig rig(on, {refusing}, {.told_once = 1s});
  co_await rig.start();
  constexpr std::size_t kTimes = 40;
  for (std::size_t i = 0; i < kTimes; ++i) {
    const auto refused = co_await rig.refusal(rig.open("tunnel/1 db.internal:5432"));
    CHECK(refused.code == ResetCode::forbidden);
    const auto failed = co_await rig.refusal(rig.open("tunnel/1 " + refusing));
    CHECK(failed.code == ResetCode::unreachable);
    const auto wrong = co_await rig.refusal(rig.open("tunnel/1 db"));
    CHECK(wrong.code == ResetCode::refused);
  }
  const bool told = co_await rig.link.until([&] { return rig.lines.text.contains("tunnel.again"); });
  REQUIRE(told);
  const auto another = co_await rig.refusal(rig.open("tunnel/1 db.internal:5432"));
  CHECK(another.code == ResetCode::forbidden);
  co_await rig.close();
  const auto told_of = [&](const std::string& what) { return times_told(rig.lines.text, what); };
  CHECK(told_of("policy.refused") == kTimes + 1);
  CHECK(told_of("unreachable") == kTimes);
  CHECK(told_of("bad_purpose") == kTimes);
  CHECK(std::ranges::count(rig.lines.text, '\n') < 20);
}

ASYNC_TEST_CASE("a refusal fits a reset, whatever the target", "[tunnel][policy]") {
  AgentRig rig(co_await asio::this_coro::executor, {});
  co_await rig.start();
  std::string host;
  while (host.size() < tunnel::kMaxTargetHost) host += host.size() % 40 == 39 ? '.' : 'x';
  host.back() = 'x';
  const auto refused = co_await rig.refusal(rig.open("tunnel/1 " + host + ":65535"));
  CHECK(refused.code == ResetCode::forbidden);
  CHECK(refused.text.size() <= mux::kMaxText);
  CHECK_THAT(refused.text, Catch::StartsWith("policy.yaml tunnels: "));
  co_await rig.close();
}

ASYNC_TEST_CASE("a purpose without a target is refused", "[tunnel]") {
  AgentRig rig(co_await asio::this_coro::executor, {});
  co_await rig.start();
  for (const std::string purpose : {"tunnel/1", "tunnel/1 ", "tunnel/1 db", "tunnel/1  db:1", "reach/1 127.1:80",
                                    "reach/1 db:0", "tunnel/1 db:80\nx"}) {
    INFO(purpose);
    const auto refused = co_await rig.refusal(rig.open(purpose));
    CHECK(refused.code == ResetCode::refused);
    CHECK_THAT(refused.text, Catch::StartsWith("P14.1: not a target"));
  }
  const auto unknown = co_await rig.refusal(rig.open("tunnel/2 db:1"));
  CHECK(unknown.text == "nobody serves this purpose");
  co_await rig.close();
}

ASYNC_TEST_CASE("a target that refuses, does not answer or has no address is unreachable, in words", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  const SilentTarget silent(on);
  const auto refusing = local(closed_port(on)), hanging = local(silent.port());
  const std::string nowhere = "no-such-host.invalid:80";
  AgentRig rig(on, {refusing, hanging, nowhere}, {.connect = 700ms});
  co_await rig.start();
  auto refused = co_await rig.refusal(rig.open("tunnel/1 " + refusing));
  CHECK(refused.code == ResetCode::unreachable);
  CHECK(refused.text == "connecting to " + refusing + ": 127.0.0.1: Connection refused");
  refused = co_await rig.refusal(rig.open("tunnel/1 " + hanging));
  CHECK(refused.code == ResetCode::unreachable);
  CHECK_THAT(refused.text, Catch::Contains("connecting to " + hanging) && Catch::Contains("no answer in time"));
  refused = co_await rig.refusal(rig.open("tunnel/1 " + nowhere));
  CHECK(refused.code == ResetCode::unreachable);
  CHECK_THAT(refused.text, Catch::StartsWith("looking up no-such-host.invalid: "));
  CHECK_THAT(rig.lines.text, Catch::Contains("tunnel.unreachable"));
  co_await rig.close();
}

ASYNC_TEST_CASE("a question about a target gets an answer in each case", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  const SilentTarget silent(on);
  const auto refusing = local(closed_port(on)), hanging = local(silent.port());
  const std::string nowhere = "no-such-host.invalid:80";
  AgentRig rig(on, {local(target.port()), refusing, hanging, nowhere}, {.connect = 700ms});
  co_await rig.start();
  auto answer = co_await rig.reach(local(target.port()));
  CHECK(answer.allowed());
  CHECK(answer.answers());
  CHECK(answer.detail().empty());
  CHECK(answer.rule().empty());
  auto taken = co_await target.acceptor.async_accept(asio::use_awaitable);
  char byte = 0;
  const auto [bad, count] = co_await taken.async_read_some(asio::buffer(&byte, 1), kAsValue);
  CHECK(bad == asio::error::eof);  // closed at once

  answer = co_await rig.reach(refusing);
  CHECK(answer.allowed());
  CHECK_FALSE(answer.answers());
  CHECK_THAT(answer.detail(), Catch::Contains("Connection refused"));
  answer = co_await rig.reach(hanging);
  CHECK(answer.allowed());
  CHECK_FALSE(answer.answers());
  CHECK_THAT(answer.detail(), Catch::Contains("no answer in time"));
  CHECK(answer.connect_ms() >= 700);
  answer = co_await rig.reach(nowhere);
  CHECK(answer.allowed());
  CHECK_THAT(answer.detail(), Catch::StartsWith("looking up no-such-host.invalid: "));
  answer = co_await rig.reach("db.internal:5432");
  CHECK_FALSE(answer.allowed());
  CHECK_FALSE(answer.answers());
  CHECK(answer.rule() == "policy.yaml tunnels");
  CHECK(answer.detail() == "the local policy of this agent has no tunnel target db.internal:5432");
  CHECK_THAT(rig.lines.text, Catch::Contains(R"("kind":"policy.refused")"));
  co_await rig.close();
}

ASYNC_TEST_CASE("more connections than may be are refused, and places come free", "[tunnel][bounds]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  AgentRig rig(on, {local(target.port())}, {.connections = 2});
  co_await rig.start();
  const auto purpose = "tunnel/1 " + local(target.port());
  const auto first = rig.open(purpose);
  auto second = std::make_optional(rig.open(purpose));
  auto one = co_await target.acceptor.async_accept(asio::use_awaitable);
  auto two = co_await target.acceptor.async_accept(asio::use_awaitable);
  const auto refused = co_await rig.refusal(rig.open(purpose));
  CHECK(refused.code == ResetCode::exhausted);
  CHECK_THAT(rig.lines.text, Catch::Contains("tunnel.too_many"));
  second.reset();
  const bool freed = co_await rig.link.until([&] { return rig.lines.text.contains("tunnel.closed"); });
  REQUIRE(freed);
  const auto answer = co_await echo_once(rig, purpose, target);
  CHECK(answer == "hello");
  co_await rig.close();
}

ASYNC_TEST_CASE("a client that goes away while its target is dialled gives its place back", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  const SilentTarget silent(on);
  AgentRig rig(on, {local(silent.port())}, {.connect = 60s});
  co_await rig.start();
  {
    const auto channel = rig.open("tunnel/1 " + local(silent.port()));
    co_await sleep_for(50ms);
    channel.reset(ResetCode::cancelled, "the client went away");
  }
  const bool told = co_await rig.link.until([&] { return rig.lines.text.contains("tunnel.unreachable"); });
  REQUIRE(told);
  CHECK_THAT(rig.lines.text, Catch::Contains("not wanted any more") && Catch::Contains("the client went away"));
  co_await rig.close();
}

ASYNC_TEST_CASE("the link's end ends what runs, dials and waits", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  const SilentTarget silent(on);
  AgentRig rig(on, {local(target.port()), local(silent.port())}, {.connect = 60s});
  co_await rig.start();
  const auto open = rig.open("tunnel/1 " + local(target.port()));
  const auto dialling = rig.open("tunnel/1 " + local(silent.port()));
  const auto asking = rig.open("reach/1 " + local(silent.port()));
  auto socket = co_await target.acceptor.async_accept(asio::use_awaitable);
  const auto begun = std::chrono::steady_clock::now();
  co_await rig.close();
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
  char byte = 0;
  const auto [bad, count] = co_await socket.async_read_some(asio::buffer(&byte, 1), kAsValue);
  CHECK(bad == asio::error::connection_reset);
}

// P14.5: what is on the agent when the link breaks is the target's, however slowly it reads.
ASYNC_TEST_CASE("what came before the link's end still reaches a slow target", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  TestTarget target(on);
  target.acceptor.set_option(asio::socket_base::receive_buffer_size(4 << 10));
  AgentRig rig(on, {local(target.port())});
  co_await rig.start();
  const auto channel = rig.open("tunnel/1 " + local(target.port()));
  auto socket = co_await target.acceptor.async_accept(asio::use_awaitable);
  const Bytes sent(rig.link.agent_options.limits.initial_window, std::byte{7});
  const auto written = co_await channel.write(sent);
  REQUIRE(written);
  const auto barrier = co_await rig.reach("db.internal:5432");  // what was written before it has come
  CHECK_FALSE(barrier.allowed());
  CHECK(rig.server.open() == 1);
  const auto begun = std::chrono::steady_clock::now();
  rig.link.relay.session->stop("cut");
  co_await rig.link.join();
  CHECK(std::chrono::steady_clock::now() - begun < 4s);  // the link does not wait for slow targets
  std::size_t got = 0;
  boost::system::error_code bad;
  for (Bytes chunk(16 << 10); !bad;) {
    const auto [failed, count] = co_await socket.async_read_some(asio::buffer(chunk), kAsValue);
    got += count;
    bad = failed;
  }
  CHECK(got == sent.size());
  CHECK(bad == asio::error::connection_reset);
  co_await rig.close();
  CHECK(rig.server.open() == 0);
}

ASYNC_TEST_CASE("an agent that is out of files says so, and does not blame the target", "[tunnel]") {
  const auto on = co_await asio::this_coro::executor;
  const TestTarget target(on);
  AgentRig rig(on, {local(target.port())});
  co_await rig.start();
  std::optional<NoFiles> none(std::in_place);
  const auto refused = co_await rig.refusal(rig.open("tunnel/1 " + local(target.port())));
  none.reset();
  CHECK(refused.code == ResetCode::exhausted);
  CHECK_THAT(refused.text, Catch::Contains("Too many open files"));
  co_await rig.close();
}
