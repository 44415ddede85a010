#include "agent/connectors/line_splitter.h"

#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport::connectors {

void LineSplitter::feed(std::span<const std::byte> bytes) {
  buffer_.erase(0, at_);
  searched_ -= at_;
  at_ = 0;
  buffer_.append(as_text(bytes));
}

StepResult<std::optional<std::string>> LineSplitter::next() {
  const auto end = buffer_.find('\n', searched_);
  const bool whole = end != std::string::npos;
  const auto length = (whole ? end : buffer_.size()) - at_;
  if (length > limit_) return step_fail("too_large", fmt::format("line {} is longer than {} bytes", line_ + 1, limit_));
  if (!whole && (!finished_ || length == 0)) {
    searched_ = buffer_.size();
    return std::nullopt;
  }
  std::string line(buffer_, at_, length);
  if (line.ends_with('\r')) line.pop_back();
  at_ = searched_ = whole ? end + 1 : buffer_.size();
  ++line_;
  return line;
}

}  // namespace sallyport::connectors
