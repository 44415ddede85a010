#include "agent/platform/companion.h"
#include "tests/support/no_files.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

using namespace sallyport;
using namespace sallyport::platform;

namespace {

using namespace std::chrono_literals;

struct Script {
  explicit Script(const std::string& text) : program(dir.write("program", "#!/bin/sh\n" + text)) {
    std::filesystem::permissions(program, std::filesystem::perms(0700));
  }
  test::TempDir dir;
  std::string program;
};

SteadyTime in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

std::string receive(Companion& companion, std::size_t count) {
  std::string text(count, '\0');
  const auto got = companion.receive(std::as_writable_bytes(std::span(text)), in(30s), {});
  return got ? text : std::string(to_string(got.error().code));
}

}  // namespace

TEST_CASE("a companion has a socket, and nothing else of this program", "[companion]") {
  ::setenv("COMPANION_CANARY", "c4nary", 1);
  const Script script("exec 1>&0; echo $#; env | grep -c CANARY; ls /proc/$$/fd | tr '\\n' ' '; cat\n");
  auto companion = Companion::start(script.program);
  REQUIRE(companion);
  CHECK(receive(*companion, 4) == "0\n0\n");
  const std::string sent = "hello";
  REQUIRE(companion->send(std::as_bytes(std::span(sent)), in(30s), {}));
  std::string all;
  while (!all.ends_with("hello")) all += receive(*companion, 1);
  INFO(all);
  CHECK(all.starts_with("0 1 "));
  CHECK(all.size() < 20);  // no further files
  ::unsetenv("COMPANION_CANARY");
}

TEST_CASE("a companion that ends, hangs, or is not there", "[companion]") {
  const Script ends("exit 0\n"), hangs("sleep 3600\n");
  auto ended = Companion::start(ends.program);
  REQUIRE(ended);
  CHECK(receive(*ended, 1) == "unavailable");
  auto hanging = Companion::start(hangs.program);
  REQUIRE(hanging);
  std::byte one;
  CHECK(hanging->receive(std::span(&one, 1), in(50ms), {}).error().code == Errc::timed_out);
  std::stop_source stop;
  std::jthread stops([&] { stop.request_stop(); });
  CHECK(hanging->receive(std::span(&one, 1), in(30s), stop.get_token()).error().code == Errc::cancelled);
  const std::string large(8u << 20, 'x');
  auto deaf = Companion::start(hangs.program);
  REQUIRE(deaf);
  CHECK(deaf->send(std::as_bytes(std::span(large)), in(50ms), {}).error().code == Errc::timed_out);
  CHECK(Companion::start("/nonexistent").error().code == Errc::not_found);
  CHECK(Companion::start("").error().code == Errc::not_found);
}

TEST_CASE("a companion is looked for in the folder of this program alone", "[companion]") {
  CHECK(find_companion("sh").empty());
  CHECK(find_companion("unit_agent_platform").ends_with("/unit_agent_platform"));
}

TEST_CASE("a companion is gone when its owner is, with what it has started", "[companion]") {
  const Script script("sleep 3600 & echo started >&0; wait\n");
  {
    auto companion = Companion::start(script.program);
    REQUIRE(companion);
    REQUIRE(receive(*companion, 8) == "started\n");
    REQUIRE(test::descendants_of(::getpid()).size() == 2);
  }
  CHECK(test::descendants_of(::getpid()).empty());
}

TEST_CASE("a companion is gone also when this program has no file left to wait with", "[companion]") {
  const Script script("echo started >&0; sleep 3600\n");
  auto companion = std::make_unique<Companion>(Companion::start(script.program).value());
  REQUIRE(receive(*companion, 8) == "started\n");
  {
    const test::NoFiles none;
    companion.reset();
  }
  CHECK(test::descendants_of(::getpid()).empty());
}
