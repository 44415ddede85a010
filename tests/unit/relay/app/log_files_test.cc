#include "relay/app/log_files.h"

#include "shared/base/text.h"
#include "tests/support/full_disk.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

class SetClock final : public Clock {
 public:
  SteadyTime steady() const override { return {}; }
  WallTime wall() const override { return at; }
  WallTime at = *parse_rfc3339("2026-01-31T09:59:59.000Z");
};

class Heard final : public LogSink {
 public:
  void write(std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat facts{};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  return facts.st_mode & 0777;
}

struct Bench {
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& one : std::filesystem::directory_iterator(folder)) all.insert(one.path().filename().string());
    return all;
  }
  std::filesystem::path file(const std::string& stamp) const { return folder / ("relay-" + stamp + ".jsonl"); }

  TempDir place;
  std::filesystem::path folder = place / "logs";
  SetClock clock;
  Heard complaints;
};

}  // namespace

TEST_CASE("each hour's lines are in a file of its own that nobody else reads", "[app][log]") {
  Bench bench;
  LogFiles files({bench.folder, 1 << 20}, bench.clock, bench.complaints);
  files.write(R"({"event":"a"})");
  files.write(R"({"event":"b"})");
  bench.clock.at += 1s;
  files.write(R"({"event":"c"})");
  CHECK(mode_of(bench.folder) == 0700);
  CHECK(mode_of(bench.file("20260131T09")) == 0600);
  CHECK(text_of(bench.file("20260131T09")) == "{\"event\":\"a\"}\n{\"event\":\"b\"}\n");
  CHECK(text_of(bench.file("20260131T10")) == "{\"event\":\"c\"}\n");
  CHECK(bench.complaints.lines.empty());
}

TEST_CASE("a relay that starts again goes on in its hour's file, after what a crash left", "[app][log]") {
  Bench bench;
  std::filesystem::create_directory(bench.folder);
  std::ofstream(bench.file("20260131T09")) << "whole\nhal";
  LogFiles(LogFiles::Config{bench.folder, 1 << 20}, bench.clock, bench.complaints).write("next");
  LogFiles(LogFiles::Config{bench.folder, 1 << 20}, bench.clock, bench.complaints).write("last");
  CHECK(text_of(bench.file("20260131T09")) == "whole\nhal\nnext\nlast\n");
}

TEST_CASE("an hour has its limit; what is beyond is counted, and the next hour says so", "[app][log]") {
  Bench bench;
  LogFiles files({bench.folder, 200}, bench.clock, bench.complaints);
  for (int i = 0; i < 50; ++i) files.write(std::string(19, 'x'));
  CHECK(std::filesystem::file_size(bench.file("20260131T09")) <= 200);
  CHECK(files.dropped() >= 40);
  REQUIRE(bench.complaints.lines.size() == 1);
  CHECK(bench.complaints.lines[0].find("log.not_written") != std::string::npos);
  bench.clock.at += 1h;
  files.write("later");
  const auto next = text_of(bench.file("20260131T10"));
  CHECK(next.find("\"event\":\"log.dropped\",\"count\":40}\nlater\n") != std::string::npos);
}

TEST_CASE("a full disk costs lines, never half ones, and passes", "[app][log][faults]") {
  Bench bench;
  LogFiles files({bench.folder, 1 << 20}, bench.clock, bench.complaints);
  files.write("before");
  {
    const FullDisk full(10);
    files.write("does not fit");
    files.write("nor this one");
  }
  CHECK(text_of(bench.file("20260131T09")) == "before\n");
  CHECK(files.dropped() == 2);
  CHECK(bench.complaints.lines.size() == 1);
  files.write("after");
  const auto text = text_of(bench.file("20260131T09"));
  CHECK(text.starts_with("before\n{"));
  CHECK(text.ends_with("\"event\":\"log.dropped\",\"count\":2}\nafter\n"));
}

TEST_CASE("a folder that cannot be made is told of once an hour", "[app][log][faults]") {
  Bench bench;
  std::ofstream(bench.folder) << "no folder";
  LogFiles files({bench.folder, 1 << 20}, bench.clock, bench.complaints);
  files.write("a");
  files.write("b");
  CHECK(bench.complaints.lines.size() == 1);
  std::filesystem::remove(bench.folder);
  files.write("c");
  CHECK(text_of(bench.file("20260131T09")).ends_with("\"count\":2}\nc\n"));
}

TEST_CASE("files go when their time is over, to the second, and nothing else does", "[app][log][retention]") {
  Bench bench;
  std::filesystem::create_directory(bench.folder);
  for (const auto* name : {"relay-20260101T09.jsonl", "relay-20260101T10.jsonl", "relay-20260101T24.jsonl",
                           "relay-20261301T00.jsonl", "relay-20260101T09.jsonl.gz", "notes.txt"}) {
    std::ofstream(bench.folder / name) << "old\n";
  }
  LogFiles files({bench.folder, 1 << 20}, bench.clock, bench.complaints);
  files.write("now");
  const auto end = *parse_rfc3339("2026-01-31T10:00:00.000Z");  // of the first one's 30 days
  auto gone = files.expire(end - 1s, 720h);
  REQUIRE(gone);
  CHECK(*gone == 0);
  gone = files.expire(end, 720h);
  REQUIRE(gone);
  CHECK(*gone == 1);
  CHECK(bench.names() == std::set<std::string>{"relay-20260101T10.jsonl", "relay-20260101T24.jsonl",
                                               "relay-20261301T00.jsonl", "relay-20260101T09.jsonl.gz", "notes.txt",
                                               "relay-20260131T09.jsonl"});
  gone = files.expire(end + 2h, 1h);  // the one that is open, too
  REQUIRE(gone);
  files.write("anew");
  CHECK(bench.names().contains("relay-20260131T12.jsonl"));
  CHECK(!bench.names().contains("relay-20260131T09.jsonl"));
}

TEST_CASE("a clock that is behind makes no file whose time is over already", "[app][log][retention]") {
  Bench bench;
  LogFiles files({bench.folder, 1 << 20}, bench.clock, bench.complaints);
  const auto believed = bench.clock.at;
  REQUIRE(files.expire(believed, 720h));
  bench.clock.at = WallTime(0s);
  files.write("just now");
  const auto gone = files.expire(believed + 1min, 720h);
  REQUIRE(gone);
  CHECK(*gone == 0);
  CHECK(text_of(bench.file("20260131T09")) == "just now\n");
}
