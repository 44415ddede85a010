#include "agent/connectors/json/json_rows.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/body_lines.h"
#include "agent/connectors/json/json_items.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace sallyport::connectors::json {
namespace {

class JsonRows final : public RowReader {
 public:
  JsonRows(std::unique_ptr<ByteReader> source, JsonItems items)
      : source_(std::move(source)), items_(std::move(items)) {}

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
    SP_TRY(const auto text, next_item());
    if (!text) return std::nullopt;
    auto row = parse_json(*text, {.max_bytes = kMaxLine});
    if (!row)
      return step_fail("format",
                       fmt::format("the object that ends in line {}: {}", items_.line(), row.error().message));
    return *std::move(row);
  }

  StepResult<std::optional<std::string>> next_item() {
    for (;;) {
      SP_TRY(auto item, items_.next());
      if (item || ended_) return item;
      std::array<std::byte, 65536> buffer;
      SP_TRY(const auto got, source_->read(buffer));
      ended_ = got == 0;
      if (ended_) items_.finish();
      items_.feed(std::span(buffer).first(got));
    }
  }

  std::unique_ptr<ByteReader> source_;
  JsonItems items_;
  bool ended_ = false;
  std::optional<Value> first_;
  std::vector<std::string> columns_;
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> JsonFormat::open(const Handle& handle, Bodies& bodies) const {
  const Value attributes(handle.attributes);
  SP_TRY(auto items, JsonItems::at(Arguments(attributes).text_or("pointer", ""), {.item_bytes = kMaxLine}));
  SP_TRY(auto source, open_source(handle, bodies));
  auto rows = std::make_unique<JsonRows>(std::move(source), std::move(items));
  SP_CHECK(rows->begin());
  return rows;
}

}  // namespace sallyport::connectors::json
