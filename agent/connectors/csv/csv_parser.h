#pragma once

#include "agent/connectors/step_error.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::csv {

struct CsvDialect {
  char delimiter = ',';
  std::optional<char> quote = '"';  // none: every character is itself
  std::optional<char> comment;      // a line that begins with it is left out
  std::uint64_t skip = 0;           // so many lines at the beginning too
};

struct CsvLimits {
  std::size_t field_bytes = 1u << 20;
  std::size_t record_bytes = 4u << 20;
  std::size_t columns = 4096;
};

// Where a record begins: both count from 1; a record with line breaks inside quotes spans several lines.
struct CsvPlace {
  std::uint64_t record = 1;
  std::uint64_t line = 1;
};

// One ASCII character that is no line break, and no delimiter a quote; else class "invalid", naming `argument`.
StepResult<char> parse_character(std::string_view text, std::string_view argument);
StepResult<char> parse_delimiter(std::string_view text);

// Bytes in, records out (RFC 4180): quoted fields with doubled quotes, delimiters and line breaks inside; CRLF, LF or
// CR ends a record; a UTF-8 byte order mark at the beginning is dropped; lines without any character are skipped. Text
// must be valid UTF-8. Holds one record and what was fed beyond it. No IO.
//
//   parser.feed(bytes); while (auto record = parser.next(), record && *record) use(**record);  ... parser.finish();
//
// Errors are class "format" or "too_large", name record and line, and never the content; after one, every call fails.
class CsvParser {
 public:
  using Record = std::vector<std::string>;

  explicit CsvParser(CsvDialect dialect, CsvLimits limits = {})
      : dialect_(dialect), limits_(limits), skip_(dialect.skip) {
    if (skip_ > 0) state_ = State::skipped;
  }

  // The bytes are copied. Feed after next() said that it needs more.
  void feed(std::span<const std::byte> bytes);
  void finish() { finished_ = true; }  // no more bytes will come
  // A record, or nullopt: feed more, or the end after finish().
  StepResult<std::optional<Record>> next();

  // Whether that field of the record that next() gave last stood in quotes: what tells an empty text from nothing.
  bool was_quoted(std::size_t field) const { return given_quoted_[field]; }
  CsvPlace place() const { return place_; }  // of the record that next() gave last, or of the one that is wrong

 private:
  enum class State { skipped, record_start, field_start, plain, quoted, quote_in_quoted };

  StepResult<void> take(char c);
  bool is_quote(char c) const { return dialect_.quote == c; }
  void end_skipped();
  StepResult<void> take_run();
  void begin_record();
  std::unexpected<StepError> long_record();
  std::unexpected<StepError> long_field();
  StepResult<void> append(char c);
  StepResult<void> end_field();
  StepResult<void> end_record();
  StepResult<bool> end_of_input();
  std::unexpected<StepError> wrong(std::string error_class, std::string_view why);

  CsvDialect dialect_;
  CsvLimits limits_;
  std::uint64_t skip_;  // lines that are still to be left out
  std::string buffer_;
  std::size_t at_ = 0;
  bool finished_ = false, started_ = false, after_cr_ = false, complete_ = false;
  State state_ = State::record_start;
  std::string field_;
  bool field_quoted_ = false;
  std::size_t record_bytes_ = 0;
  Record record_;
  std::vector<bool> quoted_, given_quoted_;  // for each field of record_, of the record given last
  CsvPlace place_;
  std::uint64_t line_ = 1, records_ = 0;
  std::optional<StepError> broken_;
};

}  // namespace sallyport::connectors::csv
