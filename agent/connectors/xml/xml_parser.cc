#include "agent/connectors/xml/xml_parser.h"

#include "agent/connectors/decode.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace sallyport::connectors::xml {
namespace {

constexpr int kPiece = 64 << 10;
constexpr char kSeparator = '\x1F';  // no document can have it

XmlName split_name(const char* expanded) {
  const std::string_view text(expanded);
  const auto at = text.find(kSeparator);
  if (at == std::string_view::npos) return {{}, std::string(text)};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

std::size_t count_of(const char** attributes) {
  std::size_t count = 0;
  while (attributes[2 * count] != nullptr) ++count;
  return count;
}

// What expat asks for an encoding that it does not have itself.
int map_encoding(void*, const XML_Char* name, XML_Encoding* map) {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lower != "windows-1252") return XML_STATUS_ERROR;
  for (unsigned code = 0; code < 256; ++code)
    map->map[code] = static_cast<int>(code_point_of(static_cast<std::byte>(code), Encoding::windows_1252));
  return XML_STATUS_OK;
}

}  // namespace

struct XmlParser::Callbacks {
  static XmlParser& of(void* self) {
    auto& parser = *static_cast<XmlParser*>(self);
    parser.unseen_ = 0;
    return parser;
  }
  static void begin_element(void* self, const XML_Char* name, const XML_Char** attributes) {
    of(self).begin_element(name, attributes);
  }
  static void end_element(void* self, const XML_Char*) { of(self).end_element(); }
  static void text(void* self, const XML_Char* text, int length) {
    of(self).take_text({text, static_cast<std::size_t>(length)});
  }
  static void doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    of(self).stop("format", "it has a document type declaration, which is refused");
  }
  static void comment(void* self, const XML_Char*) { of(self); }
  static void instruction(void* self, const XML_Char*, const XML_Char*) { of(self); }
  static void begin_namespace(void* self, const XML_Char*, const XML_Char*) {
    auto& parser = of(self);
    if (++parser.namespaces_ > parser.limits_.namespaces)
      parser.stop("too_large", fmt::format("more than {} namespaces", parser.limits_.namespaces));
  }
  static void end_namespace(void* self, const XML_Char*) { --of(self).namespaces_; }
};

XmlParser::XmlParser(RowPath row, std::vector<ColumnPath> columns, XmlLimits limits)
    : row_path_(std::move(row)),
      columns_(std::move(columns)),
      limits_(limits),
      parser_(expat().XML_ParserCreateNS(nullptr, kSeparator)) {
  auto* const parser = parser_.get();
  expat().XML_SetUserData(parser, this);
  expat().XML_SetElementHandler(parser, Callbacks::begin_element, Callbacks::end_element);
  expat().XML_SetCharacterDataHandler(parser, Callbacks::text);
  expat().XML_SetDoctypeDeclHandler(parser, Callbacks::doctype, nullptr);
  expat().XML_SetCommentHandler(parser, Callbacks::comment);
  expat().XML_SetProcessingInstructionHandler(parser, Callbacks::instruction);
  expat().XML_SetNamespaceDeclHandler(parser, Callbacks::begin_namespace, Callbacks::end_namespace);
  expat().XML_SetUnknownEncodingHandler(parser, map_encoding, nullptr);
}

StepResult<std::span<std::byte>> XmlParser::room() {
  auto* const buffer = expat().XML_GetBuffer(parser_.get(), kPiece);
  if (buffer == nullptr) return step_fail("internal", "no memory to read XML");
  return std::span(static_cast<std::byte*>(buffer), kPiece);
}

void XmlParser::feed(std::size_t count) {
  fed_ = count;
  unseen_ += count;
  state_ = count == 0 ? Fed::end : Fed::bytes;
}

StepResult<std::optional<XmlParser::Row>> XmlParser::next() {
  if (broken_) return std::unexpected(*broken_);
  while (!row_complete_ && (suspended_ || state_ != Fed::nothing)) SP_CHECK(advance());
  if (!row_complete_) return std::nullopt;
  row_complete_ = false;
  row_bytes_ = 0;
  return std::exchange(row_, {});
}

// Parses until a row is complete or everything that was fed is used up.
StepResult<void> XmlParser::advance() {
  const auto state = std::exchange(state_, Fed::nothing);
  const auto status = suspended_
                          ? expat().XML_ResumeParser(parser_.get())
                          : expat().XML_ParseBuffer(parser_.get(), static_cast<int>(fed_), state == Fed::end ? 1 : 0);
  suspended_ = status == XML_STATUS_SUSPENDED;
  if (broken_) return std::unexpected(*broken_);
  if (status == XML_STATUS_ERROR) {
    const auto* const why = expat().XML_ErrorString(expat().XML_GetErrorCode(parser_.get()));
    return wrong("format", why == nullptr ? "unknown" : why);
  }
  is_last_ = is_last_ || state == Fed::end;
  ended_ = is_last_ && !suspended_;
  if (!ended_ && !suspended_ && unseen_ > limits_.tag_bytes)
    return wrong("too_large", fmt::format("a tag or comment of more than {} bytes", limits_.tag_bytes));
  return {};
}

std::unexpected<StepError> XmlParser::wrong(std::string error_class, std::string_view why) {
  stop(std::move(error_class), std::string(why));
  return std::unexpected(*broken_);
}

// Ends the parse, from within a callback too. The first reason stays.
void XmlParser::stop(std::string error_class, std::string why) {
  if (broken_) return;
  const auto line = expat().XML_GetCurrentLineNumber(parser_.get());
  broken_ = StepError{{std::move(error_class)}, fmt::format("the XML is wrong in line {}: {}", line, why), {}};
  expat().XML_StopParser(parser_.get(), XML_FALSE);
}

void XmlParser::begin_element(const char* name, const char** attributes) {
  if (broken_) return;
  open_.push_back(split_name(name));
  if (open_.size() > limits_.depth) return stop("too_large", fmt::format("more than {} levels", limits_.depth));
  if (open_.back().local.size() > limits_.name_bytes)
    return stop("too_large", fmt::format("a name of more than {} bytes", limits_.name_bytes));
  if (count_of(attributes) > limits_.attributes)
    return stop("too_large", fmt::format("an element of more than {} attributes", limits_.attributes));
  std::vector<std::size_t> columns;
  if (!levels_.empty()) {
    const auto step = levels_.size() - 1;
    for (const auto column : levels_.back().inside) {
      if (columns_[column].steps[step].matches(open_.back())) columns.push_back(column);
    }
  } else if (row_path_.matches(open_)) {
    row_.assign(columns_.size(), std::nullopt);
    for (std::size_t i = 0; i < columns_.size(); ++i) columns.push_back(i);
  } else {
    return;
  }
  begin_level(std::move(columns), attributes);
}

void XmlParser::begin_level(std::vector<std::size_t> columns, const char** attributes) {
  Level level;
  for (const auto column : columns) {
    const auto& path = columns_[column];
    if (path.steps.size() > levels_.size()) {
      level.inside.push_back(column);
    } else if (path.attribute) {
      take_attributes(path, column, attributes);
    } else if (begin_value(column)) {
      level.text.push_back(column);
    }
  }
  levels_.push_back(std::move(level));
}

void XmlParser::take_attributes(const ColumnPath& path, std::size_t column, const char** attributes) {
  for (; *attributes != nullptr; attributes += 2) {
    if (path.attribute->matches(split_name(attributes[0])) && begin_value(column)) append(column, attributes[1]);
  }
}

bool XmlParser::begin_value(std::size_t column) {
  if (row_[column]) {
    stop("format", fmt::format("column {} of the row stands there twice", column + 1));
    return false;
  }
  row_[column] = "";
  return true;
}

void XmlParser::append(std::size_t column, std::string_view text) {
  auto& value = *row_[column];
  if (text.size() > limits_.text_bytes - value.size())
    return stop("too_large", fmt::format("a text of more than {} bytes", limits_.text_bytes));
  if (text.size() > limits_.row_bytes - row_bytes_)
    return stop("too_large", fmt::format("a row of more than {} bytes", limits_.row_bytes));
  row_bytes_ += text.size();
  value += text;
}

void XmlParser::take_text(std::string_view text) {
  if (broken_ || levels_.empty()) return;
  for (const auto column : levels_.back().text) {
    if (!broken_) append(column, text);
  }
}

void XmlParser::end_element() {
  if (broken_) return;
  open_.pop_back();
  if (levels_.empty()) return;
  levels_.pop_back();
  if (!levels_.empty()) return;
  row_complete_ = true;
  expat().XML_StopParser(parser_.get(), XML_TRUE);
}

}  // namespace sallyport::connectors::xml
