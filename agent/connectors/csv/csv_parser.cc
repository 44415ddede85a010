#include "agent/connectors/csv/csv_parser.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::connectors::csv {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

StepResult<char> parse_character(std::string_view text, std::string_view argument) {
  const bool ascii = text.size() == 1 && static_cast<unsigned char>(text[0]) < 0x80;
  if (!ascii || text.find_first_of(std::string_view("\r\n\0", 3)) == 0)
    return step_fail("invalid", fmt::format("`{}` must be one ASCII character, and no line break", argument));
  return text[0];
}

StepResult<char> parse_delimiter(std::string_view text) {
  if (text == "\"") return step_fail("invalid", "`delimiter` must be no quote");
  return parse_character(text, "delimiter");
}

void CsvParser::feed(std::span<const std::byte> bytes) {
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_.append(as_text(bytes));
}

std::unexpected<StepError> CsvParser::wrong(std::string error_class, std::string_view why) {
  broken_ = StepError{
      {std::move(error_class)},
      fmt::format("the CSV is wrong in record {}, which begins in line {}: {}", place_.record, place_.line, why),
      {}};
  return std::unexpected(*broken_);
}

StepResult<std::optional<CsvParser::Record>> CsvParser::next() {
  if (broken_) return std::unexpected(*broken_);
  if (!started_) {
    const auto head = std::string_view(buffer_).substr(0, kByteOrderMark.size());
    if (!finished_ && head.size() < kByteOrderMark.size() && kByteOrderMark.starts_with(head)) return std::nullopt;
    started_ = true;
    if (head == kByteOrderMark) at_ = kByteOrderMark.size();
  }
  while (!complete_ && at_ < buffer_.size()) {
    SP_CHECK(take_run());
    if (at_ < buffer_.size()) SP_CHECK(take(buffer_[at_++]));
  }
  if (!complete_ && finished_) {
    SP_TRY(const bool more, end_of_input());
    if (!more) return std::nullopt;
  }
  if (!complete_) return std::nullopt;
  complete_ = false;
  record_bytes_ = 0;
  given_quoted_ = std::exchange(quoted_, {});
  return std::exchange(record_, {});
}

// The end of the bytes ends a record as a line break would; false when there is none.
StepResult<bool> CsvParser::end_of_input() {
  if (state_ == State::quoted) return wrong("format", "a quote is not closed before the end");
  if (state_ == State::record_start || state_ == State::skipped) return false;
  SP_CHECK(end_record());
  return true;
}

// Everything up to the next character that may mean something, in one piece.
StepResult<void> CsvParser::take_run() {
  const auto is_text = [this](char c) { return c != dialect_.delimiter && !is_quote(c) && c != '\n' && c != '\r'; };
  auto end = at_;
  while (end < buffer_.size() && is_text(buffer_[end])) ++end;
  const auto length = end - at_;
  if (length == 0 || state_ == State::quote_in_quoted) return {};
  if (state_ == State::record_start && buffer_[at_] == dialect_.comment) state_ = State::skipped;
  if (state_ == State::skipped) {
    after_cr_ = false;
    at_ = end;
    return {};
  }
  begin_record();
  if (state_ == State::field_start) state_ = State::plain;
  after_cr_ = false;
  const auto field_room = limits_.field_bytes - field_.size(), record_room = limits_.record_bytes - record_bytes_;
  if (length > std::min(field_room, record_room)) return record_room <= field_room ? long_record() : long_field();
  record_bytes_ += length;
  field_.append(buffer_, at_, length);
  at_ = end;
  return {};
}

void CsvParser::begin_record() {
  if (state_ != State::record_start) return;
  place_ = {records_ + 1, line_};
  state_ = State::field_start;
}

std::unexpected<StepError> CsvParser::long_record() {
  return wrong("too_large", fmt::format("it is longer than {} bytes", limits_.record_bytes));
}

std::unexpected<StepError> CsvParser::long_field() {
  return wrong("too_large", fmt::format("a field is longer than {} bytes", limits_.field_bytes));
}

StepResult<void> CsvParser::take(char c) {
  const bool follows_cr = std::exchange(after_cr_, c == '\r' && state_ != State::quoted);
  if (c == '\n' && follows_cr) return {};  // the second half of CRLF
  const bool line_break = c == '\n' || c == '\r';
  if (state_ == State::record_start && c == dialect_.comment) state_ = State::skipped;
  if (state_ == State::skipped) {
    if (line_break) end_skipped();
    return {};
  }
  if (line_break && state_ == State::record_start) return ++line_, StepResult<void>();
  begin_record();
  if (record_bytes_++ == limits_.record_bytes) return long_record();
  if (state_ == State::quoted) {
    if (c == '\n') ++line_;
    if (is_quote(c)) return state_ = State::quote_in_quoted, StepResult<void>();
    return append(c);
  }
  if (line_break) return ++line_, end_record();
  if (c == dialect_.delimiter) return end_field();
  if (is_quote(c) && state_ == State::field_start) {
    field_quoted_ = true;
    return state_ = State::quoted, StepResult<void>();
  }
  if (is_quote(c) && state_ == State::quote_in_quoted) return state_ = State::quoted, append(c);
  if (is_quote(c)) return wrong("format", "a quote inside a field that does not begin with one");
  if (state_ == State::quote_in_quoted) return wrong("format", "text after the closing quote of a field");
  return append(c);
}

void CsvParser::end_skipped() {
  ++line_;
  if (skip_ > 0) --skip_;
  if (skip_ == 0) state_ = State::record_start;
}

StepResult<void> CsvParser::append(char c) {
  if (field_.size() == limits_.field_bytes) return long_field();
  field_ += c;
  return {};
}

StepResult<void> CsvParser::end_field() {
  if (record_.size() == limits_.columns)
    return wrong("too_large", fmt::format("it has more than {} fields", limits_.columns));
  if (!is_valid_utf8(field_)) return wrong("format", "it is not valid UTF-8; name its `encoding`");
  record_.push_back(std::exchange(field_, {}));
  quoted_.push_back(std::exchange(field_quoted_, false));
  state_ = State::field_start;
  return {};
}

StepResult<void> CsvParser::end_record() {
  SP_CHECK(end_field());
  state_ = State::record_start;
  ++records_;
  complete_ = true;
  return {};
}

}  // namespace sallyport::connectors::csv
