#include "shared/link/session.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/event.h"
#include "shared/link/control.h"
#include "tests/unit/shared/link/link_fixture.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using link::LinkEnd;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> echo(link::Session& session) {
  auto incoming = co_await session.accept_channel();
  if (!incoming) co_return;
  for (;;) {
    auto message = co_await incoming->channel.receive_message();
    if (!message || !*message) break;
    const auto sent = co_await incoming->channel.send_message(std::string(as_text(**message)));
    if (!sent) co_return;
  }
  (void)incoming->channel.finish();
}

asio::awaitable<void> send_raw(LinkPair& link, Bytes bytes) {
  const auto sent = co_await link.line.a->write_all(bytes);
  REQUIRE(sent);
}

asio::awaitable<void> read_until_cancelled(link::Session& session, bool& was_cancelled) {
  auto channel = session.open_channel("echo/1");
  const auto message = co_await channel->receive_message();
  was_cancelled = !message && message.error().code == Errc::cancelled;
}

Bytes control_frame(const v1::Control& message) {
  Bytes wire;
  mux::append_frame(wire, {0, mux::FrameType::control, link::encode_control(message)});
  return wire;
}

}  // namespace

ASYNC_TEST_CASE("a handshake tells both sides who they talk to", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.agent_options.self.capabilities = {"renewal", "future", "jobs"};
  link.start();
  const bool ready = co_await link.until([&] { return link.agent.session->proven() && link.relay.session->proven(); });
  CHECK(ready);
  CHECK(link.agent.session->peer().protocol == 1);
  CHECK(link.agent.session->peer().software == "sallyport-relay/test");
  CHECK(link.agent.session->peer().capabilities == std::vector<std::string>{"renewal", "jobs"});
  CHECK(link.relay.session->peer().hostname == "host-1");
  CHECK(link.relay.session->peer().boot_id.size() == 16);
  CHECK(link.agent.session->round_trip().has_value());
  link.agent.session->stop("test is over");
  co_await link.join();
  CHECK(link.agent.end->end == LinkEnd::stopped);
  CHECK(link.relay.end->end == LinkEnd::peer_closed);
}

ASYNC_TEST_CASE("messages go through a channel and come back, larger than every window", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.relay.owner.work = echo;
  link.start();
  const bool ready = co_await link.until([&] { return link.agent.session->proven(); });
  REQUIRE(ready);
  auto channel = link.agent.session->open_channel("echo/1");
  REQUIRE(channel);
  CHECK(link.agent.session->carried_lately() < 1'000);
  for (const std::size_t size : {0u, 1u, 300'000u, 1u << 20}) {
    const auto sent = co_await channel->send_message(std::string(size, 'm'));
    REQUIRE(sent);
    const auto back = co_await channel->receive_message();
    REQUIRE(back);
    REQUIRE(*back);
    CHECK((*back)->size() == size);
  }
  CHECK(link.agent.session->carried_lately() > 2u << 20);
  CHECK(link.relay.session->carried_lately() > 2u << 20);
  const auto too_large = co_await channel->send_message(std::string((1u << 20) + 1, 'm'));
  CHECK(too_large.error().code == Errc::too_large);
  REQUIRE(channel->finish());
  const auto end = co_await channel->receive_message();
  REQUIRE(end);
  CHECK_FALSE(*end);
  link.agent.session->stop("test is over");
  co_await link.join();
}

ASYNC_TEST_CASE("a deaf dispatch path is noticed in three heartbeats although the socket answers", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.relay.owner.answers = 1;
  link.relay_options.times.heartbeat = 100ms;
  link.relay_options.times.misses = 1'000'000;  // the agent is the one that judges
  link.start();
  co_await link.join();
  CHECK(link.agent.end->end == LinkEnd::silent_peer);
  CHECK(link.agent.end->message.find("P10.3: no answer") == 0);
  CHECK(link.agent.end->message.find("300 ms") != std::string::npos);
  CHECK(link.relay.end->end != LinkEnd::silent_peer);  // it was answered all the time
}

ASYNC_TEST_CASE("a line on which nothing moves any more is noticed by both sides", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.relay_options.times.heartbeat = 700ms;
  link.start();
  bool ready = co_await link.until([&] { return link.agent.session->proven() && link.relay.session->proven(); });
  REQUIRE(ready);
  link.line.a_to_b->stalled = true;
  link.line.b_to_a->stalled = true;
  co_await link.join();
  CHECK(link.agent.end->end == LinkEnd::silent_peer);
  CHECK(link.relay.end->end == LinkEnd::silent_peer);
}

ASYNC_TEST_CASE("a broken stream ends both sides with that reason", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.start();
  bool ready = co_await link.until([&] { return link.agent.session->proven(); });
  REQUIRE(ready);
  for (auto& pipe : {link.line.a_to_b, link.line.b_to_a}) {
    pipe->broken = true;
    pipe->touch();
  }
  co_await link.join();
  CHECK(link.agent.end->end == LinkEnd::stream_failed);
  CHECK(link.relay.end->end == LinkEnd::stream_failed);
}

ASYNC_TEST_CASE("versions that do not overlap are refused with both ranges", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.agent_options.self.protocol_min = 7;
  link.agent_options.self.protocol_max = 9;
  link.start();
  co_await link.join();
  CHECK(link.agent.end->end == LinkEnd::refused);
  REQUIRE(link.agent.end->refusal);
  CHECK(link.agent.end->refusal->code == "version");
  CHECK(link.agent.end->message.find("7 to 9") != std::string::npos);
  CHECK(link.relay.end->end == LinkEnd::refused_peer);
}

ASYNC_TEST_CASE("an owner may refuse an agent and say when to come back", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.relay.owner.gate = [](const link::Peer&) { return link::Refusal{"overloaded", "too many handshakes", 1500ms}; };
  link.start();
  co_await link.join();
  REQUIRE(link.agent.end->refusal);
  CHECK(link.agent.end->refusal->code == "overloaded");
  CHECK(link.agent.end->refusal->retry_after == 1500ms);
}

ASYNC_TEST_CASE("a live link is cut with its reason", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.start();
  bool ready = co_await link.until([&] { return link.agent.session->proven(); });
  REQUIRE(ready);
  link.relay.session->refuse({"revoked", "this agent was revoked", 0ms});
  co_await link.join();
  CHECK(link.agent.end->end == LinkEnd::refused);
  CHECK(link.agent.end->refusal->code == "revoked");
  CHECK(link.relay.end->end == LinkEnd::refused_peer);
}

ASYNC_TEST_CASE("nobody waits longer than the deadline for a greeting", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  for (const auto side : {mux::Side::agent, mux::Side::relay}) {
    auto line = memory_line(executor);
    LinkEndpoint one;
    auto options = patient_options(side);
    options.times.handshake = 100ms;
    options.times.farewell = 100ms;
    one.session =
        std::make_unique<link::Session>(executor, std::move(line.a), std::move(options), one.owner, one.clock);
    const auto end = co_await one.session->run();
    CHECK(end.end == LinkEnd::handshake_timeout);
    CHECK(end.message.find("100 ms") != std::string::npos);
  }
}

ASYNC_TEST_CASE("what a peer must not say ends the link with the rule, and the peer is told", "[link]") {
  struct Case {
    std::string what;
    std::function<Bytes()> bytes;
    std::string rule;
  };
  const std::vector<Case> cases = {
      {"not protobuf",
       [] {
         Bytes b;
         mux::append_frame(b, {0, mux::FrameType::control, as_bytes("\x0f\xff")});
         return b;
       },
       "P3.1"},
      {"Pong first",
       [] {
         v1::Control m;
         m.mutable_pong()->set_nonce(1);
         return control_frame(m);
       },
       "P3.2"},
      {"Welcome from an agent",
       [] {
         v1::Control m;
         m.mutable_welcome();
         return control_frame(m);
       },
       "P3.2"},
      {"a channel first",
       [] {
         Bytes b;
         mux::append_frame(b, {1, mux::FrameType::open, as_bytes("x")});
         return b;
       },
       "P3.4"},
      {"a window of nothing",
       [] {
         v1::Control m;
         m.mutable_hello()->set_protocol_max(1);
         m.mutable_hello()->set_protocol_min(1);
         return control_frame(m);
       },
       "P3.5"},
      {"garbage", [] { return Bytes(100, std::byte{0xff}); }, "P4.2"},
      {"HTTP",
       [] {
         const auto b = as_bytes("GET / HTTP/1.1\r\n\r\n");
         return Bytes(b.begin(), b.end());
       },
       "P4.2"},
  };
  auto executor = co_await asio::this_coro::executor;
  for (const auto& one : cases) {
    INFO(one.what);
    LinkPair link(executor);
    link.relay.session = std::make_unique<link::Session>(executor, std::move(link.line.b), link.relay_options,
                                                         link.relay.owner, link.relay.clock);
    link.tasks.spawn("relay", run_endpoint(link.relay));
    co_await send_raw(link, one.bytes());
    Bytes answer(4096);
    const auto count = co_await link.line.a->read_some(answer);
    REQUIRE(count);
    CHECK(as_text(std::span(answer).first(*count)).find(one.rule) != std::string_view::npos);
    link.line.a->close();
    co_await link.join();
    const bool expected =
        link.relay.end->end == LinkEnd::protocol_error || link.relay.end->end == LinkEnd::refused_peer;
    CHECK(expected);
    CHECK(link.relay.end->message.find(one.rule) != std::string::npos);
  }
}

ASYNC_TEST_CASE("control messages of other kinds reach the owner, unknown ones nobody", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.start();
  bool ready = co_await link.until([&] { return link.agent.session->proven(); });
  REQUIRE(ready);
  v1::Control renew;
  renew.mutable_renew_request()->set_csr_der("csr");
  REQUIRE(link.agent.session->send_control(renew));
  v1::Control newer;
  newer.ParseFromString(std::string("\xfa\x06\x01x", 4));  // field 111
  REQUIRE(newer.body_case() == v1::Control::BODY_NOT_SET);
  REQUIRE(link.agent.session->send_control(newer));
  ready = co_await link.until([&] { return link.relay.owner.controls > 0; });
  CHECK(link.relay.owner.controls == 1);
  link.agent.session->stop("test is over");
  co_await link.join();
}

ASYNC_TEST_CASE("an answer to a ping that was never sent ends the link", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.start();
  bool ready = co_await link.until([&] { return link.agent.session->proven(); });
  REQUIRE(ready);
  link.agent.session->pong(1'000'000);
  co_await link.join();
  CHECK(link.relay.end->end == LinkEnd::protocol_error);
  CHECK(link.agent.end->end == LinkEnd::refused);
  CHECK(link.agent.end->message.find("P10.2") != std::string::npos);
}

ASYNC_TEST_CASE("cancelling a session ends it and everything it runs", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  bool work_ended = false;
  link.agent.owner.work = [&](link::Session& session) { return read_until_cancelled(session, work_ended); };
  link.start();
  bool ready = co_await link.until([&] { return link.agent.session->proven(); });
  REQUIRE(ready);
  link.tasks.stop();
  co_await link.join();
  CHECK(work_ended);
}

ASYNC_TEST_CASE("a relay that goes away before it has greeted refuses, and says when to come again", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.start();
  link.relay.session->go_away("the relay stops", 5s);
  co_await link.join();
  CHECK(link.relay.end->end == LinkEnd::refused_peer);
  REQUIRE(link.agent.end->refusal);
  CHECK(link.agent.end->refusal->code == "overloaded");
  CHECK(link.agent.end->refusal->message == "the relay stops");
  CHECK(link.agent.end->refusal->retry_after == 1s);
  CHECK(link.agent.owner.went_away.empty());
}

ASYNC_TEST_CASE("an agent that goes away before the relay has greeted it just stops", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.start();
  link.agent.session->go_away("SIGTERM", 5s);
  co_await link.join();
  CHECK(link.agent.end->end == LinkEnd::stopped);
  CHECK(link.relay.owner.went_away.empty());
}

ASYNC_TEST_CASE("a side that is slow to greet is told when to come again", "[link]") {
  LinkPair link(co_await asio::this_coro::executor);
  link.line.a_to_b->stalled = true;  // Hello never arrives
  link.relay_options.times.handshake = 50ms;
  link.start();
  const bool refused = co_await link.until([&] { return link.agent.end.has_value(); });
  REQUIRE(refused);
  REQUIRE(link.agent.end->refusal);
  CHECK(link.agent.end->refusal->code == "protocol");
  CHECK(link.agent.end->refusal->retry_after == 30s);
  co_await link.join();
}

namespace {

asio::awaitable<void> wait_in(Event never, bool& gone) {
  struct Mark {
    bool& gone;
    ~Mark() { gone = true; }
  };
  const Mark mark{gone};
  co_await never.wait();
}

}  // namespace

ASYNC_TEST_CASE("a task of a link ends with it", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  LinkPair link(executor);
  link.start();
  const bool ready = co_await link.until([&] { return link.agent.session->proven(); });
  REQUIRE(ready);
  bool gone = false;
  link.agent.session->spawn("waiting", wait_in(Event(executor), gone));
  link.agent.session->stop("test is over");
  const bool ended = co_await link.until([&] { return link.agent.end.has_value(); });
  CHECK(ended);
  CHECK(gone);
  co_await link.join();
}
