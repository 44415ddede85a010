#include "tests/bench/load/usage.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace sallyport::bench {
namespace {

constexpr int kFieldsBeforeTimes = 11;  // after the name in brackets (proc(5), stat)

double cpu_ticks(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto bracket = text.rfind(')');
  if (bracket == std::string::npos) return 0;
  std::istringstream rest(text.substr(bracket + 1));
  std::string skipped;
  for (int i = 0; i < kFieldsBeforeTimes; ++i) rest >> skipped;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return user + system;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

double cpu_seconds(std::span<const pid_t> processes) {
  double ticks = 0;
  for (const auto process : processes) ticks += cpu_ticks(process);
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace sallyport::bench
