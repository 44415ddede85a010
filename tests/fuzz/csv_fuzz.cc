// A CSV in two pieces: no crash, no record beyond the limits, and the same outcome as in one piece.
#include "agent/connectors/csv/csv_parser.h"
#include "shared/base/text.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::connectors::csv;

namespace {

constexpr CsvLimits kLimits{.field_bytes = 64, .record_bytes = 256, .columns = 8};

struct Outcome {
  std::vector<CsvParser::Record> records;
  std::string error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void drain(CsvParser& parser, Outcome& outcome) {
  while (outcome.error.empty()) {
    auto record = parser.next();
    if (!record) {
      outcome.error = record.error().message;
    } else if (!*record) {
      return;
    } else {
      outcome.records.push_back(**std::move(record));
    }
  }
}

Outcome parse(std::string_view first, std::string_view second) {
  CsvParser parser({}, kLimits);
  Outcome outcome;
  parser.feed(as_bytes(first));
  drain(parser, outcome);
  parser.feed(as_bytes(second));
  drain(parser, outcome);
  parser.finish();
  drain(parser, outcome);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto cut = text.empty() ? 0 : data[0] % (text.size() + 1);
  const auto whole = parse(text, {});
  if (whole != parse(text.substr(0, cut), text.substr(cut))) std::abort();
  for (const auto& record : whole.records) {
    if (record.size() > kLimits.columns) std::abort();
    for (const auto& field : record) {
      if (field.size() > kLimits.field_bytes || !is_valid_utf8(field)) std::abort();
    }
  }
  return 0;
}
