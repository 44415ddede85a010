#include "shared/recipe/catalogue.h"

#include "shared/base/json.h"
#include "shared/base/text.h"
#include "shared/recipe/argument.h"
#include "shared/recipe/cron.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace sallyport;
using namespace sallyport::recipe;

namespace {

std::string bound(std::string_view action, const Value& arguments) {
  const auto* info = find_action(action);
  REQUIRE(info != nullptr);
  const auto result = bind_arguments(*info, arguments);
  if (result) return to_json(*result);
  std::string out;
  for (const auto& fault : result.error())
    out += (out.empty() ? "" : "; ") + fault.path + ": " + fault.message + " [" + fault.rule + "]";
  return out;
}

Value json(std::string_view text) { return *parse_json(text); }
Value file() { return Value(Handle{"file", {{Value("path"), Value("a.csv")}}}); }

void check_field(const Field& field) {
  INFO(field.name);
  CHECK(field.types != Types::none);
  CHECK_FALSE(field.doc.empty());
  CHECK_FALSE((field.required() && !field.default_json.empty()));
  if (!field.default_json.empty()) CHECK(parse_json(field.default_json));
  for (const auto& inner : field.inside) check_field(inner);
}

}  // namespace

TEST_CASE("the catalogue is complete and consistent", "[catalogue]") {
  std::set<std::string_view> names;
  for (const auto& action : actions()) {
    INFO(action.name);
    CHECK(names.insert(action.name).second);
    CHECK(action.name.ends_with("@1"));
    CHECK_FALSE(action.doc.empty());
    CHECK_FALSE(action.error_classes.empty());
    CHECK(find_action(action.name) == &action);
    for (const auto& field : action.fields) check_field(field);
    for (auto name : action.exactly_one) CHECK(std::ranges::count(action.fields, name, &Field::name) == 1);
    for (auto error_class : action.error_classes) {
      INFO(error_class);
      CHECK((error_class == "in_doubt" || std::ranges::count(error_classes(), error_class) == 1));
    }
    if (action.effect != Effect::write) CHECK(action.repeat == Repeat::safe);
  }
  for (const auto& trigger : triggers()) {
    INFO(trigger.name);
    CHECK(names.insert(trigger.name).second);
    for (const auto& field : trigger.fields) {
      check_field(field);
      CHECK(has(field.traits, Traits::literal_only));
    }
  }
  for (auto name : {"manual@1", "schedule@1", "file.watch@1"}) CHECK(find_trigger(name) != nullptr);
  for (auto name : {"sql.query@1", "sql.execute@1", "sql.transaction@1", "file.read@1", "file.write@1", "file.move@1",
                    "file.list@1", "file.delete@1", "csv.read@1", "csv.write@1", "json.parse@1", "json.write@1",
                    "json.read_lines@1", "command.run@1", "wait.for@1", "log.write@1"}) {
    CHECK(find_action(name) != nullptr);
  }
  CHECK(find_action("sql.query") == nullptr);
  CHECK(find_trigger("log.write@1") == nullptr);
}

TEST_CASE("every action says what a dry run does with it, and who says nothing is refused", "[catalogue][dry]") {
  CHECK(ActionInfo{}.dry_run == DryRun::refused);
  for (const auto& action : actions()) {
    INFO(action.name);
    CHECK(action.dry_run != DryRun::refused);
    if (action.effect == Effect::write) CHECK(action.dry_run != DryRun::runs);
    if (action.effect != Effect::write && action.name != "wait.for@1") CHECK(action.dry_run != DryRun::planned);
  }
}

TEST_CASE("what reaches SQL text or a command's name is literal", "[catalogue][injection]") {
  for (auto [action, field] :
       {std::pair{"sql.query@1", "statement"}, {"sql.execute@1", "statement"}, {"command.run@1", "template"}}) {
    const auto fields = find_action(action)->fields;
    const auto it = std::ranges::find(fields, std::string_view(field), &Field::name);
    REQUIRE(it != fields.end());
    CHECK(has(it->traits, Traits::literal_only));
  }
  CHECK(has(find_action("sql.transaction@1")->fields[0].inside[0].traits, Traits::literal_only));
}

TEST_CASE("bytes are taken by the fields that say so, and by no other", "[catalogue]") {
  const Value bytes(Bytes{std::byte{0xFF}});
  const auto write = [&](const char* field) {
    return bound("file.write@1", Value(ValueMap{{"path", "x"}, {field, bytes}}));
  };
  CHECK(write("content") == R"({"content":"/w==","mode":"create","path":"x"})");
  CHECK(write("source") == "source: `source` must be a body, not bytes [wrong-type]");
  CHECK(bound("file.read@1", Value(ValueMap{{"path", bytes}})) == "path: `path` must be text, not bytes [wrong-type]");
  CHECK(bound("file.write@1", Value(ValueMap{{"path", "x"}, {"content", 7}}))
            .starts_with("content: `content` must be text or bytes, not an integer: make text of it with string()"));
  CHECK(bound("command.run@1", Value(ValueMap{{"template", "t"}, {"stdin", bytes}})) ==
        R"({"stdin":"/w==","template":"t"})");
}

TEST_CASE("bound arguments are complete and typed", "[catalogue]") {
  CHECK(bound("log.write@1", json(R"({"text":"x"})")) == R"({"level":"info","text":"x"})");
  CHECK(
      bound("csv.read@1", Value(ValueMap{{Value("source"), file()}})) ==
      R"({"batch":500,"delimiter":",","empty":"text","encoding":"utf-8","header":true,"quote":"\"","skip":0,"source":{"$handle":"file","path":"a.csv"}})");
  CHECK(bound("wait.for@1", json(R"({"duration":"1500ms"})")) == R"({"duration":"1.5s"})");
  CHECK(bound("wait.for@1", Value(ValueMap{{Value("duration"), Value(Duration{60, 0})}})) == R"({"duration":"60s"})");
  const auto* watch = find_trigger("file.watch@1");
  const auto arguments = bind_arguments(*watch, json(R"({"path":"in"})"));
  REQUIRE(arguments);
  CHECK(arguments->find("settle")->as_duration() == Duration{5, 0});
  CHECK(arguments->find("recursive")->as_bool() == false);
  CHECK(bound("csv.read@1", Value(ValueMap{{Value("source"), file()}, {Value("batch"), Value(std::uint64_t{7})}}))
            .starts_with(R"({"batch":7,)"));
  CHECK(bound("log.write@1", json(R"({"text":"x","level":null})")) == R"({"level":"info","text":"x"})");
  CHECK(bound("json.write@1", json(R"({"value":null})")) == R"({"value":null})");
}

TEST_CASE("arguments that do not fit are refused by name, without their value", "[catalogue]") {
  CHECK(bound("log.write@1", json("{}")) == ": `text` is missing [missing-field]");
  CHECK(bound("log.write@1", json(R"({"text":null})")) == ": `text` is missing [missing-field]");
  CHECK(bound("log.write@1", json("[1]")) == ": the arguments must be a mapping [wrong-type]");
  CHECK(bound("log.write@1", json(R"({"text":"x","levl":"info"})")) ==
        ": unknown field `levl` (did you mean `level`?) [unknown-field]");
  CHECK(bound("log.write@1", json(R"({"text":12345})")) ==
        "text: `text` must be text, not an integer: make text of it with string() [wrong-type]");
  CHECK(bound("log.write@1", json(R"({"text":"x","level":"hunter2"})")) ==
        "level: `level` must be one of debug, info, warn, error [bad-choice]");
  CHECK(bound("csv.read@1", json(R"({"source":"a.csv"})")) == "source: `source` must be a body, not text [wrong-type]");
  CHECK(bound("csv.read@1", Value(ValueMap{{Value("source"), Value(Handle{"rows", {}})}})) ==
        "source: `source` must be a body, not a body of another kind [wrong-type]");
  CHECK(bound("wait.for@1", json(R"({"duration":"31d"})")) ==
        "duration: `duration` must be from 0s to 30d [out-of-range]");
  CHECK(bound("wait.for@1", Value(ValueMap{{Value("duration"), Value(Duration{INT64_MAX, 0})}}))
            .ends_with("[bad-duration]"));
  CHECK(bound("wait.for@1", Value(ValueMap{{Value("duration"), Value(Duration{-1, 0})}})).ends_with("[out-of-range]"));
  CHECK(bound("file.list@1", json(R"({"path":"in","pattern":"[x"})")) ==
        "pattern: `pattern`: `[` without `]` [bad-glob]");
  CHECK(bound("json.write@1", json("{}")) == ": exactly one of value, rows must be given [missing-field]");
  CHECK(bound("json.write@1", json(R"({"value":1,"rows":[]})")) ==
        ": exactly one of value, rows must be given [missing-field]");
  CHECK(bound("sql.transaction@1", json(R"({"statements":[{"statement":"x"},{"statment":"y"}]})")) ==
        "statements[1]: unknown field `statment` (did you mean `statement`?) [unknown-field]; statements[1]: "
        "`statement` is missing "
        "[missing-field]");
  CHECK(bound("sql.execute@1", Value(ValueMap{{Value("statement"), Value("x")}, {Value("params"), Value(Timestamp{})}}))
            .ends_with("[wrong-type]"));
}

TEST_CASE("the fields that take a secret are these and no others", "[catalogue][secret]") {
  std::vector<std::string> takers;
  for (const auto& action : actions()) {
    const auto before = takers.size();
    for (const auto& field : action.fields) {
      if (has(field.traits, Traits::accepts_secret)) takers.push_back(fmt::format("{} {}", action.name, field.name));
      for (const auto& inner : field.inside) {
        if (has(inner.traits, Traits::accepts_secret))
          takers.push_back(fmt::format("{} {}.{}", action.name, field.name, inner.name));
      }
    }
    CHECK(takes_secrets(action) == (takers.size() > before));
  }
  CHECK(takers == std::vector<std::string>{
                      "sql.query@1 params", "sql.execute@1 params", "sql.transaction@1 statements.params",
                      "sql.batch@1 rows", "http.request@1 headers", "http.request@1 json", "http.request@1 form",
                      "http.request@1 text", "http.request@1 parts.text", "http.request@1 parts.body",
                      "http.request@1 body", "http.pages@1 headers", "ldap.add@1 attributes", "ldap.modify@1 replace",
                      "ldap.modify@1 add", "command.run@1 environment", "command.run@1 stdin"});
}

TEST_CASE("a key that came from a secret is not named as unknown", "[catalogue][secret]") {
  const Value tainted(ValueMap{{Value("hunter2"), Value(1)}});
  CHECK(bound("sql.transaction@1",
              Value(ValueMap{{Value("statements"), Value(ValueList{tainted.with_label(Label::secret)})}}))
            .find("hunter2") == std::string::npos);
  CHECK(bound("sql.transaction@1", Value(ValueMap{{Value("statements"), Value(ValueList{tainted})}})).find("hunter2") !=
        std::string::npos);  // positive control
}

TEST_CASE("a secret reaches only fields that accept one, however deep it hides", "[catalogue][secret]") {
  const auto secret = Value("s").with_label(Label::secret);
  const Value hidden(ValueList{Value(ValueMap{{Value("k"), secret}})});
  const auto arguments = [](std::string_view name, Value value, std::string_view other, Value second) {
    return Value(ValueMap{{Value(name), std::move(value)}, {Value(other), std::move(second)}});
  };
  CHECK(bound("log.write@1", arguments("text", secret, "level", Value("info"))) ==
        "text: `text` may not take a value derived from a secret [secret-sink]");
  CHECK(bound("json.write@1", Value(ValueMap{{Value("value"), hidden}})).ends_with("[secret-sink]"));
  CHECK(bound("log.write@1", Value(ValueMap{{Value("text"), Value("x")}}).with_label(Label::secret))
            .ends_with("[secret-sink]"));
  CHECK(bound("sql.execute@1", arguments("statement", secret, "params", Value(ValueMap{}))).ends_with("[secret-sink]"));
  CHECK(bound("sql.execute@1", arguments("statement", Value("x"), "params", Value(ValueMap{{Value("p"), secret}})))
            .find("secret-sink") == std::string::npos);
  const Value statements(ValueList{Value(ValueMap{{Value("statement"), Value("x")}})});
  CHECK(bound("sql.transaction@1", Value(ValueMap{{Value("statements"), statements.with_label(Label::secret)}}))
            .ends_with("[secret-sink]"));
  const auto kept = bind_arguments(*find_action("command.run@1"), arguments("template", Value("t"), "stdin", secret));
  REQUIRE(kept);
  CHECK(has(kept->find("stdin")->label(), Label::secret));
  CHECK(bound("log.write@1", Value(ValueMap{{Value("text"), Value("m").with_label(Label::masked)}}))
            .find("secret-sink") == std::string::npos);
}

TEST_CASE("what must be literal is refused also when arguments are bound", "[catalogue][injection]") {
  const auto computed = [] {
    return Argument(*expr::Template::parse("${{ inputs.s }}", expr::Environment().declare("inputs")));
  };
  const auto map = [](std::initializer_list<std::pair<const char*, Argument>> members) {
    Argument::Map made;
    for (const auto& [name, member] : members) made.emplace(name, member);
    return Argument(std::move(made));
  };
  const auto list = [](Argument item) { return Argument(Argument::List{std::move(item)}); };
  const Value values = json(R"({"statements":[{"statement":"delete from t"}]})");
  const auto transaction = [&](Argument statements) {
    const auto result = bind_arguments(*find_action("sql.transaction@1"), map({{"statements", statements}}), values);
    return result ? "bound" : result.error().front().path + " [" + result.error().front().rule + "]";
  };
  const Argument text(Value("delete from t where id = :id"));
  CHECK(transaction(computed()) == "statements [literal-only]");
  CHECK(transaction(list(computed())) == "statements[0] [literal-only]");
  CHECK(transaction(list(map({{"statement", computed()}}))) == "statements[0].statement [literal-only]");
  CHECK(transaction(list(map({{"statement", text}, {"params", computed()}}))) == "bound");
  CHECK(transaction(Argument(values.as_map().begin()->second)) == "bound");
  const auto execute =
      bind_arguments(*find_action("sql.execute@1"), map({{"statement", computed()}}), json(R"({"statement":"x"})"));
  REQUIRE_FALSE(execute);
  CHECK(execute.error().front().rule == "literal-only");
}

TEST_CASE("types are named for people", "[catalogue]") {
  CHECK(to_string(Types::text) == "text");
  CHECK(to_string(Types::map | Types::list | Types::rows) == "a list or a mapping or rows");
  CHECK(to_string(Types::none).empty());
}
