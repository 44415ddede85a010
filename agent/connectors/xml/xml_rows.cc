#include "agent/connectors/xml/xml_rows.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/body_lines.h"
#include "agent/connectors/xml/xml_parser.h"

namespace sallyport::connectors::xml {
namespace {

struct Paths {
  RowPath row;
  std::vector<std::string> names;
  std::vector<ColumnPath> columns;
};

StepResult<Paths> read_paths(const Handle& handle) {
  const Value attributes(handle.attributes);
  const Arguments arguments(attributes);
  Paths paths;
  SP_TRY(const auto row, arguments.text("row"));
  SP_TRY(paths.row, parse_row_path(row, "row"));
  SP_TRY(const auto* columns, arguments.any("columns"));
  if (!columns->is(Value::Kind::map) || columns->as_map().empty())
    return step_fail("invalid", "`columns` must map names of columns to paths");
  for (const auto& [name, path] : columns->as_map()) {
    if (!name.is(Value::Kind::string) || name.as_string().empty() || !path.is(Value::Kind::string))
      return step_fail("invalid", "`columns` must map names of columns to paths");
    SP_TRY(auto parsed, parse_column_path(path.as_string(), "columns"));
    paths.names.push_back(name.as_string());
    paths.columns.push_back(std::move(parsed));
  }
  return paths;
}

class XmlRows final : public RowReader {
 public:
  XmlRows(std::unique_ptr<ByteReader> source, Paths paths)
      : source_(std::move(source)),
        columns_(std::move(paths.names)),
        keys_(columns_.begin(), columns_.end()),
        parser_(std::move(paths.row), std::move(paths.columns)) {}

  const std::vector<std::string>& columns() const override { return columns_; }

  StepResult<std::optional<Value>> next() override {
    for (;;) {
      SP_TRY(auto row, parser_.next());
      if (row) return as_map(*std::move(row));
      if (parser_.at_end()) return std::nullopt;
      SP_TRY(const auto room, parser_.room());
      SP_TRY(const auto got, source_->read(room));
      parser_.feed(got);
    }
  }

 private:
  Value as_map(XmlParser::Row row) const {
    ValueMap map;
    for (std::size_t i = 0; i < row.size(); ++i) map.emplace(keys_[i], row[i] ? Value(*std::move(row[i])) : Value());
    return Value(std::move(map));
  }

  std::unique_ptr<ByteReader> source_;
  std::vector<std::string> columns_;
  std::vector<Value> keys_;
  XmlParser parser_;
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> XmlFormat::open(const Handle& handle, Bodies& bodies) const {
  SP_TRY(auto paths, read_paths(handle));
  SP_TRY(auto source, open_source(handle, bodies));
  SP_CHECK(load_expat());
  return std::make_unique<XmlRows>(std::move(source), std::move(paths));
}

}  // namespace sallyport::connectors::xml
