#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::tunnel {

// For log lines that whoever reaches a tunnel could cause without end: of equal things each is told once between two
// calls of take(), and further ones are counted. Knows 64 of them at a time, further ones only as `kOthers`. No clock
// of its own.
class Repeats {
 public:
  static constexpr std::string_view kOthers = "others";

  // True: tell it. False: it is counted.
  bool is_new(const std::string& what);
  // What came again and how often, since the last call; begins anew.
  std::vector<std::pair<std::string, std::uint64_t>> take();

 private:
  std::map<std::string, std::uint64_t> again_;
};

}  // namespace sallyport::tunnel
