#include "proto/sallyport/v1/jobs.pb.h"
#include "proto/sallyport/v1/link.pb.h"
#include "shared/mux/message.h"
#include "tests/link/relay/gateway_rig.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using mux::FrameType;

namespace {

Bytes control(const std::function<void(v1::Control&)>& fill) {
  v1::Control message;
  fill(message);
  return frame(0, FrameType::control, message.SerializeAsString());
}

v1::ToRelay to_relay(const std::function<void(v1::ToRelay&)>& fill) {
  v1::ToRelay message;
  fill(message);
  return message;
}

Bytes text(std::string_view characters) { return {as_bytes(characters).begin(), as_bytes(characters).end()}; }

Bytes raw_header(std::uint32_t channel, std::uint8_t type, std::uint32_t length) {
  Bytes out;
  mux::append_u32(out, channel);
  mux::append_u32(out, std::uint32_t{type} << 24 | length);
  return out;
}

Bytes jobs_channel() { return frame(1, FrameType::open, "jobs/1"); }
Bytes jobs_message(std::string_view bytes) { return frame(1, FrameType::data, bytes); }
std::string prefixed(std::size_t length, std::string_view bytes) {
  return std::string(as_text(mux::message_prefix(length))) + std::string(bytes);
}

// Channels that the relay serves nothing on: it resets them, and drops what still comes, up to their window.
Bytes refused_channel() { return frame(3, FrameType::open, "nobody/1"); }

Bytes data_beyond(std::size_t window) {
  const std::string piece(60'000, 'x');
  Bytes out = refused_channel();
  for (std::size_t sent = 0; sent <= window; sent += piece.size()) {
    mux::append_frame(out, {3, FrameType::data, as_bytes(piece)});
  }
  return out;
}

Bytes endless_opens(std::uint32_t count) {
  Bytes out;
  for (std::uint32_t i = 0; i < count; ++i) {
    mux::append_frame(out, {2 * i + 1, FrameType::open, as_bytes("nobody/1")});
  }
  return out;
}

struct Move {
  std::string what;
  Bytes bytes;
  std::string refusal;  // what the relay says of it
};

// A good agent that is linked all the while, and must not notice; and the identity that the moves are made with.
struct Scene {
  explicit Scene(asio::any_io_executor loop) : rig(loop) {}
  awaitable<void> begin() {
    co_await rig.start();
    const auto identity = co_await rig.enrolled();
    bystander.emplace(rig, identity);
    bystander->start();
    const bool ready = co_await bystander->until_ready();
    REQUIRE(ready);
    hostile.emplace(co_await rig.enrolled());
  }
  awaitable<void> end() {
    CHECK(bystander->status().state == agent::LinkState::ready);
    CHECK(bystander->links == 1);
    RealAgent reformed(rig, *hostile, "none", 7);  // its identity is as good as before
    reformed.start();
    const bool ready = co_await reformed.until_ready();
    CHECK(ready);
    co_await reformed.finish();
    co_await bystander->finish();
    co_await rig.finish();
  }
  awaitable<Heard> play(Bytes bytes) {
    const bool alone = co_await rig.until([&] { return rig.links.count() == 1; });
    REQUIRE(alone);
    rig.lines.lines.clear();
    auto raw = co_await RawAgent::connect(rig, *hostile);
    if (!raw) throw std::runtime_error(raw.error().error.message);
    co_await raw->write(std::move(bytes));
    co_return co_await raw->listen();
  }
  // After a good Hello and the relay's Welcome.
  awaitable<Heard> play_linked(Bytes bytes, Bytes greeting = hello()) {
    const bool alone = co_await rig.until([&] { return rig.links.count() == 1; });
    REQUIRE(alone);
    rig.lines.lines.clear();
    auto raw = co_await RawAgent::connect(rig, *hostile);
    if (!raw) throw std::runtime_error(raw.error().error.message);
    const bool welcomed = co_await raw->greet(std::move(greeting));
    REQUIRE(welcomed);
    co_await raw->write(std::move(bytes));
    co_return co_await raw->listen();
  }
  awaitable<bool> logged(std::initializer_list<std::string_view> words) {
    co_return co_await rig.until([&] { return rig.lines.has(words); });
  }
  GatewayRig rig;
  std::optional<RealAgent> bystander;
  std::optional<agent::Identity> hostile;
};

}  // namespace

ASYNC_TEST_CASE("a Hello that cannot be is refused with the reason", "[link]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  const std::vector<Move> moves = {
      {"versions of the future", hello(2, 3), "version: "},
      {"a range upside down", hello(1, 0), "version: "},
      {"no version", hello(0, 0), "version: "},
      {"no window", hello(1, 1, 0), "protocol: "},
      {"a giant's window", hello(1, 1, 17u << 20), "protocol: "},
      {"a ping first", control([](auto& c) { c.mutable_ping()->set_nonce(1); }), "protocol: "},
      {"a channel first", jobs_channel(), "protocol: "},
      {"the relay's own Welcome", control([](auto& c) { c.mutable_welcome(); }), "protocol: "},
      {"no protobuf", frame(0, FrameType::control, "\xff\xff\xff\xff"), "protocol: "},
      {"an empty control", raw_header(0, 1, 0), "protocol: "},
      {"HTTP", text("GET / HTTP/1.1\r\n\r\n"), "protocol: "},
  };
  for (const auto& move : moves) {
    INFO(move.what);
    const auto heard = co_await scene.play(move.bytes);
    CHECK_FALSE(heard.welcomed);
    CAPTURE(heard.refusal);
    CHECK(heard.refusal.starts_with(move.refusal));
    const bool logged = co_await scene.logged({"link.refused"});
    CHECK(logged);
  }
  co_await scene.end();
}

ASYNC_TEST_CASE("broken rules after Hello end the link with their number, and nobody else's", "[link]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  const auto bare_report = as_message(to_relay([](auto& m) { m.mutable_report(); }));
  const std::vector<Move> moves = {
      {"a second Hello", hello(), "P3.2"},
      {"a length over the limit, without its payload", raw_header(1, 3, (64u << 10) - 7), "P4.3"},
      {"the longest length there is", raw_header(0, 1, 0xffffff), "P4.3"},
      {"a type that is not there", raw_header(1, 99, 4), "P4.2"},
      {"type 0", raw_header(0, 0, 0), "P4.2"},
      {"control on a channel", frame(1, FrameType::control, "x"), "P4.4"},
      {"data on channel 0", frame(0, FrameType::data, "x"), "P4.4"},
      {"data for no channel", frame(1, FrameType::data, "x"), "P5.4"},
      {"an even channel", frame(2, FrameType::open, "jobs/1"), "P5.1"},
      {"the same channel twice", joined({jobs_channel(), jobs_channel()}), "P5.2"},
      {"a Pong that nobody asked for", control([](auto& c) { c.mutable_pong()->set_nonce(99); }), "P10.2"},
      {"credit of nothing", joined({jobs_channel(), frame(1, FrameType::credit, std::string(4, '\0'))}), "P6.3"},
      {"credit beyond 2^32",
       joined({jobs_channel(), frame(1, FrameType::credit, "\xff\xff\xff\xff"),
               frame(1, FrameType::credit, "\xff\xff\xff\xff")}),
       "P6.3"},
      {"more data than the window", data_beyond(256u << 10), "P6.2"},
      {"data after the end", joined({jobs_channel(), frame(1, FrameType::fin, ""), jobs_message("x")}), "P5.6"},
      {"an end of no channel", frame(5, FrameType::reset, std::string("\0\0\0\1", 4)), "P5.4"},
      {"opens without regard to refusals", endless_opens(2'100), "P5.5"},
      {"garbage", Bytes(4'096, std::byte{0xa5}), "P4"},
      {"a purpose that is not text", frame(1, FrameType::open, "\xc3\x28"), "P5.3"},
      {"a second jobs channel", joined({jobs_channel(), frame(3, FrameType::open, "jobs/1")}), "P13.1"},
      {"a message that is none", joined({jobs_channel(), jobs_message(prefixed(3, "\xff\xff\xff"))}), "not a ToRelay"},
      {"an empty message", joined({jobs_channel(), jobs_message(prefixed(0, ""))}), "without a body"},
      {"a report without a body", joined({jobs_channel(), jobs_message(bare_report)}), "a report without a body"},
  };
  for (const auto& move : moves) {
    INFO(move.what);
    const auto heard = co_await scene.play_linked(move.bytes);
    CAPTURE(heard.refusal);
    CHECK(heard.refusal.starts_with("protocol: "));
    CHECK(heard.refusal.find(move.refusal) != std::string::npos);
    const bool logged = co_await scene.logged({"link.lost", R"("reason":"protocol")", move.refusal});
    CHECK(logged);
  }
  co_await scene.end();
}

ASYNC_TEST_CASE("jobs channels that end early end the link", "[link]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  const std::vector<Move> moves = {
      {"finished", joined({jobs_channel(), frame(1, FrameType::fin, "")}), ""},
      {"reset", joined({jobs_channel(), frame(1, FrameType::reset, std::string("\0\0\0\1bye", 7))}), ""},
      {"a message over 1 MiB", joined({jobs_channel(), jobs_message(prefixed((1u << 20) + 1, "x"))}), ""},
      {"half a message", joined({jobs_channel(), jobs_message(prefixed(10, "x")), frame(1, FrameType::fin, "")}), ""},
  };
  for (const auto& move : moves) {
    INFO(move.what);
    const auto heard = co_await scene.play_linked(move.bytes);
    CHECK(heard.closed);
    const bool logged = co_await scene.logged({"link.lost", "the jobs channel ended"});
    CHECK(logged);
  }
  co_await scene.end();
}

// Cut anywhere in its Hello and first messages: the link ends, with a reason, and that is all.
ASYNC_TEST_CASE("a link cut at any byte ends with a reason", "[link]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  const auto holding = as_message(to_relay([](auto& m) { m.mutable_holding(); }));
  const auto whole = joined({hello(), jobs_channel(), jobs_message(holding)});
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    scene.rig.lines.lines.clear();
    auto raw = co_await RawAgent::connect(scene.rig, *scene.hostile);
    REQUIRE(raw);
    co_await raw->write(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
    raw->stream().close();
    const bool ended = co_await scene.rig.until([&] {
      return scene.rig.lines.has({"link.lost", "reason"}) || scene.rig.lines.has({"link.refused", "reason"});
    });
    CHECK(ended);
  }
  co_await scene.end();
}

// It names a job that is not its own again and again, and grants no credit for the answers.
ASYNC_TEST_CASE("an agent that takes nothing is told so and cut", "[link]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  const auto foreign = as_message(to_relay([](auto& m) {
    auto& lease = *m.mutable_holding()->add_jobs();
    lease.set_job_id("job_1");
    lease.set_lease_epoch(1);
  }));
  Bytes stream = jobs_channel();
  for (int i = 0; i < 2'300; ++i) mux::append_frame(stream, {1, FrameType::data, as_bytes(foreign)});
  const auto heard = co_await scene.play_linked(std::move(stream), hello(1, 1, 1'024));
  CHECK(heard.welcomed);
  CHECK(heard.refusal.starts_with("overloaded: "));
  co_await scene.end();
}
