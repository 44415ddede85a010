#include "tests/bench/load/line.h"
#include "tests/bench/load/phases.h"
#include "tests/bench/load/sockets.h"
#include "tests/bench/load/target.h"
#include "tests/bench/load/transfer.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <map>
#include <span>
#include <sstream>
#include <string>

// The load program of `./dev bench`: tests/bench/*.py start it and judge what it prints.
namespace {

using namespace sallyport;
using namespace sallyport::bench;

constexpr std::string_view kUsage =
    "usage: bench_load target LISTEN\n"
    "       bench_load line LISTEN TO ROUND_TRIP_MS\n"
    "       bench_load measure ENTRANCE PHASE[,PHASE...] SECONDS PID[,PID...]   one object of JSON\n"
    "       bench_load hold ENTRANCE COUNT                                      until standard input ends\n"
    "       bench_load store LISTEN                                             where transfers end or begin\n"
    "       bench_load transfer ENTRANCE up|down BYTES                          one object of JSON\n"
    "phases: up1 down1 up8 down8 lat pin lat16 loaded conn1 conn16\n";
constexpr unsigned kThreads = 2;
constexpr unsigned kMany = 8;
constexpr unsigned kCrowd = 16;

Result<void> measure(Figures& figures, const Entrance& entrance, const std::string& name, double seconds) {
  const std::chrono::duration<double> length(seconds);
  if (name == "up1") return move_bulk(figures, entrance, {name, length}, Direction::up), Result<void>();
  if (name == "down1") return move_bulk(figures, entrance, {name, length}, Direction::down), Result<void>();
  if (name == "up8") return move_bulk(figures, entrance, {name, length, kMany}, Direction::up), Result<void>();
  if (name == "down8") return move_bulk(figures, entrance, {name, length, kMany}, Direction::down), Result<void>();
  if (name == "lat" || name == "pin")
    return ask_small(figures, entrance, {name, length}, Company::alone), Result<void>();
  if (name == "lat16") return ask_small(figures, entrance, {name, length, kCrowd}, Company::alone), Result<void>();
  if (name == "loaded") return ask_small(figures, entrance, {name, length}, Company::bulk), Result<void>();
  if (name == "conn1") return connect_often(figures, entrance, {name, length}), Result<void>();
  if (name == "conn16") return connect_often(figures, entrance, {name, length, kCrowd}), Result<void>();
  return fail(Errc::invalid, fmt::format("no phase \"{}\"", name));
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

void print(const Figures& figures) {
  std::string text;
  for (const auto& [name, value] : figures) {
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", name, value);
  }
  fmt::print("{{{}}}\n", text);
}

Result<void> measure_all(std::span<char*> words) {
  SP_TRY(const auto address, parse_address(words[0]));
  Entrance entrance{address, {}};
  for (const auto& pid : split(words[3])) entrance.tunnel.push_back(static_cast<pid_t>(std::atoi(pid.c_str())));
  Figures figures{{"failures", 0}};
  for (const auto& name : split(words[1])) SP_CHECK(measure(figures, entrance, name, std::atof(words[2])));
  print(figures);
  return {};
}

Result<void> transfer_once(std::span<char*> words) {
  SP_TRY(const auto address, parse_address(words[0]));
  const auto direction = std::string_view(words[1]) == "up" ? Direction::up : Direction::down;
  SP_TRY(const auto told, transfer(address, direction, std::strtoull(words[2], nullptr, 10)));
  fmt::print("{{\"sent\": \"{}\", \"received\": \"{}\", \"seconds\": {}}}\n", told.sent, told.received, told.seconds);
  return {};
}

Result<void> run(std::span<char*> words) {
  const std::string_view word = words[0];
  const auto rest = words.subspan(1);
  if (word == "measure" && rest.size() == 4) return measure_all(rest);
  if (word == "transfer" && rest.size() == 3) return transfer_once(rest);
  SP_TRY(const auto address, parse_address(rest.empty() ? "" : rest[0]));
  if (word == "target" && rest.size() == 1) return run_target(address, kThreads);
  if (word == "store" && rest.size() == 1) return run_store(address);
  if (word == "hold" && rest.size() == 2) {
    return hold_open({address, {}}, static_cast<unsigned>(std::atoi(rest[1])));
  }
  if (word == "line" && rest.size() == 3) {
    SP_TRY(const auto to, parse_address(rest[1]));
    return run_line(address, to, std::chrono::duration<double, std::milli>(std::atof(rest[2])));
  }
  return fail(Errc::invalid, std::string(kUsage));
}

}  // namespace

int main(int count, char** given) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    if (count < 2) {
      fmt::print(stderr, "{}", kUsage);
      return 2;
    }
    const auto outcome = run(std::span(given + 1, static_cast<std::size_t>(count - 1)));
    if (outcome) return 0;
    fmt::print(stderr, "bench_load: {}\n", outcome.error().message);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "bench_load: {}\n", problem.what());
  }
  return 1;
}
