#include "relay/app/process_mark.h"

#include "relay/app/boot_id.h"
#include "relay/app/decimal.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string_view>

namespace sallyport::app {
namespace {

constexpr int kStartAfterName = 20;  // proc(5): field 22 is the start, field 2 the name in parentheses

std::string content_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Stat {
  pid_t number;
  std::uint64_t started;
};

// The name may hold blanks and parentheses itself.
std::optional<Stat> stat_of(const std::string& process) {
  const auto text = content_of("/proc/" + process + "/stat");
  const auto number = parse_decimal<pid_t>(std::string_view(text).substr(0, text.find(' ')));
  const auto name_ends = text.rfind(')');
  if (!number || name_ends == std::string::npos) return std::nullopt;
  auto rest = std::string_view(text).substr(name_ends + 1);
  for (int blank = 0; blank < kStartAfterName; ++blank) {
    const auto at = rest.find(' ');
    if (at == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(at + 1);
  }
  const auto started = parse_decimal<std::uint64_t>(rest.substr(0, rest.find(' ')));
  return started ? std::optional(Stat{*number, *started}) : std::nullopt;
}

}  // namespace

std::optional<ProcessMark> own_mark() {
  const auto stat = stat_of("self");
  struct stat space{};
  if (!stat || ::stat("/proc/self/ns/pid", &space) != 0) return std::nullopt;
  if (stat->number != ::getpid()) return std::nullopt;  // /proc is that of another namespace
  auto boot = boot_id();
  if (boot.empty()) return std::nullopt;
  return ProcessMark{stat->number, stat->started, space.st_ino, std::move(boot)};
}

bool hang_up(const ProcessMark& process) {
  // Only our own namespace is asked for: another process's is shown to nobody but who may trace it.
  const auto self = own_mark();
  if (!self || process.boot != self->boot || process.number_space != self->number_space) return false;
  const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, process.number, 0));
  if (handle < 0) return false;
  // Looked at while it is held, so that what is signalled is what was looked at.
  const auto stat = stat_of(std::to_string(process.number));
  const bool same = stat && stat->number == process.number && stat->started == process.started;
  const bool told = same && ::syscall(SYS_pidfd_send_signal, handle, SIGHUP, nullptr, 0) == 0;
  ::close(handle);
  return told;
}

}  // namespace sallyport::app
