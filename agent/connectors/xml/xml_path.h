#pragma once

#include "agent/connectors/step_error.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::xml {

// The name of an element or attribute as a document has it.
struct XmlName {
  std::string space;  // URI; empty: in no namespace
  std::string local;
};

// What a path says of a name: `order` in whatever namespace, `{urn:shop}order` in that one, `{}order` in none.
struct NameTest {
  std::optional<std::string> space;
  std::string local;

  bool matches(const XmlName& name) const { return local == name.local && (!space || *space == name.space); }
};

// Which elements are rows: `/orders/order` from the root, `order` or `orders/order` anywhere.
struct RowPath {
  bool from_root = false;
  std::vector<NameTest> steps;

  bool matches(const std::vector<XmlName>& open) const;  // the elements from the root to the one in question
};

// Where the value of a column stands, seen from the row: `id`, `customer/name`, `@no`, `customer/@id`, `text()`.
struct ColumnPath {
  std::vector<NameTest> steps;        // elements inside of the row
  std::optional<NameTest> attribute;  // without one it is the element's own text
};

inline constexpr std::size_t kMaxSteps = 64;

// Class "invalid" for what is no such path, with `argument` and never its value.
StepResult<RowPath> parse_row_path(std::string_view text, std::string_view argument);
StepResult<ColumnPath> parse_column_path(std::string_view text, std::string_view argument);

}  // namespace sallyport::connectors::xml
