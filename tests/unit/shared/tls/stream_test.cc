#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/streams.h"
#include "tests/unit/shared/tls/meeting.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <random>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using namespace boost::asio::experimental::awaitable_operators;
using tls::TlsStream;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

struct Ends {
  std::unique_ptr<TlsStream> relay;
  std::unique_ptr<TlsStream> agent;
};

asio::awaitable<Ends> linked(Version version = Version::tls13) {
  static const SystemClock clock;
  const Pki pki(clock);
  auto met = co_await meet(relay_context(pki), limited_to(agent_context(pki), version));
  co_return Ends{*std::move(met.relay), *std::move(met.agent)};
}

asio::awaitable<std::string> write_in_chunks(TlsStream& to, const Bytes& bytes, unsigned seed) {
  std::mt19937 random(seed);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t most = random() % 3 == 0 ? 200'000 : 3'000;
    const auto size = std::min<std::size_t>(bytes.size() - at, 1 + random() % most);
    auto written = co_await to.write_all(std::span(bytes).subspan(at, size));
    if (!written) co_return written.error().message;
    at += size;
  }
  co_return "";
}

asio::awaitable<Result<Bytes>> read_then_close(TlsStream& from, std::size_t size) {
  auto got = co_await read_exactly(from, size, 1);
  from.close();
  co_return got;
}

asio::awaitable<Result<void>> write_forever(TlsStream& to) {
  const Bytes block(1u << 20);
  for (;;) {
    if (auto written = co_await to.write_all(block); !written) co_return written;
  }
}

asio::awaitable<void> write_until_closed(TlsStream& to) { static_cast<void>(co_await write_forever(to)); }

asio::awaitable<void> count_until_closed(TlsStream& from, std::size_t& moved) {
  Bytes buffer(65'536);
  for (;;) {
    auto got = co_await from.read_some(buffer);
    if (!got || *got == 0) co_return;
    moved += *got;
  }
}

// Passes on at most `budget` bytes from one socket to the other, then ends.
asio::awaitable<void> forward(tcp::socket& from, tcp::socket& to, std::size_t& budget) {
  Bytes buffer(16'384);
  while (budget > 0) {
    const auto [error, got] = co_await from.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (error) break;
    const auto size = std::min(got, budget);
    budget -= size;
    const auto [failed, sent] =
        co_await to.async_send(asio::buffer(buffer.data(), size), asio::as_tuple(asio::use_awaitable));
    if (failed || sent < size) break;
  }
}

// A line that breaks after `budget` bytes in both directions together.
asio::awaitable<void> carry(tcp::socket left, tcp::socket right, std::size_t budget) {
  co_await (forward(left, right, budget) || forward(right, left, budget));
}

// What the agent sees of a relay that writes 100,000 bytes and closes in order, over a line that breaks.
asio::awaitable<std::string> over_breaking_line(const Pki& pki, tls::ServerContext relay, tls::ClientContext agent,
                                                std::size_t budget) {
  auto near = co_await connected_sockets();
  auto far = co_await connected_sockets();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  static_cast<void>(pki);
  TaskGroup line(co_await asio::this_coro::executor, [](auto&, auto) { FAIL("the line threw"); });
  line.spawn("line", carry(std::move(near.far), std::move(far.near), budget));
  auto [accepted, connected] =
      co_await (tls::accept_tls(std::move(far.far), std::move(relay), deadline) &&
                tls::connect_tls(std::move(near.near), std::move(agent), "127.0.0.1", deadline));
  std::string seen = "no link";
  if (accepted && connected) {
    const auto sent = noise(100'000, 1);
    static_cast<void>(co_await (*accepted)->write_all(sent));
    (*accepted)->close();
    Result<std::size_t> got = 1;
    Bytes buffer(20'000);
    while (got && *got > 0) got = co_await (*connected)->read_some(buffer);
    seen = got ? "clean end" : std::string(to_string(got.error().code));
  }
  line.stop();
  co_await line.join();
  co_return seen;
}

}  // namespace

ASYNC_TEST_CASE("a mebibyte goes both ways at once in pieces of any size", "[tls]") {
  for (auto version : {Version::tls12, Version::tls13}) {
    auto ends = co_await linked(version);
    const auto up = noise(1u << 20, 1);
    const auto down = noise(1u << 20, 2);
    auto [wrote_up, wrote_down, got_up, got_down] =
        co_await (write_in_chunks(*ends.agent, up, 3) && write_in_chunks(*ends.relay, down, 4) &&
                  read_exactly(*ends.relay, up.size(), 5) && read_exactly(*ends.agent, down.size(), 6));
    CHECK(wrote_up == "");
    CHECK(wrote_down == "");
    REQUIRE(got_up);
    REQUIRE(got_down);
    CHECK(*got_up == up);
    CHECK(*got_down == down);
  }
}

ASYNC_TEST_CASE("one read gives as many records as have arrived and fit", "[tls]") {
  auto ends = co_await linked();
  const auto sent = noise(100'000, 1);
  auto written = co_await ends.agent->write_all(sent);
  REQUIRE(written);
  Bytes buffer(40'000);
  auto got = co_await ends.relay->read_some(buffer);
  REQUIRE(got);
  CHECK(*got == 40'000);
  Bytes rest(200'000);
  got = co_await ends.relay->read_some(rest);
  REQUIRE(got);
  CHECK(*got == 60'000);
  rest.resize(*got);
  buffer.insert(buffer.end(), rest.begin(), rest.end());
  CHECK(buffer == sent);
}

ASYNC_TEST_CASE("what is written in pieces arrives in order", "[tls]") {
  auto ends = co_await linked();
  const auto sent = noise(60'000, 1);
  const std::array<std::span<const std::byte>, 4> pieces{std::span(sent).first(10), std::span(sent).subspan(10, 0),
                                                         std::span(sent).subspan(10, 40'000),
                                                         std::span(sent).subspan(40'010)};
  auto written = co_await ends.agent->write_pieces(pieces);
  REQUIRE(written);
  Bytes got(100'000);
  std::size_t size = 0;
  while (size < sent.size()) {
    auto more = co_await ends.relay->read_some(std::span(got).subspan(size));
    REQUIRE(more);
    size += *more;
  }
  got.resize(size);
  CHECK(got == sent);
}

ASYNC_TEST_CASE("an orderly close is read as the end, after everything that was written", "[tls]") {
  auto ends = co_await linked();
  auto written = co_await ends.relay->write_all(as_bytes("last words"));
  REQUIRE(written);
  ends.relay->close();
  auto got = co_await read_once(*ends.agent);
  REQUIRE(got);
  CHECK(*got == 10);
  for (int i = 0; i < 2; ++i) {
    auto end = co_await read_once(*ends.agent);
    REQUIRE(end);
    CHECK(*end == 0);
  }
}

ASYNC_TEST_CASE("a stream that is destroyed closes in order", "[tls]") {
  auto ends = co_await linked();
  ends.relay.reset();
  auto end = co_await read_once(*ends.agent);
  REQUIRE(end);
  CHECK(*end == 0);
}

ASYNC_TEST_CASE("a line that breaks anywhere is never read as an orderly end", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto relay = relay_context(pki);
  const auto agent = agent_context(pki);
  int links = 0;
  for (std::size_t budget : {1u, 100u, 1'000u, 2'000u, 3'000u, 5'000u, 10'000u, 30'000u, 60'000u, 90'000u, 102'000u}) {
    const auto seen = co_await over_breaking_line(pki, relay, agent, budget);
    INFO("after " << budget << " bytes: " << seen);
    CHECK(seen != "clean end");
    links += seen == "no link" ? 0 : 1;
  }
  CHECK(links >= 5);
  const auto whole = co_await over_breaking_line(pki, relay, agent, 1u << 20);
  CHECK(whole == "clean end");
}

ASYNC_TEST_CASE("closing ends a pending read", "[tls]") {
  auto ends = co_await linked();
  auto got = co_await (read_once(*ends.agent) && close_soon(*ends.agent));
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Errc::cancelled);
  auto later = co_await read_once(*ends.agent);
  CHECK(later.error().code == Errc::cancelled);
  auto written = co_await ends.agent->write_all(as_bytes("x"));
  CHECK(written.error().code == Errc::cancelled);
}

ASYNC_TEST_CASE("closing ends a write that the peer does not take, and the peer sees no orderly end", "[tls]") {
  auto ends = co_await linked();
  auto written = co_await (write_forever(*ends.agent) && close_soon(*ends.agent));
  REQUIRE_FALSE(written);
  CHECK(written.error().code == Errc::cancelled);
  Result<std::size_t> got = 1;
  Bytes buffer(20'000);
  while (got && *got > 0) got = co_await ends.relay->read_some(buffer);
  CHECK_FALSE(got);
}

ASYNC_TEST_CASE("a read that ran out of time can be repeated", "[tls]") {
  auto ends = co_await linked();
  auto none = co_await with_timeout(20ms, read_once(*ends.agent));
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::timed_out);
  auto written = co_await ends.relay->write_all(as_bytes("later"));
  REQUIRE(written);
  auto got = co_await read_once(*ends.agent);
  REQUIRE(got);
  CHECK(*got == 5);
}

ASYNC_TEST_CASE("after a write was cut off only closing is left", "[tls]") {
  auto ends = co_await linked();
  auto cut = co_await with_timeout(50ms, write_forever(*ends.agent));
  REQUIRE_FALSE(cut);
  CHECK(cut.error().code == Errc::timed_out);
  auto written = co_await ends.agent->write_all(as_bytes("x"));
  REQUIRE_FALSE(written);
  CHECK(written.error().code == Errc::internal);
}

ASYNC_TEST_CASE("two reads at a time are refused, not mixed up", "[tls]") {
  auto ends = co_await linked();
  auto [first, second, closed] =
      co_await (read_once(*ends.agent) && read_once(*ends.agent) && ends.relay->write_all(as_bytes("one")));
  CHECK(closed);
  REQUIRE(first);
  CHECK(*first == 3);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::internal);
}

ASYNC_TEST_CASE("a last message arrives although the peer had more to say", "[tls]") {
  auto ends = co_await linked();
  const auto chatter = noise(50'000, 1);
  auto spoken = co_await ends.agent->write_all(chatter);
  REQUIRE(spoken);
  auto refusal = co_await ends.relay->write_all(as_bytes("refused: revoked"));
  REQUIRE(refusal);
  auto got = co_await (ends.relay->finish(std::chrono::steady_clock::now() + 5s) && read_then_close(*ends.agent, 16));
  REQUIRE(got);
  CHECK(as_text(*got) == "refused: revoked");
}

ASYNC_TEST_CASE("finish does not wait longer than its deadline for a peer that stays", "[tls]") {
  auto ends = co_await linked();
  const auto begun = std::chrono::steady_clock::now();
  co_await ends.relay->finish(begun + 50ms);
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
  auto end = co_await read_once(*ends.agent);
  REQUIRE(end);
  CHECK(*end == 0);
}

ASYNC_TEST_CASE("a bulk transfer lets other work of its loop run every 256 KiB", "[tls]") {
  auto ends = co_await linked();
  TaskGroup bulk(co_await asio::this_coro::executor, [](auto&, auto) { FAIL("the transfer threw"); });
  std::size_t moved = 0;
  bulk.spawn("pump", write_until_closed(*ends.agent));
  bulk.spawn("drain", count_until_closed(*ends.relay, moved));
  std::size_t most_at_once = 0;
  while (moved < (32u << 20)) {
    const auto before = moved;
    co_await asio::post(asio::use_awaitable);
    most_at_once = std::max(most_at_once, moved - before);
  }
  ends.agent->close();
  ends.relay->close();
  co_await bulk.join();
  CHECK(most_at_once > 0);
  CHECK(most_at_once <= (256u << 10) + 16'384);
}
