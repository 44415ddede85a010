#pragma once

#include "agent/connectors/line_splitter.h"
#include "agent/connectors/step_error.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::connectors::fixed {

// UTF-8 in, records out: lines, or, with a length, so many characters each, one right after the other. A byte order
// mark at the beginning is dropped. Errors are class "format" or "too_large" and name the record, never its content.
// Holds one record and what was fed last. No IO.
class FixedRecords {
 public:
  explicit FixedRecords(std::size_t length) : length_(length), lines_(kMaxBytes) {}  // 0: lines

  void feed(std::string_view text);
  void finish();
  StepResult<std::optional<std::string>> next();    // nullopt: feed more, or the end
  std::uint64_t number() const { return number_; }  // of the record that next() gave last, from 1

 private:
  static constexpr std::size_t kMaxBytes = 4u << 20;
  StepResult<std::optional<std::string>> next_piece();

  std::size_t length_;
  LineSplitter lines_;
  std::string buffer_;
  std::size_t at_ = 0;
  bool finished_ = false;
  std::uint64_t number_ = 0;
};

}  // namespace sallyport::connectors::fixed
