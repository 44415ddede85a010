#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/file/file_watch_trigger.h"
#include "agent/connectors/file/settle_watch.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/connector_site.h"

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using file::SettleWatch;
using platform::DirectoryEntry;
using test::args;
namespace asio = boost::asio;

namespace {

DirectoryEntry entry(std::string name, std::uint64_t size, std::int64_t mtime, std::string identity = "1") {
  return {std::move(name), {size, mtime, std::move(identity)}};
}

std::string names(const std::vector<DirectoryEntry>& files) {
  std::string all;
  for (const auto& file : files) all += file.name + " ";
  return all;
}

constexpr SteadyTime kStart{1000h};

// A watched directory, and what the sink was given.
struct Watched {
  test::ConnectorSite agent{"connections: {share: {kind: file, root: \"@DIR@/root\"}}",
                            "actions: [file.watch@1]\n"
                            "connections: {share: {files: [{directory: in, pattern: \"*.csv\", allow: [read]}]}}\n"};
  asio::thread_pool pool{1};
  file::FileWatchTrigger trigger{agent.site(), pool};
  std::vector<TriggerEvent> events;
  std::vector<std::string> troubles;
  int failures = 0;  // of the sink, before it takes an event
  Event arrived;
  TaskGroup tasks;
  std::optional<StepResult<void>> ended;

  explicit Watched(asio::any_io_executor executor)
      : arrived(executor), tasks(executor, [](auto&, auto) { FAIL("no task throws"); }) {
    std::filesystem::create_directories(agent.dir.path("root/in/sub"));
  }
  void start(ValueMap arguments) { tasks.spawn("watch", watch(std::move(arguments))); }
  asio::awaitable<void> watch(ValueMap arguments) {
    auto sink = [this](TriggerEvent event) { return take(std::move(event)); };
    auto trouble = [this](const std::string& message) { troubles.push_back(message); };
    ended = co_await trigger.run({"orders", "share", Value(std::move(arguments))}, sink, trouble);
    arrived.set();
  }
  asio::awaitable<StepResult<void>> take(TriggerEvent event) {
    if (failures > 0) {
      --failures;
      co_return step_fail("disk_full", "the journal is full");
    }
    events.push_back(std::move(event));
    arrived.set();
    co_return StepResult<void>();
  }
  asio::awaitable<bool> wait_for(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (events.size() < count && !ended && std::chrono::steady_clock::now() < deadline) {
      arrived.clear();
      co_await arrived.wait_until(deadline);
    }
    co_return events.size() == count;
  }
  asio::awaitable<void> finish() {
    tasks.stop();
    co_await tasks.join();
  }
  std::string name_of(std::size_t index) const { return events.at(index).data.find("file")->find("name")->as_string(); }
};

}  // namespace

TEST_CASE("a file settles when it stayed the same long enough", "[file][settle]") {
  SettleWatch watch(5s);
  CHECK(names(watch.look({entry("a", 1, 1)}, kStart)) == "");
  CHECK(watch.next_settling() == kStart + 5s);
  CHECK(names(watch.look({entry("a", 2, 2)}, kStart + 4s)) == "");  // grew
  CHECK(names(watch.look({entry("a", 2, 2)}, kStart + 8s)) == "");
  CHECK(names(watch.look({entry("a", 2, 2), entry("b", 1, 1)}, kStart + 9s)) == "a ");
  CHECK(names(watch.look({entry("a", 2, 2), entry("b", 1, 1)}, kStart + 10s)) == "a ");  // until it is confirmed
  watch.confirm(entry("a", 2, 2));
  CHECK(names(watch.look({entry("a", 2, 2), entry("b", 1, 1)}, kStart + 11s)) == "");
  CHECK(watch.next_settling() == kStart + 14s);
}

TEST_CASE("each state of a file is offered once, another state again", "[file][settle]") {
  SettleWatch watch(0s);
  const auto offer = [&](const DirectoryEntry& file, SteadyTime at) {
    const auto settled = watch.look({file}, at);
    for (const auto& one : settled) watch.confirm(one);
    return settled.size();
  };
  CHECK(offer(entry("a", 1, 1, "x"), kStart) == 1);
  CHECK(offer(entry("a", 1, 1, "x"), kStart + 1s) == 0);
  CHECK(offer(entry("a", 1, 2, "x"), kStart + 2s) == 1);
  CHECK(offer(entry("a", 1, 2, "y"), kStart + 3s) == 1);
  CHECK(watch.look({}, kStart + 4s).empty());
  CHECK(watch.next_settling() == SteadyTime::max());
  CHECK(offer(entry("a", 1, 2, "y"), kStart + 5s) == 1);  // went away and came back
}

TEST_CASE("a confirmation of a state that is over counts for nothing", "[file][settle]") {
  SettleWatch watch(0s);
  CHECK(names(watch.look({entry("b", 1, 5), entry("a", 1, 9), entry("c", 1, 1)}, kStart)) == "c b a ");  // oldest first
  watch.confirm(entry("a", 7, 7));
  watch.confirm(entry("none", 1, 1));
  CHECK(names(watch.look({entry("a", 1, 9)}, kStart)) == "a ");
}

ASYNC_TEST_CASE("files that appear are offered with their digest, also those that were there", "[file][watch]") {
  Watched watched(co_await asio::this_coro::executor);
  watched.agent.dir.write("root/in/old.csv", "old");
  watched.start(args({{"path", "in"}, {"pattern", "*.csv"}, {"settle", "100ms"}}));
  const bool first = co_await watched.wait_for(1);
  REQUIRE(first);
  CHECK(watched.name_of(0) == "old.csv");

  watched.agent.dir.write("root/in/ignored.txt", "x");
  watched.agent.dir.write("root/in/sub/deep.csv", "x");
  watched.agent.dir.write("root/in/new.csv", "1,2\n");
  const bool second = co_await watched.wait_for(2);
  REQUIRE(second);
  CHECK(watched.name_of(1) == "new.csv");
  const auto* file = watched.events[1].data.find("file");
  CHECK(file->find("sha256")->as_string() == "52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680");
  CHECK(file->as_handle().kind == "file");
  CHECK(watched.events[0].natural_key != watched.events[1].natural_key);
  CHECK(watched.events[1].natural_key.starts_with("file:share:in/new.csv:"));
  co_await watched.finish();
  REQUIRE(watched.ended);
  CHECK(*watched.ended);
  CHECK(watched.troubles.empty());
}

ASYNC_TEST_CASE("a file that is being written is not offered before it rests", "[file][watch]") {
  Watched watched(co_await asio::this_coro::executor);
  watched.start(args({{"path", "in"}, {"settle", "3s"}}));
  std::ofstream out(watched.agent.dir.path("root/in/slow.csv"), std::ios::binary);
  for (int i = 0; i < 10; ++i) {
    out << "part" << std::flush;
    co_await sleep_for(100ms);
    CHECK(watched.events.empty());
  }
  out.close();
  const bool offered = co_await watched.wait_for(1);
  REQUIRE(offered);
  CHECK(watched.events[0].data.find("file")->find("size")->as_int() == 40);
  co_await watched.finish();
}

ASYNC_TEST_CASE("an event that could not be made durable is offered again, and not twice after", "[file][watch]") {
  Watched watched(co_await asio::this_coro::executor);
  watched.failures = 2;
  watched.agent.dir.write("root/in/a.csv", "x");
  watched.start(args({{"path", "in"}, {"settle", "0ms"}}));
  const bool offered = co_await watched.wait_for(1);
  CHECK(offered);
  CHECK(watched.troubles == std::vector<std::string>{"the journal is full", ""});
  watched.agent.dir.write("root/in/b.csv", "x");
  const bool next = co_await watched.wait_for(2);
  CHECK(next);
  CHECK(watched.name_of(1) == "b.csv");
  co_await watched.finish();
}

ASYNC_TEST_CASE("a directory that is missing is waited for and told once", "[file][watch]") {
  Watched watched(co_await asio::this_coro::executor);
  std::filesystem::rename(watched.agent.dir.path("root"), watched.agent.dir.path("away"));
  watched.start(args({{"path", "in"}, {"settle", "0ms"}}));
  for (int i = 0; i < 2'000 && watched.troubles.empty(); ++i) co_await sleep_for(10ms);
  REQUIRE(watched.troubles.size() == 1);
  CHECK(watched.troubles[0].find("No such file") != std::string::npos);
  CHECK_FALSE(watched.ended);
  std::filesystem::rename(watched.agent.dir.path("away"), watched.agent.dir.path("root"));
  watched.agent.dir.write("root/in/a.csv", "x");
  const bool offered = co_await watched.wait_for(1);
  CHECK(offered);
  co_await watched.finish();
}

ASYNC_TEST_CASE("a watch that the policy does not allow ends with the rule", "[file][watch]") {
  Watched watched(co_await asio::this_coro::executor);
  watched.start(args({{"path", "out"}}));
  co_await watched.tasks.join();
  REQUIRE(watched.ended);
  REQUIRE_FALSE(*watched.ended);
  CHECK(watched.ended->error().error_class() == "policy");
  CHECK(watched.ended->error().rule == "policy.yaml:2 connections.share.files");
}
