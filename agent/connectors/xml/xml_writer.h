#pragma once

#include "agent/connectors/row_writing.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::xml {

// Rows as elements in UTF-8, one in a line, each column an element in it or an attribute of it. Null is left out; what
// XML gives a meaning is escaped. Class "invalid" for names that XML does not have, and for characters that it cannot
// hold (control characters, also escaped).
class XmlWriter {
 public:
  // `attributes` are among the names of `columns`, which outlives this.
  static StepResult<XmlWriter> make(std::string root, std::string row, const WrittenColumns& columns,
                                    const std::vector<std::string>& attributes);

  std::string head() const { return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + root_ + ">\n"; }
  std::string tail() const { return "</" + root_ + ">\n"; }
  StepResult<void> append_row(std::string& out, const Value& row) const;

 private:
  XmlWriter(std::string root, std::string row, const WrittenColumns& columns, std::vector<bool> is_attribute)
      : root_(std::move(root)), row_(std::move(row)), columns_(columns), is_attribute_(std::move(is_attribute)) {}
  StepResult<void> append_value(std::string& attributes, std::string& elements, std::size_t column,
                                const Value& value) const;

  std::string root_, row_;
  const WrittenColumns& columns_;
  std::vector<bool> is_attribute_;
};

}  // namespace sallyport::connectors::xml
