#include "agent/connectors/json/json_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/json/ndjson_rows.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::json {
namespace {

constexpr std::size_t kWritePiece = 64u << 10;
constexpr std::int64_t kDefaultBatch = 500;

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

class JsonReadLines final : public Action {
 public:
  explicit JsonReadLines(Site site) : site_(site) {}
  std::string_view name() const override { return "json.read_lines@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(auto source, arguments.handle("source"));
    Handle rows{"rows", ValueMap{{Value("format"), Value("ndjson")}, {Value("source"), Value(std::move(source))}}};
    SP_TRY(const auto reader, NdjsonFormat().open(rows, context.bodies));
    ValueList columns(reader->columns().begin(), reader->columns().end());
    auto output = rows_output(std::move(rows), arguments.integer_or("batch", kDefaultBatch));
    output.insert_or_assign(Value("columns"), Value(std::move(columns)));
    return Output{Value(std::move(output))};
  }

 private:
  Site site_;
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
           lines ? write_rows(context, *arguments.find("rows"), *spool) : write_value(arguments, *spool));
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

  StepResult<std::int64_t> write_rows(const StepContext& context, const Value& argument, BodyWriter& spool) const {
    const auto limits = site_.policy.limits(context.connection);
    SP_TRY(const auto rows, open_argument_rows(argument, context.bodies));
    std::string piece;
    std::uint64_t bytes = 0;
    for (std::int64_t count = 0;; ++count) {
      SP_TRY(const auto row, rows->next());
      if (row && static_cast<std::uint64_t>(count) == limits.rows) {
        return step_fail("too_large",
                         fmt::format("more than {} rows, the limit of the local policy (limits.rows)", limits.rows));
      }
      if (row) {
        SP_CHECK(check_writable(*row));
        piece += to_json(*row) + "\n";
        if (piece.size() < kWritePiece) continue;
      }
      SP_CHECK(check_going_on(site_, context));
      bytes += piece.size();
      if (bytes > limits.bytes)
        return step_fail("too_large",
                         fmt::format("more than {} bytes, the limit of the local policy (limits.bytes)", limits.bytes));
      SP_CHECK(spool.write(as_bytes(piece)));
      piece.clear();
      if (!row) return count;
    }
  }

  Site site_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<JsonParse>(site));
  actions.push_back(std::make_unique<JsonReadLines>(site));
  actions.push_back(std::make_unique<JsonWrite>(site));
  return actions;
}

}  // namespace sallyport::connectors::json
