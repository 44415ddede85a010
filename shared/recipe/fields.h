#pragma once

#include "shared/recipe/yaml.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::yaml {

enum class Need { optional, required };

struct IntegerRange {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};
struct DurationRange {
  std::chrono::milliseconds min{0};
  std::chrono::milliseconds max = std::chrono::hours(24 * 3650);
};

// Takes the known fields out of a mapping, one call per field, and reports everything that is wrong with them
// (missing-field, wrong-type, out-of-range, bad-duration, bad-choice); finish() reports the keys that nobody took
// (unknown-key, with the nearest name that was asked for). A field with a problem reads as absent, so that reading goes
// on and one pass finds all problems.
//
//   yaml::FieldReader fields(node, report, "a connection");
//   auto kind = fields.choice("kind", kKinds, Need::required);
//   auto port = fields.integer("port", {1, 65535});
//   fields.finish();
//
// Borrows the node and the report. A node that is no mapping is reported once, and every field reads as absent.
class FieldReader {
 public:
  // `what` names the mapping in messages: "a step", "`retry`".
  FieldReader(const Node& node, Report& report, std::string what);

  const Node* any(std::string_view name, Need need = Need::optional);
  const Node* mapping(std::string_view name, Need need = Need::optional);
  const Node* sequence(std::string_view name, Need need = Need::optional);
  // The node of a text field, for callers that need its position.
  const Node* text_node(std::string_view name, Need need = Need::optional);

  std::optional<std::string> text(std::string_view name, Need need = Need::optional);
  std::optional<bool> boolean(std::string_view name, Need need = Need::optional);
  std::optional<std::int64_t> integer(std::string_view name, IntegerRange range = {}, Need need = Need::optional);
  std::optional<std::chrono::milliseconds> duration(std::string_view name, DurationRange range = {},
                                                    Need need = Need::optional);  // "250ms", "5s", "10m", "2h", "14d"
  std::optional<std::string> choice(std::string_view name, std::span<const std::string_view> choices,
                                    Need need = Need::optional);
  // A sequence of texts. Absent: empty.
  std::vector<std::string> texts(std::string_view name, Need need = Need::optional);

  void finish();

  Position at() const { return node_.at; }
  Position at(std::string_view name) const;  // of the field's value, else of the mapping
  void problem(std::string_view name, std::string_view rule, std::string message);  // at that field's value
  const Node& node() const { return node_; }
  Report& report() { return report_; }

 private:
  std::string wrong_type(std::string_view name, std::string_view expected, const Node& found) const;

  const Node& node_;
  Report& report_;
  std::string what_;
  std::vector<std::string> taken_;
};

// "text", "an integer", "a mapping" ...: what a node is, for messages.
std::string_view describe(const Node& node);

}  // namespace sallyport::yaml
