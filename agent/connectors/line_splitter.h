#pragma once

#include "agent/connectors/step_error.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace sallyport::connectors {

// Bytes in, lines out, without their LF or CRLF; the last one may lack it. Refuses a line over `limit` before it is
// whole. No IO.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t limit) : limit_(limit) {}

  void feed(std::span<const std::byte> bytes);
  void finish() { finished_ = true; }
  StepResult<std::optional<std::string>> next();  // nullopt: feed more, or the end
  std::uint64_t line() const { return line_; }    // number of the line that next() gave last, from 1

 private:
  std::size_t limit_;
  std::string buffer_;
  std::size_t at_ = 0, searched_ = 0;
  std::uint64_t line_ = 0;
  bool finished_ = false;
};

}  // namespace sallyport::connectors
