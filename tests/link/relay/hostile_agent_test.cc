#include "proto/sallyport/v1/jobs.pb.h"
#include "proto/sallyport/v1/link.pb.h"
#include "shared/mux/message.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/unit/shared/link/hostile_moves.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using mux::FrameType;

namespace {

v1::ToRelay to_relay(const std::function<void(v1::ToRelay&)>& fill) {
  v1::ToRelay message;
  fill(message);
  return message;
}

Bytes jobs_channel() { return frame(1, FrameType::open, "jobs/1"); }
Bytes jobs_message(std::string_view bytes) { return frame(1, FrameType::data, bytes); }
std::string prefixed(std::size_t length, std::string_view bytes) {
  return std::string(as_text(mux::message_prefix(length))) + std::string(bytes);
}

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
  for (const auto& move : impossible_greetings("jobs/1")) {
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
  const std::vector<Move> of_jobs = {
      {"a second jobs channel", joined({jobs_channel(), frame(3, FrameType::open, "jobs/1")}), "P13.1"},
      {"a message that is none", joined({jobs_channel(), jobs_message(prefixed(3, "\xff\xff\xff"))}), "not a ToRelay"},
      {"an empty message", joined({jobs_channel(), jobs_message(prefixed(0, ""))}), "without a body"},
      {"a report without a body", joined({jobs_channel(), jobs_message(bare_report)}), "a report without a body"},
  };
  auto moves = broken_rules("jobs/1");
  moves.insert(moves.end(), of_jobs.begin(), of_jobs.end());
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
    raw->close();
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
  const auto heard = co_await scene.play_linked(std::move(stream), hello({.window = 1'024}));
  CHECK(heard.welcomed);
  CHECK(heard.refusal.starts_with("overloaded: "));
  co_await scene.end();
}
