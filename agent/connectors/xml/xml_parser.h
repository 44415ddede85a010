#pragma once

#include "agent/connectors/xml/expat.h"
#include "agent/connectors/xml/xml_path.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors::xml {

struct XmlLimits {
  std::size_t depth = 64;
  std::size_t attributes = 256;        // of one element
  std::size_t namespaces = 1024;       // that are declared where the parser is
  std::size_t name_bytes = 256;        // of an element or attribute
  std::size_t tag_bytes = 256u << 10;  // a tag, comment or instruction, somewhat more or less
  std::size_t text_bytes = 1u << 20;   // of one column
  std::size_t row_bytes = 4u << 20;    // of all columns
};

// Bytes in, rows out. The document is UTF-8, UTF-16, ISO-8859-1, US-ASCII or windows-1252, as it says itself. A
// document type declaration is refused where it begins, so there are no entities but the five of XML, and nothing is
// ever fetched. Holds one row, what was fed last and the names of the elements that are open. No IO.
//
//   while (auto row = parser.next(), row && !*row && !parser.at_end()) { read into parser.room(); parser.feed(count); }
//
// The text of an element is what stands in it directly: comments are left out, elements in it are not. Errors are class
// "format" or "too_large", name the line, and never the content; after one, every call fails.
class XmlParser {
 public:
  using Row = std::vector<std::optional<std::string>>;  // one for each column; without a value it is not there

  // After load_expat().
  XmlParser(RowPath row, std::vector<ColumnPath> columns, XmlLimits limits = {});
  XmlParser(const XmlParser&) = delete;
  XmlParser& operator=(const XmlParser&) = delete;

  // Room for the next bytes, until feed() says how many there are; 0 is the end. Only after next() gave nothing.
  StepResult<std::span<std::byte>> room();
  void feed(std::size_t count);
  StepResult<std::optional<Row>> next();  // nullopt: feed more, or the end
  bool at_end() const { return ended_; }

 private:
  struct Free {
    void operator()(XML_Parser parser) const { expat().XML_ParserFree(parser); }
  };
  struct Level {
    std::vector<std::size_t> inside;  // columns whose path leads through this element
    std::vector<std::size_t> text;    // columns that are its own text
  };
  struct Callbacks;
  enum class Fed { nothing, bytes, end };

  StepResult<void> advance();
  void begin_element(const char* name, const char** attributes);
  void end_element();
  void take_text(std::string_view text);
  void begin_level(std::vector<std::size_t> columns, const char** attributes);
  void take_attributes(const ColumnPath& path, std::size_t column, const char** attributes);
  bool begin_value(std::size_t column);
  void append(std::size_t column, std::string_view text);
  void stop(std::string error_class, std::string why);
  std::unexpected<StepError> wrong(std::string error_class, std::string_view why);

  RowPath row_path_;
  std::vector<ColumnPath> columns_;
  XmlLimits limits_;
  std::unique_ptr<XML_ParserStruct, Free> parser_;
  std::vector<XmlName> open_;
  std::vector<Level> levels_;  // of the row's elements that are open; empty outside of a row
  Row row_;
  std::size_t row_bytes_ = 0, namespaces_ = 0;
  std::size_t unseen_ = 0;  // bytes that were fed since the parser told anything
  std::size_t fed_ = 0;
  Fed state_ = Fed::nothing;
  bool row_complete_ = false, suspended_ = false, is_last_ = false, ended_ = false;
  std::optional<StepError> broken_;
};

}  // namespace sallyport::connectors::xml
