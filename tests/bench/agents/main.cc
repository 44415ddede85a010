#include "shared/async/run.h"
#include "tests/bench/agents/crowd.h"
#include "tests/bench/agents/handshakes.h"
#include "tests/bench/load/sockets.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>

// Agents without what is behind them, for `./dev bench agents` and `storm`.
namespace {

using namespace sallyport;
using namespace sallyport::bench;

constexpr std::string_view kUsage =
    "usage: bench_agents crowd COUNT [LINKS]                          enrolment string, then words, on standard input\n"
    "       bench_agents naive LISTEN IDENTITY                        a plain TLS server to compare with\n"
    "       bench_agents handshakes SERVER IDENTITY SECONDS THREADS   one object of JSON\n";
constexpr int kStandardError = 2;

boost::asio::awaitable<Result<void>> run_crowd(Crowd& crowd) {
  co_await crowd.run();
  co_return Result<void>();
}

Result<void> crowd(const char* count, const char* links) {
  const SystemClock clock;
  FdSink sink(kStandardError);
  const Log log(sink, clock, LogLevel::error);
  boost::asio::io_context loop(1);
  Crowd agents(loop.get_executor(), std::strtoull(count, nullptr, 10),
               static_cast<std::uint32_t>(std::strtoul(links, nullptr, 10)), clock, log);
  return run_to_end(loop, run_crowd(agents), "the crowd");
}

Result<void> compare_handshakes(std::span<char*> words) {
  SP_TRY(const auto address, parse_address(words[1]));
  SP_TRY(const auto identity, agent::FileIdentityStore(words[2]).load());
  if (std::string_view(words[0]) == "naive") return run_naive_server(address, identity);
  SP_TRY(const auto told, shake_hands(address, identity, std::chrono::duration<double>(std::atof(words[3])),
                                      static_cast<unsigned>(std::atoi(words[4]))));
  fmt::print("{{\"done\": {}, \"failed\": {}}}\n", told.done, told.failed);
  return {};
}

Result<void> run(std::span<char*> words) {
  const std::string_view word = words.empty() ? "" : words[0];
  if (word == "crowd" && words.size() == 2) return crowd(words[1], "1");
  if (word == "crowd" && words.size() == 3) return crowd(words[1], words[2]);
  if ((word == "naive" && words.size() == 3) || (word == "handshakes" && words.size() == 5)) {
    return compare_handshakes(words);
  }
  return fail(Errc::invalid, std::string(kUsage));
}

}  // namespace

int main(int count, char** given) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const auto outcome = run(std::span(given + 1, static_cast<std::size_t>(count - 1)));
    if (outcome) return 0;
    fmt::print(stderr, "bench_agents: {}\n", outcome.error().message);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "bench_agents: {}\n", problem.what());
  }
  return 1;
}
