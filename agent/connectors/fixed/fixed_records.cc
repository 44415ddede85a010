#include "agent/connectors/fixed/fixed_records.h"

#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport::connectors::fixed {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

}  // namespace

void FixedRecords::feed(std::string_view text) {
  if (length_ == 0) return lines_.feed(as_bytes(text));
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_ += text;
}

void FixedRecords::finish() {
  finished_ = true;
  lines_.finish();
}

StepResult<std::optional<std::string>> FixedRecords::next() {
  SP_TRY(auto record, length_ == 0 ? lines_.next() : next_piece());
  if (!record) return record;
  if (number_ == 0 && record->starts_with(kByteOrderMark)) record->erase(0, kByteOrderMark.size());
  ++number_;
  if (!is_valid_utf8(*record))
    return step_fail("format", fmt::format("record {} is not valid UTF-8; name its `encoding`", number_));
  return record;
}

StepResult<std::optional<std::string>> FixedRecords::next_piece() {
  const auto rest = std::string_view(buffer_).substr(at_);
  const std::size_t mark = number_ == 0 && rest.starts_with(kByteOrderMark) ? 1 : 0;
  std::size_t end = 0, characters = 0;
  for (; end < rest.size(); ++end) {
    if (begins_character(rest[end]) && characters++ == length_ + mark) break;
  }
  const bool whole = end < rest.size() || (finished_ && characters == length_ + mark);
  if (whole) {
    at_ += end;
    return std::string(rest.substr(0, end));
  }
  if (end > kMaxBytes) return step_fail("too_large", fmt::format("record {} has too many bytes", number_ + 1));
  if (!finished_ || characters == mark) return std::nullopt;
  return step_fail(
      "format", fmt::format("record {} is cut: it has {} characters, not {}", number_ + 1, characters - mark, length_));
}

}  // namespace sallyport::connectors::fixed
