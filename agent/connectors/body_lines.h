#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/line_splitter.h"

#include <memory>
#include <optional>
#include <string>

namespace sallyport::connectors {

// The longest line of a row set: as much as one row may take.
inline constexpr std::size_t kMaxLine = 4u << 20;

// Pulls the lines of a body, one at a time, each of at most kMaxLine bytes (else class "too_large").
class BodyLines {
 public:
  explicit BodyLines(std::unique_ptr<ByteReader> source) : source_(std::move(source)), lines_(kMaxLine) {}
  StepResult<std::optional<std::string>> next();          // nullopt: the end
  std::uint64_t number() const { return lines_.line(); }  // of the line that next() gave last, from 1

 private:
  std::unique_ptr<ByteReader> source_;
  LineSplitter lines_;
  bool ended_ = false;
};

// Opens the attribute `source` of a handle of kind "rows"; class "invalid" when there is none.
StepResult<std::unique_ptr<ByteReader>> open_source(const Handle& rows, Bodies& bodies);

}  // namespace sallyport::connectors
