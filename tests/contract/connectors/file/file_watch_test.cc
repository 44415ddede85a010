#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/file/file_watch_trigger.h"
#include "agent/connectors/file/unread_files.h"
#include "agent/connectors/settle_watch.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/connector_site.h"

#include <boost/asio/post.hpp>

#include <sys/fsuid.h>

#include <algorithm>
#include <filesystem>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
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
  file::FileWatchTrigger trigger;
  std::vector<TriggerEvent> events;
  std::vector<std::string> troubles;
  TriggerSource::Concern concern = TriggerSource::Concern::waits;  // of the last trouble
  int failures = 0;                                                // of the sink, before it takes an event
  Event arrived;
  TaskGroup tasks;
  std::optional<StepResult<void>> ended;

  explicit Watched(asio::any_io_executor executor, std::size_t most = file::FileWatchTrigger::kMost)
      : trigger(agent.site(), pool, most),
        arrived(executor),
        tasks(executor, [](auto&, auto) { FAIL("no task throws"); }) {
    std::filesystem::create_directories(agent.dir.path("root/in/sub"));
  }
  void start(ValueMap arguments) { tasks.spawn("watch", watch(std::move(arguments))); }
  asio::awaitable<void> watch(ValueMap arguments) {
    auto sink = [this](TriggerEvent event) { return take(std::move(event)); };
    auto trouble = [this](auto about, std::string message) { return hear(about, std::move(message)); };
    ended = co_await trigger.run({"orders", "share", Value(std::move(arguments))}, sink, trouble);
    arrived.set();
  }
  asio::awaitable<void> hear(TriggerSource::Concern about, std::string message) {
    concern = about;
    troubles.push_back(std::move(message));
    arrived.set();
    co_return;
  }
  // Whether a trouble with this text was told, or is told within some time.
  asio::awaitable<bool> hears(std::string part) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    const auto told = [&] {
      return std::ranges::any_of(troubles, [&](const auto& text) { return text.find(part) != std::string::npos; });
    };
    while (!told() && !ended && std::chrono::steady_clock::now() < deadline) {
      arrived.clear();
      co_await arrived.wait_until(deadline);
    }
    co_return told();
  }
  // From now on the watch has the rights of nobody: root may read everything.
  void drop_rights() {
    std::filesystem::permissions(agent.dir.path(), std::filesystem::perms(0755));
    asio::post(pool, [] { ::setfsuid(65534); });
  }
  void permit(const std::string& path, unsigned mode) {
    std::filesystem::permissions(agent.dir.path(path), std::filesystem::perms(mode));
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

TEST_CASE("a file that was put off is offered again after longer and longer waits, and at once when it changes",
          "[file][settle]") {
  SettleWatch watch(0s);
  auto now = kStart;
  const auto offered = [&](std::uint64_t size) {
    return names(watch.look({entry("a", size, 1), entry("b", 1, 2)}, now));
  };
  CHECK(offered(1) == "a b ");
  watch.confirm(entry("b", 1, 2));
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    watch.put_off(entry("a", 1, 1), now);
    CHECK(watch.next_settling() == now + wait);
    now += wait - 1ms;
    CHECK(offered(1) == "");
    now += 1ms;
    CHECK(offered(1) == "a ");
  }
  watch.put_off(entry("a", 1, 1), now);
  CHECK(offered(2) == "a ");
  watch.put_off(entry("a", 1, 1), now);  // a state that is over
  CHECK(offered(2) == "a ");
}

TEST_CASE("unread files are named newest first, until they are gone or changed", "[file][watch]") {
  file::UnreadFiles unread;
  CHECK(unread.text().empty());
  for (const char* name : {"b", "a", "d", "c"}) unread.add(entry(name, 1, 1), "no");
  unread.add(entry("b", 1, 1), "still no");
  CHECK(unread.text() == "passed over until it can be read: c: no; d: no; a: no (and 1 more)");
  unread.keep_only({entry("a", 2, 2), entry("b", 1, 1), entry("c", 1, 1)});
  CHECK(unread.text() == "passed over until it can be read: c: no; b: still no");
  unread.remove("c");
  unread.keep_only({});
  CHECK(unread.text().empty());
}

TEST_CASE("what a watch passes over is one text", "[file][watch]") {
  const file::UnreadFiles none;
  CHECK(passed_over_text({}, none, 5).empty());
  file::UnreadFiles unread;
  unread.add(entry("in/a", 1, 1), "Permission denied");
  CHECK(
      passed_over_text({.skipped = {"x", "y"}, .closed = {"opening in/sub: Permission denied"}, .over_limit = true},
                       unread, 5) ==
      "passed over until it can be read: in/a: Permission denied; more than 5 files match: only the newest are looked "
      "at, move or delete the others; a directory is passed over: opening in/sub: Permission denied; the name of x "
      "(and 1 more) is not UTF-8: it is passed over until it is renamed");
}

ASYNC_TEST_CASE("files that do not match hide nothing, however many there are", "[file][watch][bounds]") {
  Watched watched(co_await asio::this_coro::executor);
  for (int i = 0; i < 10'500; ++i) watched.agent.dir.write("root/in/" + std::to_string(i) + ".txt", "");
  watched.agent.dir.write("root/in/a.csv", "x");
  watched.start(args({{"path", "in"}, {"pattern", "*.csv"}, {"settle", "0ms"}}));
  const bool offered = co_await watched.wait_for(1);
  CHECK(offered);
  watched.agent.dir.write("root/in/b.csv", "x");
  const bool next = co_await watched.wait_for(2);
  CHECK(next);
  co_await watched.finish();
  CHECK(watched.troubles.empty());
}

ASYNC_TEST_CASE("of more files than it can watch it serves the newest, and tells", "[file][watch][bounds]") {
  Watched watched(co_await asio::this_coro::executor, 3);
  const auto old = std::filesystem::file_time_type::clock::now() - 1h;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    const auto path = watched.agent.dir.write("root/in/" + std::string(name) + ".csv", name);
    std::filesystem::last_write_time(path, old + std::chrono::minutes(name[0] - 'a'));
  }
  watched.start(args({{"path", "in"}, {"settle", "0ms"}}));
  const bool newest = co_await watched.wait_for(3);
  REQUIRE(newest);
  CHECK(watched.name_of(0) + watched.name_of(1) + watched.name_of(2) == "c.csvd.csve.csv");
  const bool told = co_await watched.hears("more than 3 files match: only the newest are looked at");
  CHECK(told);
  CHECK(watched.concern == TriggerSource::Concern::passed_over);
  for (const char* name : {"d", "e"})
    std::filesystem::remove(watched.agent.dir.path("root/in/" + std::string(name) + ".csv"));
  const bool rest = co_await watched.wait_for(5);
  REQUIRE(rest);
  CHECK(watched.name_of(3) + watched.name_of(4) == "a.csvb.csv");
  co_await watched.finish();
  CHECK(watched.troubles.size() == 2);
  CHECK(watched.troubles.back().empty());
}

ASYNC_TEST_CASE("a file that cannot be read is told once and does not hide the others", "[file][watch][bad-input]") {
  Watched watched(co_await asio::this_coro::executor);
  watched.drop_rights();
  watched.agent.dir.write("root/in/bad.csv", "x");
  watched.permit("root/in/bad.csv", 0);
  watched.start(args({{"path", "in"}, {"settle", "0ms"}}));
  const bool told = co_await watched.hears("in/bad.csv: ");
  CHECK(told);
  for (std::size_t i = 0; i < 3; ++i) {
    watched.agent.dir.write("root/in/good" + std::to_string(i) + ".csv", "x");
    watched.permit("root/in/good" + std::to_string(i) + ".csv", 0644);
    const bool offered = co_await watched.wait_for(i + 1);
    REQUIRE(offered);
    CHECK(watched.name_of(i) == "good" + std::to_string(i) + ".csv");
  }
  REQUIRE(watched.troubles.size() == 1);
  CHECK(watched.troubles[0].find("Permission denied") != std::string::npos);
  CHECK(watched.concern == TriggerSource::Concern::passed_over);
  watched.permit("root/in/bad.csv", 0644);
  const bool read_after_all = co_await watched.wait_for(4);
  REQUIRE(read_after_all);
  CHECK(watched.name_of(3) == "bad.csv");
  co_await watched.finish();
  CHECK(watched.troubles.back().empty());
}

ASYNC_TEST_CASE("a directory that cannot be looked into is told and does not hide the others",
                "[file][watch][bad-input]") {
  Watched watched(co_await asio::this_coro::executor);
  watched.drop_rights();
  watched.agent.dir.write("root/in/sub/deep.csv", "x");
  watched.agent.dir.write("root/in/sub2/deep.csv", "x");
  watched.permit("root/in/sub2/deep.csv", 0644);
  watched.permit("root/in/sub", 0);
  watched.start(args({{"path", "in"}, {"settle", "0ms"}, {"recursive", true}}));
  const bool offered = co_await watched.wait_for(1);
  CHECK(offered);
  const bool told = co_await watched.hears("a directory is passed over: opening in/sub: Permission denied");
  CHECK(told);
  watched.permit("root/in/sub", 0755);
  watched.permit("root/in/sub/deep.csv", 0644);
  const bool opened = co_await watched.wait_for(2);
  CHECK(opened);
  co_await watched.finish();
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

ASYNC_TEST_CASE("a file whose event could not be made durable is read once", "[file][watch][bounds]") {
  constexpr std::size_t kSize = 64u << 20;
  const auto bytes_read = [] {
    std::ifstream io("/proc/self/io");
    std::string name;
    std::size_t count = 0;
    io >> name >> count;
    return count;
  };
  Watched watched(co_await asio::this_coro::executor);
  watched.failures = 2;
  watched.agent.dir.write("root/in/a.csv", std::string(kSize, 'x'));
  const auto before = bytes_read();
  watched.start(args({{"path", "in"}, {"settle", "0ms"}}));
  const bool offered = co_await watched.wait_for(1);
  CHECK(offered);
  CHECK(bytes_read() - before >= kSize);
  CHECK(bytes_read() - before < kSize + kSize / 2);
  co_await watched.finish();
}

ASYNC_TEST_CASE("a directory that is missing is waited for and told once", "[file][watch]") {
  Watched watched(co_await asio::this_coro::executor);
  std::filesystem::rename(watched.agent.dir.path("root"), watched.agent.dir.path("away"));
  watched.start(args({{"path", "in"}, {"settle", "0ms"}}));
  for (int i = 0; i < 2'000 && watched.troubles.empty(); ++i) co_await sleep_for(10ms);
  REQUIRE(watched.troubles.size() == 1);
  CHECK(watched.troubles[0] == "opening the directory of share: it is not there; the agent's log says more");
  CHECK(watched.agent.logged().find(watched.agent.dir.path("root") + ": No such file") != std::string::npos);
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

ASYNC_TEST_CASE("a file whose name is no text is passed over and named, and does not hide the others",
                "[file][watch][bad-input]") {
  Watched watched(co_await asio::this_coro::executor);
  watched.agent.dir.write("root/in/caf\xe9.csv", "x");
  watched.agent.dir.write("root/in/good.csv", "x");
  watched.start(args({{"path", "in"}, {"settle", "0ms"}}));
  const bool offered = co_await watched.wait_for(1);
  REQUIRE(offered);
  CHECK(watched.name_of(0) == "good.csv");
  const auto told = [&] { return !watched.troubles.empty(); };
  for (int i = 0; i < 1'000 && !told(); ++i) co_await sleep_for(5ms);
  REQUIRE(told());
  CHECK(watched.troubles[0].find("in/caf\\xe9.csv") != std::string::npos);
  std::filesystem::rename(watched.agent.dir.path("root/in/caf\xe9.csv"), watched.agent.dir.path("root/in/cafe.csv"));
  const bool renamed = co_await watched.wait_for(2);
  REQUIRE(renamed);
  CHECK(watched.name_of(1) == "cafe.csv");
  co_await watched.finish();
  CHECK(watched.troubles.back().empty());
}
