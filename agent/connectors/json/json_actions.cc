#include "agent/connectors/json/json_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/json/json_rows.h"
#include "agent/connectors/json/ndjson_rows.h"
#include "agent/connectors/row_writing.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::json {
namespace {

StepResult<std::string> read_document(ByteReader& source) {
  std::string text;
  std::array<std::byte, 65536> buffer;
  for (;;) {
    SP_TRY(const auto got, source.read(buffer));
    if (got == 0) return text;
    if (text.size() + got > kMaxDocument) {
      return step_fail(
          "too_large",
          fmt::format("the document is larger than {} bytes; json.read_lines reads one object per line without a limit",
                      kMaxDocument));
    }
    text += as_text(std::span(buffer).first(got));
  }
}

bool holds_body(const Value& value) {
  if (value.is(Value::Kind::handle)) return true;
  if (value.is(Value::Kind::list)) return std::ranges::any_of(value.as_list(), holds_body);
  if (!value.is(Value::Kind::map)) return false;
  return std::ranges::any_of(value.as_map(), [](const auto& entry) { return holds_body(entry.second); });
}

StepResult<void> check_writable(const Value& value) {
  if (holds_body(value)) return step_fail("invalid", "a body cannot be written as JSON; use one of its attributes");
  return {};
}

class JsonParse final : public Action {
 public:
  explicit JsonParse(Site site) : site_(site) {}
  std::string_view name() const override { return "json.parse@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto text, text_of(context, arguments));
    auto value = parse_json(text, {.max_bytes = kMaxDocument});
    if (!value) return step_fail(value.error().code == Errc::too_large ? "too_large" : "format", value.error().message);
    return Output{Value(ValueMap{{Value("value"), *std::move(value)}})};
  }

 private:
  static StepResult<std::string> text_of(const StepContext& context, const Arguments& arguments) {
    if (arguments.find("source") == nullptr) return arguments.text("text");
    SP_TRY(const auto source, arguments.handle("source"));
    SP_TRY(const auto reader, context.bodies.open_bytes(source));
    return read_document(*reader);
  }

  Site site_;
};

// Describes rows of one format, which its own reader has looked into.
class JsonRead final : public Action {
 public:
  JsonRead(Site site, std::string_view name, const RowFormat& format) : site_(site), name_(name), format_(format) {}
  std::string_view name() const override { return name_; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(auto source, arguments.handle("source"));
    Handle rows{"rows",
                ValueMap{{Value("format"), Value(format_.format())}, {Value("source"), Value(std::move(source))}}};
    if (const auto* pointer = arguments.find("pointer")) rows.attributes.insert_or_assign(Value("pointer"), *pointer);
    SP_TRY(const auto reader, format_.open(rows, context.bodies));
    return Output{Value(rows_output(std::move(rows), reader->columns(), arguments.integer_or("batch", kDefaultBatch)))};
  }

 private:
  Site site_;
  std::string_view name_;
  const RowFormat& format_;
};

class JsonWrite final : public Action {
 public:
  explicit JsonWrite(Site site) : site_(site) {}
  std::string_view name() const override { return "json.write@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    const bool lines = arguments.find("rows") != nullptr;
    SP_TRY(const auto spool, context.bodies.new_spool(lines ? "application/x-ndjson" : "application/json"));
    SP_TRY(const auto count,
           lines ? write_lines(context, *arguments.find("rows"), *spool) : write_value(arguments, *spool));
    SP_TRY(auto file, spool->commit({}));
    return Output{Value(ValueMap{{Value("file"), Value(std::move(file))}, {Value("count"), Value(count)}})};
  }

 private:
  static StepResult<std::int64_t> write_value(const Arguments& arguments, BodyWriter& spool) {
    SP_TRY(const auto* value, arguments.any("value"));
    SP_CHECK(check_writable(*value));
    SP_CHECK(spool.write(as_bytes(to_json(*value) + "\n")));
    return 1;
  }

  StepResult<std::int64_t> write_lines(const StepContext& context, const Value& argument, BodyWriter& spool) const {
    SP_TRY(const auto rows, open_argument_rows(argument, context.bodies));
    const RowText text{.head = {}, .append = [](std::string& out, const Value& row) -> StepResult<void> {
                         SP_CHECK(check_writable(row));
                         out += to_json(row) + "\n";
                         return {};
                       }};
    return write_rows(site_, context, *rows, text, spool);
  }

  Site site_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<JsonParse>(site));
  static const NdjsonFormat kLines;
  static const JsonFormat kArray;
  actions.push_back(std::make_unique<JsonRead>(site, "json.read_lines@1", kLines));
  actions.push_back(std::make_unique<JsonRead>(site, "json.read_rows@1", kArray));
  actions.push_back(std::make_unique<JsonWrite>(site));
  return actions;
}

}  // namespace sallyport::connectors::json
