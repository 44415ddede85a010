#include "agent/connectors/json/ndjson_rows.h"

#include "agent/connectors/json/line_splitter.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <array>

namespace sallyport::connectors::json {
namespace {

class NdjsonRows final : public RowReader {
 public:
  explicit NdjsonRows(std::unique_ptr<ByteReader> source) : source_(std::move(source)), lines_(kMaxLine) {}

  StepResult<void> begin() {
    SP_TRY(first_, read());
    if (!first_) return {};
    for (const auto& [key, value] : first_->as_map()) columns_.push_back(key.as_string());
    return {};
  }
  const std::vector<std::string>& columns() const override { return columns_; }
  StepResult<std::optional<Value>> next() override {
    if (first_) return std::exchange(first_, std::nullopt);
    return read();
  }

 private:
  StepResult<std::optional<Value>> read() {
    for (;;) {
      SP_TRY(const auto line, read_line());
      if (!line) return std::nullopt;
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      auto value = parse_json(*line, {.max_bytes = kMaxLine});
      if (!value) return step_fail("format", fmt::format("line {}: {}", lines_.line(), value.error().message));
      if (!value->is(Value::Kind::map))
        return step_fail("format", fmt::format("line {} is no JSON object", lines_.line()));
      return *std::move(value);
    }
  }

  StepResult<std::optional<std::string>> read_line() {
    for (;;) {
      SP_TRY(auto line, lines_.next());
      if (line || ended_) return line;
      std::array<std::byte, 65536> buffer;
      SP_TRY(const auto got, source_->read(buffer));
      if (got > 0) {
        lines_.feed(std::span(buffer).first(got));
      } else {
        ended_ = true;
        lines_.finish();
      }
    }
  }

  std::unique_ptr<ByteReader> source_;
  LineSplitter lines_;
  bool ended_ = false;
  std::optional<Value> first_;
  std::vector<std::string> columns_;
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> NdjsonFormat::open(const Handle& handle, Bodies& bodies) const {
  const auto source = handle.attributes.find(Value("source"));
  if (source == handle.attributes.end() || !source->second.is(Value::Kind::handle)) {
    return step_fail("invalid", "rows of the format ndjson lack their source");
  }
  SP_TRY(auto bytes, bodies.open_bytes(source->second.as_handle()));
  auto rows = std::make_unique<NdjsonRows>(std::move(bytes));
  SP_CHECK(rows->begin());
  return rows;
}

}  // namespace sallyport::connectors::json
