#include "agent/connectors/json/ndjson_rows.h"

#include "agent/connectors/body_lines.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <utility>

namespace sallyport::connectors::json {
namespace {

class NdjsonRows final : public RowReader {
 public:
  explicit NdjsonRows(std::unique_ptr<ByteReader> source) : lines_(std::move(source)) {}

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
      SP_TRY(const auto line, lines_.next());
      if (!line) return std::nullopt;
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      auto value = parse_json(*line, {.max_bytes = kMaxLine});
      if (!value) return step_fail("format", fmt::format("line {}: {}", lines_.number(), value.error().message));
      if (!value->is(Value::Kind::map))
        return step_fail("format", fmt::format("line {} is no JSON object", lines_.number()));
      return *std::move(value);
    }
  }

  BodyLines lines_;
  std::optional<Value> first_;
  std::vector<std::string> columns_;
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> NdjsonFormat::open(const Handle& handle, Bodies& bodies) const {
  SP_TRY(auto bytes, open_source(handle, bodies));
  auto rows = std::make_unique<NdjsonRows>(std::move(bytes));
  SP_CHECK(rows->begin());
  return rows;
}

}  // namespace sallyport::connectors::json
