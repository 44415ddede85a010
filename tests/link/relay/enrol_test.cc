#include "proto/sallyport/v1/link.pb.h"
#include "shared/tls/nested.h"
#include "tests/link/agent/tinyproxy.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/support/memory_stream.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <array>
#include <map>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

awaitable<void> enrol_once(GatewayRig& rig, std::string text, int& enrolled, int& used) {
  const auto outcome = co_await rig.enrol(std::move(text));
  if (outcome) ++enrolled;
  if (!outcome && outcome.error().message.find("(used)") != std::string::npos) ++used;
}

// The answer to an enrolment with a string that nobody made, which comes from `peer` through the web API.
awaitable<v1::EnrolResponse> answer_over_web(GatewayRig& rig, const agent::Identity& identity, std::string peer) {
  auto line = memory_line(rig.loop);
  const auto serve = must(rig.gateway.take_carried(std::move(peer)));
  rig.tasks.spawn("carried", serve(std::move(line.a)));
  const auto context = must(tls::make_enrol_client_context(identity.root.key_pin(), rig.world.clock));
  auto stream =
      co_await tls::connect_nested_tls(std::move(line.b), context, "127.0.0.1", std::chrono::steady_clock::now() + 10s);
  if (!stream) throw std::runtime_error(stream.error().error.message);
  v1::EnrolRequest request;
  request.set_token_id(crypto::new_id<EnrolmentId>(rig.world.clock).value);
  must(co_await (*stream)->write_all(frame(0, mux::FrameType::control, request.SerializeAsString())));
  mux::FrameReader frames;
  std::array<std::byte, 4096> chunk;
  for (;;) {
    const auto size = must(co_await (*stream)->read_some(chunk));
    if (size == 0) throw std::runtime_error("closed without an answer");
    frames.feed(std::span(chunk).first(size));
    v1::EnrolResponse response;
    const auto next = must(frames.next());
    if (next && response.ParseFromArray(next->payload.data(), static_cast<int>(next->payload.size())))
      co_return response;
  }
}

}  // namespace

ASYNC_TEST_CASE("garbage through the web API from one IPv6 network blocks all of it, and no other", "[link][limits]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  rig.world.clock.freeze();
  const auto identity = co_await rig.enrolled();
  std::map<std::string, int> codes;
  for (int host = 1; host <= 20; ++host) {
    const auto response = co_await answer_over_web(rig, identity, fmt::format("2001:db8:1:2:3:4:{}:7", host));
    ++codes[response.error_code()];
  }
  CHECK(codes == std::map<std::string, int>{{"unknown", 11}, {"unavailable", 9}});
  const auto elsewhere = co_await answer_over_web(rig, identity, "2001:db8:1:3::1");
  CHECK(elsewhere.error_code() == "unknown");
  co_await rig.finish();
}

ASYNC_TEST_CASE("one string makes an agent that links", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  CHECK(identity.group == "dc1");
  CHECK(identity.id.org == rig.tenant.org);
  const bool audited = co_await rig.audited(rig.tenant.org, {"agent.enrol", identity.id.agent.value});
  CHECK(audited);
  RealAgent agent(rig, identity);
  agent.start();
  const bool ready = co_await agent.until_ready();
  CHECK(ready);
  CHECK(rig.links.link_of(rig.tenant.org, identity.id.agent).has_value());
  const auto stored = must(co_await rig.world.stores.agents.find(rig.tenant.org, identity.id.agent));
  CHECK(stored.hostname == "host-1");
  CHECK(stored.last_seen_at.has_value());
  const auto connections =
      must(co_await rig.world.stores.connections.list(rig.tenant.org, {identity.id.agent}, {})).items;
  REQUIRE(connections.size() == 1);
  CHECK(connections[0].name == "erp-db");
  co_await agent.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("a string that is no good is refused with its reason, on both sides", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const MovableClock slow_clock(rig.world.clock.wall());  // an agent that does not see the hour pass
  const auto used = co_await rig.string_for(rig.tenant);
  must(co_await rig.enrol(used));
  const auto late = co_await rig.string_for(rig.tenant);
  const auto forged = co_await rig.string_for(rig.tenant, 1, [](crypto::EnrolmentString& parts) {
    auto other = crypto::random_bytes(crypto::kEnrolmentSecretSize);
    parts.secret = Secret::take(std::string(as_text(other)));
  });
  const auto unknown = co_await rig.string_for(rig.tenant, 1, [&](crypto::EnrolmentString& parts) {
    parts.token = crypto::new_id<EnrolmentId>(rig.world.clock);
  });
  struct Case {
    std::string what;
    std::string text;
    std::chrono::hours passes;
    std::string fragment;
    OrgId ledger;
    std::string audited;
  };
  const std::vector<Case> cases = {
      {"used", used, 0h, "(used)", rig.tenant.org, "used"},
      {"with another secret", forged, 0h, "(proof)", rig.tenant.org, "proof"},
      {"of a token that is not there", unknown, 0h, "(unknown)", store::system_ledger(), "unknown"},
      {"expired, by the relay's clock", late, 2h, "(expired)", rig.tenant.org, "expired"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    rig.world.clock.advance(one.passes);
    const auto outcome = co_await rig.enrol(one.text, "none", &slow_clock);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == Errc::unauthenticated);
    CAPTURE(outcome.error().message);
    CHECK(outcome.error().message.find(one.fragment) != std::string::npos);
    const bool audited = co_await rig.audited(one.ledger, {"agent.enrol", "refused", one.audited});
    CHECK(audited);
    CHECK(rig.lines.has({"agent.enrolment_refused", one.audited}));
  }
  const auto agents = co_await rig.agents();
  CHECK(agents == 1);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a relay of another root gets nothing, and the string stays good", "[link]") {
  auto loop = co_await asio::this_coro::executor;
  GatewayRig right(loop), wrong(loop);
  co_await right.start();
  co_await wrong.start();
  std::string misled = co_await right.string_for(
      right.tenant, 1, [&](crypto::EnrolmentString& parts) { parts.relay_port = wrong.endpoint().port; });
  const auto outcome = co_await right.enrol(misled);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::unauthenticated);
  CHECK(outcome.error().message.find("tls.wrong_pin") != std::string::npos);
  const bool noticed = co_await wrong.until([&] { return wrong.lines.has({"link.refused"}); });
  CHECK(noticed);
  CHECK_FALSE(wrong.lines.has({"agent.enrol"}));
  auto parts = must(crypto::parse_enrolment_string(misled));
  parts.relay_port = right.endpoint().port;
  const auto again = co_await right.enrol(std::string(must(crypto::format_enrolment_string(parts)).reveal()));
  CHECK(again.has_value());
  co_await right.finish();
  co_await wrong.finish();
}

ASYNC_TEST_CASE("of many at once, as many enrol as the token has uses", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto text = co_await rig.string_for(rig.tenant, 3);
  int enrolled = 0, used = 0;
  TaskGroup crowd(rig.loop, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); });
  for (int i = 0; i < 16; ++i) crowd.spawn("enrol", enrol_once(rig, text, enrolled, used));
  co_await crowd.join();
  CHECK(enrolled == 3);
  CHECK(used == 13);
  const auto agents = co_await rig.agents();
  CHECK(agents == 3);
  co_await rig.finish();
}

ASYNC_TEST_CASE("enrolment and link through a real proxy with a password", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const Tinyproxy proxy(rig.endpoint().port);
  auto text = co_await rig.string_for(rig.tenant);
  const auto identity = must(co_await rig.enrol(std::move(text), proxy.url()));
  RealAgent agent(rig, identity, proxy.url());
  agent.start();
  const bool ready = co_await agent.until_ready();
  CHECK(ready);
  co_await agent.finish();
  co_await rig.finish();
}

ASYNC_TEST_CASE("what is no enrolment request ends the connection, and only that", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  v1::EnrolRequest request;
  request.set_token_id("enr_x");
  request.set_hostname(std::string(256, 'h'));
  struct Case {
    std::string what;
    Bytes bytes;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"HTTP",
       Bytes(as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n").begin(),
             as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n").end()),
       "frame"},
      {"a frame over 16 KiB", frame(0, mux::FrameType::control, std::string((16u << 10) + 1, 'x')), ""},
      {"on another channel", frame(1, mux::FrameType::data, request.SerializeAsString()), "not an enrolment request"},
      {"no protobuf", frame(0, mux::FrameType::control, "\xff\xff\xff"), "not an enrolment request"},
      {"a long name", frame(0, mux::FrameType::control, request.SerializeAsString()), "255 bytes"},
      {"half a frame", Bytes{std::byte{0}, std::byte{0}}, "closed before"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    rig.lines.lines.clear();
    auto raw = co_await RawAgent::connect(rig, identity, tls::kEnrolProtocol);
    REQUIRE(raw);
    co_await raw->write(one.bytes);
    if (one.what == "half a frame") raw->close();
    const bool ended = co_await rig.until([&] { return rig.lines.has({"agent.enrolment_failed"}); });
    CHECK(ended);
    CAPTURE(rig.lines.lines.back());
    CHECK(rig.lines.has({"agent.enrolment_failed", one.fragment}));
  }
  const auto next = co_await rig.enrolled();
  CHECK(next.id.agent != identity.id.agent);
  co_await rig.finish();
}

// Header and beginning at every byte, the rest in strides: no answer is owed, no agent made, and the string stays good.
ASYNC_TEST_CASE("an enrolment request cut anywhere changes nothing", "[link]") {
  GatewayRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  const auto text = co_await rig.string_for(rig.tenant);
  const auto parts = must(crypto::parse_enrolment_string(text));
  v1::EnrolRequest request;
  request.set_token_id(parts.token.value);
  request.set_csr_der(std::string(as_text(must(crypto::make_signing_request(identity.key)))));
  request.set_proof(std::string(32, 'p'));
  request.set_hostname("host-1");
  const auto whole = frame(0, mux::FrameType::control, request.SerializeAsString());
  for (std::size_t cut = 0; cut < whole.size(); cut += cut < 24 ? 1 : 11) {
    INFO("cut after byte " << cut);
    rig.lines.lines.clear();
    auto raw = co_await RawAgent::connect(rig, identity, tls::kEnrolProtocol);
    REQUIRE(raw);
    co_await raw->write(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
    raw->close();
    const bool ended = co_await rig.until([&] { return rig.lines.has({"agent.enrolment_failed"}); });
    CHECK(ended);
  }
  const auto agents = co_await rig.agents();
  CHECK(agents == 1);
  const auto again = co_await rig.enrol(text);
  CHECK(again.has_value());
  co_await rig.finish();
}

ASYNC_TEST_CASE("an enrolment that does not say what it wants is ended soon", "[link]") {
  gateway::GatewayLimits limits;
  limits.enrol_request = 200ms;
  GatewayRig rig(co_await asio::this_coro::executor, limits);
  co_await rig.start();
  const auto identity = co_await rig.enrolled();  // in time
  auto silent = co_await RawAgent::connect(rig, identity, tls::kEnrolProtocol);
  auto slow = co_await RawAgent::connect(rig, identity, tls::kEnrolProtocol);
  REQUIRE(silent);
  REQUIRE(slow);
  co_await slow->write(Bytes{std::byte{0}, std::byte{0}});
  const auto begin = std::chrono::steady_clock::now();
  const bool ended = co_await rig.until([&] {
    return std::ranges::count_if(rig.lines.lines, [](const std::string& line) {
             return line.find("agent.enrolment_failed") != std::string::npos &&
                    line.find("timed out") != std::string::npos;
           }) == 2;
  });
  CHECK(ended);
  CHECK(std::chrono::steady_clock::now() - begin < 3s);
  co_await rig.finish();
}
