#include "tests/support/memory.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>

// NOLINTNEXTLINE(bugprone-reserved-identifier): AddressSanitizer's name
extern "C" const char* __asan_default_options();
// NOLINTNEXTLINE(bugprone-reserved-identifier): the same
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"; }

namespace sallyport::test {

static std::size_t read(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::stoul(line.substr(field.size())) * 1024;
  }
  throw std::runtime_error("no " + field + " in /proc/self/status");
}

PeakMemory::PeakMemory() {
  std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): the peak begins again
  before_ = read("VmRSS:");
}

std::size_t PeakMemory::grown() const { return std::max(read("VmHWM:"), before_) - before_; }

}  // namespace sallyport::test
