#include "relay/gateway/doorway.h"

#include "shared/async/task_group.h"
#include "tests/support/async_test.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <list>
#include <vector>

using namespace sallyport;
using gateway::Doorway;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// A connection of which the other end has spoken.
struct Line {
  explicit Line(const asio::any_io_executor& loop) : here(loop), there(loop) {
    tcp::acceptor door(loop, {asio::ip::address_v4::loopback(), 0});
    there.connect(door.local_endpoint());
    door.accept(here);
    asio::write(there, asio::buffer("\x16", 1));
  }
  tcp::socket here;
  tcp::socket there;
};

SteadyTime in(std::chrono::milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

asio::awaitable<Result<void>> turn_of(Doorway::Guest& guest, gateway::Line& line, std::chrono::milliseconds patience) {
  SP_CO_CHECK(co_await guest.wait_for_word(line, in(10s)));
  co_return co_await guest.wait_for_turn(line, in(patience));
}

}  // namespace

ASYNC_TEST_CASE("who gets no turn to shake hands in time is told so, and who comes when a place is free gets it",
                "[gateway][doorway]") {
  const auto loop = co_await asio::this_coro::executor;
  Doorway door(loop, {.guests = 8, .handshakes = 1});
  Line first(loop), second(loop), third(loop);
  gateway::SocketLine first_line(first.here), second_line(second.here), third_line(third.here);
  Doorway::Guest holder(door, "127.0.0.1"), next(door, "127.0.0.3");
  const auto taken = co_await turn_of(holder, first_line, 10s);
  REQUIRE(taken);
  {
    Doorway::Guest late(door, "127.0.0.2");
    const auto refused = co_await turn_of(late, second_line, 20ms);  // the place stays taken
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::timed_out);
    CHECK(refused.error().message == "the connection did not get its turn to shake hands in time");
  }
  holder.handshake_ended();
  const auto called = co_await turn_of(next, third_line, 10s);
  CHECK(called);
}

namespace {

// Has spoken from the beginning, and is gone when told so.
class TalkingLine final : public gateway::Line {
 public:
  asio::awaitable<Result<void>> readable() override { co_return Result<void>(); }
  void turn_away() override { turned_away = true; }
  bool is_gone() const override { return gone; }
  bool turned_away = false;
  bool gone = false;
};

// One that waits for its turn in a task of its own, and notes when it has come.
struct Waiting {
  Waiting(Doorway& door, const std::string& source, std::string as, std::vector<std::string>& log)
      : guest(door, source), name(std::move(as)), called(log) {}
  asio::awaitable<void> run() {
    const auto turn = co_await turn_of(guest, line, 10s);
    called.push_back(turn ? name : name + ": " + turn.error().message);
  }
  TalkingLine line;
  Doorway::Guest guest;
  std::string name;
  std::vector<std::string>& called;
};

struct Queue {
  Queue(const asio::any_io_executor& loop, Doorway& at)
      : door(at), tasks(loop, [](const auto&, const auto& why) { FAIL_CHECK(why); }) {}
  Waiting& add(const std::string& source, const std::string& name) {
    auto& one = guests.emplace_back(door, source, name, called);
    tasks.spawn(name, one.run());
    return one;
  }
  Doorway& door;
  std::vector<std::string> called;
  std::list<Waiting> guests;
  TaskGroup tasks;
};

asio::awaitable<void> settle() {
  for (int i = 0; i < 20; ++i) co_await asio::post(asio::use_awaitable);
}

}  // namespace

ASYNC_TEST_CASE("turns are given in order of arrival, past those whose source has its share", "[gateway][doorway]") {
  const auto loop = co_await asio::this_coro::executor;
  Doorway door(loop, {.guests = 100, .handshakes = 4});
  Queue queue(loop, door);
  for (int i = 0; i < 4; ++i) queue.add("a", "a" + std::to_string(i));
  for (int i = 0; i < 3; ++i) queue.add("b", "b" + std::to_string(i));
  queue.add("c", "c0");
  co_await settle();
  // Of four places one source has two, the next one, and a third finds the last.
  const std::vector<std::string> first{"a0", "a1", "b0", "c0"};
  CHECK(queue.called == first);
  queue.guests.front().guest.handshake_ended();  // a0: the place is kept for whoever has none
  co_await settle();
  CHECK(queue.called == first);
  std::next(queue.guests.begin())->guest.handshake_ended();
  co_await settle();
  CHECK(queue.called == std::vector<std::string>{"a0", "a1", "b0", "c0", "a2"});
  for (auto& one : queue.guests) {
    one.guest.handshake_ended();
    co_await settle();
  }
  CHECK(queue.called.size() == 8);
  co_await queue.tasks.join();
}

ASYNC_TEST_CASE("who has gone while it waited costs no handshake", "[gateway][doorway]") {
  const auto loop = co_await asio::this_coro::executor;
  Doorway door(loop, {.guests = 100, .handshakes = 1});
  Queue queue(loop, door);
  queue.add("a", "first");
  for (int i = 0; i < 3; ++i) queue.add("a", "gone").line.gone = true;
  queue.add("a", "last");
  co_await settle();
  CHECK(queue.called == std::vector<std::string>{"first"});
  queue.guests.front().guest.handshake_ended();
  co_await settle();
  const std::string gone = "gone: the caller closed while it waited for its turn";
  std::ranges::sort(queue.called);
  CHECK(queue.called == std::vector<std::string>{"first", gone, gone, gone, "last"});
  co_await queue.tasks.join();
}

ASYNC_TEST_CASE("a site of thousands behind one address waits, and leaves places for others", "[gateway][doorway]") {
  const auto loop = co_await asio::this_coro::executor;
  std::size_t room = 900;
  Doorway door(loop, {.guests = 1'000, .handshakes = 2}, [&room] { return room; });
  Queue queue(loop, door);
  for (int i = 0; i < 900; ++i) {
    queue.add("site", "site");
    co_await settle();
  }
  // All but one place in nine of those there are.
  const auto held = door.guests();
  CHECK(held >= 790);
  CHECK(held <= 801);
  CHECK(std::ranges::count_if(queue.called, [](const auto& text) { return text.contains("too many"); }) > 90);
  queue.add("elsewhere", "elsewhere");
  co_await settle();
  CHECK(door.guests() == held + 1);
  CHECK(std::ranges::count(queue.called, "elsewhere") == 1);  // there is a handshake for it too
  room = held;                                                // those who have proved themselves take the rest
  CHECK(door.is_full());
  for (auto& one : queue.guests) one.guest.handshake_ended();
  co_await queue.tasks.join();
}

ASYNC_TEST_CASE("of one source's silent ones the oldest goes, of those that have spoken nobody", "[gateway][doorway]") {
  const auto loop = co_await asio::this_coro::executor;
  Doorway door(loop, {.guests = 10, .handshakes = 1});
  Queue queue(loop, door);
  for (int i = 0; i < 4; ++i) queue.add("a", "a" + std::to_string(i));
  co_await settle();
  std::list<Doorway::Guest> silent;
  for (int i = 0; i < 3; ++i) silent.emplace_back(door, "a");
  CHECK(door.guests() == 7);
  silent.emplace_back(door, "a");  // as many as are free: the oldest makes room
  CHECK(door.guests() == 7);
  TalkingLine line;
  const auto turned_out = co_await silent.front().wait_for_word(line, in(1s));
  REQUIRE_FALSE(turned_out);
  CHECK(turned_out.error().code == Errc::exhausted);
  CHECK(queue.called == std::vector<std::string>{"a0"});
  for (auto& one : queue.guests) one.guest.handshake_ended();
  co_await queue.tasks.join();
}

ASYNC_TEST_CASE("agents at the door share the places that are theirs", "[gateway][doorway]") {
  constexpr std::size_t kRoom = 90;
  Doorway door(co_await asio::this_coro::executor, {.guests = 1'000, .handshakes = 1});
  TalkingLine line;
  std::list<Doorway::Guest> guests;
  const auto add = [&](std::string source) -> asio::awaitable<Result<void>> {
    auto& guest = guests.emplace_back(door, source);
    SP_CO_CHECK(co_await guest.wait_for_word(line, in(1s)));
    auto joined = guest.join_agents(kRoom);
    if (!joined) guests.pop_back();
    co_return joined;
  };
  std::size_t held = 0;
  for (int i = 0; i < 200; ++i) {
    const auto joined = co_await add("site");
    held += joined ? 1 : 0;
    if (!joined) CHECK(joined.error().code == Errc::exhausted);
  }
  CHECK(held == 80);  // all but one in nine
  CHECK(door.agents() == held);
  for (int i = 0; i < 10; ++i) {
    const auto elsewhere = co_await add("elsewhere " + std::to_string(i));
    CHECK(elsewhere);
  }
  const auto too_late = co_await add("late");
  REQUIRE_FALSE(too_late);
  CHECK(too_late.error().message == "all places for agents are taken");
  guests.pop_front();
  const auto again = guests.back().join_agents(kRoom);
  CHECK_FALSE(again);
  const auto in_its_place = co_await add("late");
  CHECK(in_its_place);
  guests.clear();
  CHECK(door.agents() == 0);
  CHECK(door.guests() == 0);
}
