#include "agent/connectors/xml/xml_writer.h"

#include "agent/connectors/xml/xml_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::xml {
namespace {

// White space but blanks would be read as something else: in attributes all of it, in text a carriage return.
void append_escaped(std::string& out, std::string_view text, std::string_view as_numbers) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default:
        if (as_numbers.contains(c)) {
          out += fmt::format("&#{};", static_cast<int>(c));
        } else {
          out += c;
        }
    }
  }
}

}  // namespace

StepResult<XmlWriter> XmlWriter::make(std::string root, std::string row, const WrittenColumns& columns,
                                      const std::vector<std::string>& attributes) {
  if (!is_xml_name(root)) return step_fail("invalid", "`root` is no name of XML (without a prefix)");
  if (!is_xml_name(row)) return step_fail("invalid", "`row` is no name of XML (without a prefix)");
  std::vector<bool> is_attribute;
  for (std::size_t i = 0; i < columns.names.size(); ++i) {
    const auto& name = columns.names[i];
    if (!is_xml_name(name)) return step_fail("invalid", fmt::format("column {} has no name that XML takes", i + 1));
    if (std::ranges::count(columns.names, name) > 1)
      return step_fail("invalid", fmt::format("column {} has the name of another one", i + 1));
    is_attribute.push_back(std::ranges::find(attributes, name) != attributes.end());
  }
  for (const auto& name : attributes) {
    if (std::ranges::find(columns.names, name) == columns.names.end())
      return step_fail("invalid", "`attributes` has a name that is no column");
  }
  return XmlWriter(std::move(root), std::move(row), columns, std::move(is_attribute));
}

StepResult<void> XmlWriter::append_row(std::string& out, const Value& row) const {
  std::string attributes, elements;
  SP_CHECK(columns_.each(row, [&](std::size_t i, const Value* value) -> StepResult<void> {
    if (value == nullptr || value->is_null()) return {};
    return append_value(attributes, elements, i, *value);
  }));
  out += "<" + row_ + attributes + (elements.empty() ? "/>\n" : ">" + elements + "</" + row_ + ">\n");
  return {};
}

StepResult<void> XmlWriter::append_value(std::string& attributes, std::string& elements, std::size_t column,
                                         const Value& value) const {
  SP_TRY(const auto text, cell_text(value));
  if (!is_xml_text(text))
    return step_fail("invalid", fmt::format("column {} has a character that XML cannot hold", column + 1));
  const auto& name = columns_.names[column];
  if (is_attribute_[column]) {
    attributes += " " + name + "=\"";
    append_escaped(attributes, text, "\t\n\r");
    attributes += '"';
  } else if (text.empty()) {
    elements += "<" + name + "/>";
  } else {
    elements += "<" + name + ">";
    append_escaped(elements, text, "\r");
    elements += "</" + name + ">";
  }
  return {};
}

}  // namespace sallyport::connectors::xml
