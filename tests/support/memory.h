#pragma once

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>

namespace sallyport::test {

// The most memory this process had resident since this was made, in bytes: what is freed again counts too.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): the peak begins again
    before_ = read("VmRSS:");
  }
  std::size_t grown() const { return std::max(read("VmHWM:"), before_) - before_; }

 private:
  static std::size_t read(const std::string& field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(field)) return std::stoul(line.substr(field.size())) * 1024;
    }
    throw std::runtime_error("no " + field + " in /proc/self/status");
  }

  std::size_t before_ = 0;
};

}  // namespace sallyport::test
