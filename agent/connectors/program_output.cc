#include "agent/connectors/program_output.h"

#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport::connectors {

Result<void> ProgramOutput::count(std::size_t bytes) {
  total_ += bytes;
  if (total_ <= limit_) return {};
  return fail(Errc::too_large,
              fmt::format("it wrote more than {} bytes, the limit of the local policy (limits.output)", limit_));
}

Result<void> ProgramOutput::take_stdout(std::span<const std::byte> bytes) {
  SP_CHECK(count(bytes.size()));
  if (auto written = spool_.write(bytes); !written) {
    spool_error_ = std::move(written).error();
    return fail(Errc::exhausted, "the spool takes no more");
  }
  long_ = long_ || head_.size() + bytes.size() > kMaxInlineText;
  if (!long_) head_ += as_text(bytes);
  return {};
}

Result<void> ProgramOutput::take_stderr(std::span<const std::byte> bytes) {
  SP_CHECK(count(bytes.size()));
  tail_ += as_text(bytes);
  if (tail_.size() > 2 * kStderrTail) tail_.erase(0, tail_.size() - kStderrTail);
  return {};
}

std::optional<std::string> ProgramOutput::text() const {
  if (long_ || !is_valid_utf8(head_) || to_json(Value(head_)).size() > kMaxInlineJson) return std::nullopt;
  return head_;
}

std::string ProgramOutput::stderr_tail() const {
  auto tail = tail_.substr(tail_.size() - std::min(tail_.size(), kStderrTail));
  // What was cut in the middle of a character, or is no UTF-8 at all, becomes replacement characters.
  std::string clean;
  while (!tail.empty()) {
    auto good = tail.size();
    while (good > 0 && !is_valid_utf8(std::string_view(tail).substr(0, good))) --good;
    clean += tail.substr(0, good);
    tail.erase(0, good);
    if (!tail.empty()) {
      clean += "\xEF\xBF\xBD";
      tail.erase(0, 1);
    }
  }
  return clean;
}

}  // namespace sallyport::connectors
