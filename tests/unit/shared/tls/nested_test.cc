#include "shared/tls/nested.h"

#include "shared/async/timeout.h"
#include "tests/support/memory_stream.h"
#include "tests/support/streams.h"
#include "tests/unit/shared/tls/meeting.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <random>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using namespace boost::asio::experimental::awaitable_operators;
using tls::SecureStream;
namespace asio = boost::asio;
namespace reason = tls::reason;

namespace {

struct NestedMeeting {
  tls::NestedHandshake relay;
  tls::NestedHandshake agent;
  std::shared_ptr<MemoryPipe> to_agent;
};

// Gives at most `grain` bytes a read.
class Grained final : public ByteStream {
 public:
  Grained(std::unique_ptr<ByteStream> under, std::size_t grain) : under_(std::move(under)), grain_(grain) {}
  asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override {
    return under_->read_some(into.first(std::min(into.size(), grain_)));
  }
  asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override {
    return under_->write_all(bytes);
  }
  void close() noexcept override { under_->close(); }

 private:
  std::unique_ptr<ByteStream> under_;
  std::size_t grain_;
};

asio::awaitable<NestedMeeting> meet_inside(tls::ServerContext relay, tls::ClientContext agent,
                                           std::string host = "127.0.0.1", std::size_t grain = 1u << 20) {
  auto line = memory_line(co_await asio::this_coro::executor);
  auto pipe = line.a_to_b;
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  auto [accepted, connected] =
      co_await (tls::accept_nested_tls(std::make_unique<Grained>(std::move(line.a), grain), relay, deadline) &&
                tls::connect_nested_tls(std::make_unique<Grained>(std::move(line.b), grain), agent, host, deadline));
  co_return NestedMeeting{std::move(accepted), std::move(connected), pipe};
}

asio::awaitable<NestedMeeting> meet_well(const Pki& pki) { return meet_inside(relay_context(pki), agent_context(pki)); }

asio::awaitable<std::string> echo(SecureStream& from, SecureStream& to, std::string text) {
  auto written = co_await from.write_all(as_bytes(text));
  std::string buffer(text.size(), '\0');
  auto got = co_await to.read_some(std::as_writable_bytes(std::span(buffer)));
  co_return written&& got ? buffer.substr(0, *got) : "failed";
}

asio::awaitable<Result<std::size_t>> read_then_close(SecureStream& from) {
  auto got = co_await read_once(from);
  from.close();
  co_return got;
}

asio::awaitable<Error> heard_by(tls::NestedHandshake agent) {
  if (!agent) co_return agent.error().error;
  auto got = co_await read_once(**agent);
  co_return got ? Error{Errc::internal, "no error"} : got.error();
}

}  // namespace

ASYNC_TEST_CASE("a valid agent and the relay meet inside another stream, on either version", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto agent = pki.agent();
  for (auto version : {Version::tls12, Version::tls13}) {
    INFO(name(version));
    auto met = co_await meet_inside(relay_context(pki), limited_to(agent_context(pki, agent), version));
    REQUIRE(met.relay);
    REQUIRE(met.agent);
    const auto& facts = (*met.relay)->facts();
    CHECK(facts.version == name(version));
    CHECK(facts.protocol == tls::kLinkProtocol);
    REQUIRE(facts.agent);
    CHECK(facts.agent->id == agent.id);
    CHECK((*met.agent)->facts().peer_chain.front() == pki.server.certificate);
    const auto there = co_await echo(**met.agent, **met.relay, "hello");
    const auto back = co_await echo(**met.relay, **met.agent, "world");
    CHECK(there == "hello");
    CHECK(back == "world");
    const auto ours = (*met.agent)->export_keying_material("EXPORTER-test", 32);
    const auto theirs = (*met.relay)->export_keying_material("EXPORTER-test", 32);
    REQUIRE(ours);
    CHECK(*ours == must(theirs));
  }
}

ASYNC_TEST_CASE("an inner handshake survives a stream that gives any number of bytes", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  for (std::size_t grain : {1u, 3u, 17u, 1000u}) {
    INFO("grain " << grain);
    auto met = co_await meet_inside(relay_context(pki), agent_context(pki), "127.0.0.1", grain);
    REQUIRE(met.relay);
    REQUIRE(met.agent);
    const auto heard = co_await echo(**met.agent, **met.relay, "hi");
    CHECK(heard == "hi");
  }
}

ASYNC_TEST_CASE("a mebibyte goes both ways at once inside another stream", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto met = co_await meet_well(pki);
  REQUIRE(met.agent);
  REQUIRE(met.relay);
  const auto up = noise(1u << 20, 1), down = noise((1u << 20) + 77, 2);
  auto [sent_up, sent_down, got_up, got_down] =
      co_await (write_it(**met.agent, up) && write_it(**met.relay, down) && read_exactly(**met.relay, up.size()) &&
                read_exactly(**met.agent, down.size()));
  CHECK(sent_up);
  CHECK(sent_down);
  CHECK(must(std::move(got_up)) == up);
  CHECK(must(std::move(got_down)) == down);
}

ASYNC_TEST_CASE("inside another stream the same peers are refused for the same reasons", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock), other(clock);
  SECTION("a relay of another root") {
    auto met = co_await meet_inside(relay_context(other), agent_context(pki));
    REQUIRE_FALSE(met.agent);
    CHECK(met.agent.error().reason == reason::kWrongCa);
    REQUIRE_FALSE(met.relay);
    CHECK(met.relay.error().reason == reason::kRefusedByPeer);
  }
  SECTION("a relay of another name") {
    auto met = co_await meet_inside(relay_context(pki), agent_context(pki), "elsewhere.test");
    REQUIRE_FALSE(met.agent);
    CHECK(met.agent.error().reason == reason::kWrongHost);
  }
  SECTION("an agent of another root hears of it") {
    auto met =
        co_await meet_inside(relay_context(pki), limited_to(careless_client(clock, "\x0bsallyport/1"), Version::tls13));
    REQUIRE_FALSE(met.relay);
    CHECK(met.relay.error().reason == reason::kNoCertificate);
    const auto heard = co_await heard_by(std::move(met.agent));
    CHECK(heard.code == Errc::unauthenticated);
  }
  SECTION("a client of neither protocol") {
    auto met = co_await meet_inside(relay_context(pki), careless_client(clock, "\x08http/1.1"));
    REQUIRE_FALSE(met.relay);
    CHECK(met.relay.error().reason == reason::kAlpn);
  }
}

ASYNC_TEST_CASE("an inner enrolment session shows no certificate", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto agent = must(tls::make_enrol_client_context(pki.root.certificate.key_pin(), clock));
  auto met = co_await meet_inside(relay_context(pki), agent);
  REQUIRE(met.relay);
  REQUIRE(met.agent);
  CHECK((*met.relay)->facts().protocol == tls::kEnrolProtocol);
  CHECK((*met.relay)->facts().peer_chain.empty());
}

ASYNC_TEST_CASE("an inner session that is finished ends cleanly, one that is cut off does not", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto met = co_await meet_well(pki);
  REQUIRE(met.agent);
  REQUIRE(met.relay);
  SECTION("finished") {
    auto last = co_await ((*met.relay)->finish(std::chrono::steady_clock::now() + 5s) && read_then_close(**met.agent));
    CHECK(must(last) == 0);
  }
  SECTION("closed below") {
    (*met.relay)->close();
    const auto got = co_await read_once(**met.agent);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::unavailable);
  }
  SECTION("broken below") {
    met.to_agent->broken = true;
    met.to_agent->touch();
    const auto got = co_await read_once(**met.agent);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::unavailable);
    const auto written = co_await (*met.relay)->write_all(as_bytes("x"));
    CHECK_FALSE(written);
  }
}

ASYNC_TEST_CASE("closing an inner session ends its read, and nothing works afterwards", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto met = co_await meet_well(pki);
  REQUIRE(met.agent);
  auto got = co_await (read_once(**met.agent) && close_soon(**met.agent));
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Errc::cancelled);
  const auto written = co_await (*met.agent)->write_all(as_bytes("x"));
  REQUIRE_FALSE(written);
  CHECK(written.error().code == Errc::cancelled);
  co_await (*met.agent)->finish(std::chrono::steady_clock::now() + 1s);
}

ASYNC_TEST_CASE("a write that was cut off leaves only closing", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto met = co_await meet_well(pki);
  REQUIRE(met.agent);
  REQUIRE(met.relay);
  const auto much = noise(2u << 20, 3);
  const auto cut = co_await with_timeout(50ms, write_it(**met.relay, much));
  REQUIRE_FALSE(cut);
  CHECK(cut.error().code == Errc::timed_out);
  const auto again = co_await (*met.relay)->write_all(as_bytes("x"));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::internal);
}

ASYNC_TEST_CASE("an inner handshake ends by its deadline, and when nothing sensible answers", "[tls][nested]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto line = memory_line(co_await asio::this_coro::executor);
  const auto soon = std::chrono::steady_clock::now() + 50ms;
  SECTION("silence") {
    auto refused = co_await tls::connect_nested_tls(std::move(line.a), agent_context(pki), "127.0.0.1", soon);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == reason::kTimedOut);
  }
  SECTION("garbage") {
    auto said = co_await line.b->write_all(as_bytes("HTTP/1.1 403 Forbidden\r\n\r\n"));
    REQUIRE(said);
    auto refused = co_await tls::connect_nested_tls(std::move(line.a), agent_context(pki), "127.0.0.1", soon);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == reason::kVersion);  // of a record, as its bytes would have it
  }
  SECTION("the end") {
    line.b->close();
    auto refused = co_await tls::connect_nested_tls(std::move(line.a), agent_context(pki), "127.0.0.1", soon);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == reason::kClosed);
  }
}
