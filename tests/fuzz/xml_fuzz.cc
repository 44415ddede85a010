// XML in two pieces: no crash, no value beyond the limits, and the same rows as in one piece.
#include "agent/connectors/xml/xml_parser.h"
#include "shared/base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::connectors::xml;

namespace {

constexpr XmlLimits kLimits{.depth = 6,
                            .attributes = 4,
                            .namespaces = 4,
                            .name_bytes = 16,
                            .tag_bytes = 4096,
                            .text_bytes = 64,
                            .row_bytes = 100};

struct Outcome {
  std::vector<XmlParser::Row> rows;
  bool failed = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void feed(XmlParser& parser, std::string_view piece, Outcome& outcome) {
  if (outcome.failed) return;
  const auto room = parser.room();
  if (!room) std::abort();
  std::ranges::copy(as_bytes(piece), room->begin());
  parser.feed(piece.size());
  for (;;) {
    auto row = parser.next();
    outcome.failed = !row;
    if (!row || !*row) return;
    outcome.rows.push_back(**std::move(row));
  }
}

Outcome parse(std::string_view first, std::string_view second) {
  XmlParser parser(*parse_row_path("o", "row"),
                   {*parse_column_path("a", "c"), *parse_column_path("b/@n", "c"), *parse_column_path("text()", "c")},
                   kLimits);
  Outcome outcome;
  for (const auto piece : {first, second}) {
    if (!piece.empty()) feed(parser, piece, outcome);
  }
  feed(parser, {}, outcome);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096 || !load_expat()) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto cut = std::min<std::size_t>(data[0], text.size());
  const auto whole = parse(text, {});
  if (whole != parse(text.substr(0, cut), text.substr(cut))) std::abort();
  for (const auto& row : whole.rows) {
    std::size_t bytes = 0;
    for (const auto& value : row) {
      if (value && (value->size() > kLimits.text_bytes || !is_valid_utf8(*value))) std::abort();
      bytes += value ? value->size() : 0;
    }
    if (bytes > kLimits.row_bytes) std::abort();
  }
  return 0;
}
