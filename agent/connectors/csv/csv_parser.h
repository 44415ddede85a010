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

// One ASCII character, and no quote or line break; else class "invalid". For reading and writing.
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

  explicit CsvParser(char delimiter, CsvLimits limits = {}) : delimiter_(delimiter), limits_(limits) {}

  // The bytes are copied. Feed after next() said that it needs more.
  void feed(std::span<const std::byte> bytes);
  void finish() { finished_ = true; }  // no more bytes will come
  // A record, or nullopt: feed more, or the end after finish().
  StepResult<std::optional<Record>> next();

  // Whether that field of the record that next() gave last stood in quotes: what tells an empty text from nothing.
  bool was_quoted(std::size_t field) const { return given_quoted_[field]; }
  CsvPlace place() const { return place_; }  // of the record that next() gave last, or of the one that is wrong

 private:
  enum class State { record_start, field_start, plain, quoted, quote_in_quoted };

  StepResult<void> take(char c);
  StepResult<void> take_run();
  void begin_record();
  std::unexpected<StepError> long_record();
  std::unexpected<StepError> long_field();
  StepResult<void> append(char c);
  StepResult<void> end_field();
  StepResult<void> end_record();
  StepResult<bool> end_of_input();
  std::unexpected<StepError> wrong(std::string error_class, std::string_view why);

  char delimiter_;
  CsvLimits limits_;
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
