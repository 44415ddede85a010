#include "shared/base/json.h"
#include "agent/connectors/json/json_actions.h"
#include "agent/connectors/json/ndjson_rows.h"
#include "agent/connectors/line_splitter.h"
#include "tests/support/connector_site.h"

#include <map>

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

struct Json {
  test::ConnectorSite agent{"connections: {}", "actions: [\"json.*\"]\nlimits: {rows: 1000}"};
  std::map<std::string, std::unique_ptr<Action>, std::less<>> actions;

  Json() {
    std::vector<std::unique_ptr<RowFormat>> formats;
    formats.push_back(std::make_unique<json::NdjsonFormat>());
    agent.bodies.add(std::make_unique<RowsOpener>(std::move(formats)));
    for (auto& action : json::make_actions(agent.site())) {
      const std::string name(action->name());
      actions[name] = std::move(action);
    }
  }
  StepResult<Value> run(std::string_view action, ValueMap arguments) {
    return agent.run(*actions.find(action)->second, std::move(arguments));
  }
  std::string parsed(ValueMap arguments) {
    const auto output = run("json.parse@1", std::move(arguments));
    return output ? to_json(*output->find("value")) : output.error().error_class() + ": " + output.error().message;
  }
  std::string rows_of(std::string_view text) {
    const auto output = run("json.read_lines@1", args({{"source", Value(agent.bodies.put(text))}}));
    if (!output) return output.error().error_class() + ": " + output.error().message;
    auto rows = agent.bodies.open_rows(output->find("rows")->as_handle());
    REQUIRE(rows);
    std::string all = to_json(*output->find("columns"));
    for (;;) {
      const auto row = (*rows)->next();
      if (!row) return all + row.error().error_class() + ": " + row.error().message;
      if (!*row) return all;
      all += to_json(**row);
    }
  }
};

}  // namespace

TEST_CASE("a document is parsed from text or a body, integers exact", "[json]") {
  Json json;
  CHECK(json.parsed(args({{"text", R"({"a": [1, 9223372036854775807, 1.5, null]})"}})) ==
        R"({"a":[1,9223372036854775807,1.5,null]})");
  CHECK(json.parsed(args({{"source", Value(json.agent.bodies.put("[true]"))}})) == "[true]");
}

TEST_CASE("a broken document fails with class format, without its content", "[json]") {
  Json json;
  const std::string canary = "c4n4ry";
  for (const auto& text : {"{\"" + canary + "\"", std::string("{\"a\":1,\"a\":2}"), std::string("[1] ") + canary,
                           std::string("\"\xff\""), std::string("{\"$handle\":\"file\"}")}) {
    INFO(text);
    const auto error = json.parsed(args({{"text", text}}));
    CHECK(error.starts_with("format: "));
    CHECK(error.find(canary) == std::string::npos);
  }
  CHECK(json.parsed(args({{"source", Value(json.agent.bodies.put(std::string((4u << 20) + 1, ' ')))}}))
            .starts_with("too_large: "));
  CHECK(json.parsed(args({})).starts_with("invalid: "));
}

TEST_CASE("what would be lost in silence fails with class format, and its line", "[json]") {
  using namespace std::string_view_literals;
  Json json;
  for (std::string_view text : {"{\"total\": 1}\0\0\0\0{\"total\": 2}"sv, "{\"total\": 1}\0"sv}) {
    CHECK(json.parsed(args({{"text", text}})) == "format: not valid JSON: syntax error at byte 13");
    CHECK(json.parsed(args({{"source", Value(json.agent.bodies.put(text))}})).starts_with("format: "));
  }
  CHECK(json.rows_of("{\"n\":1}\n{\"n\":2}\0{\"n\":3}\n{\"n\":4}\0 lost \xff bytes\n{\"n\":5}\n"sv) ==
        R"(["n"]{"n":1}format: line 2: not valid JSON: syntax error at byte 8)");

  const auto too_long = json.parsed(args({{"text", R"({"big": 123456789012345678901})"}}));
  CHECK(too_long.starts_with("format: not valid JSON: number out of range at byte 29: put it in quotes"));
  CHECK(json.rows_of("{\"n\":1}\n{\"n\":18446744073709551616}\n").find("format: line 2: not valid JSON: number") !=
        std::string::npos);
  CHECK(json.parsed(args({{"text", R"(["123456789012345678901", 1e20])"}})) ==
        R"(["123456789012345678901",100000000000000000000])");
}

TEST_CASE("lines are read as rows", "[json]") {
  Json json;
  CHECK(json.rows_of("{\"b\":1,\"a\":\"x\"}\r\n\n{\"c\":[2]}") == R"(["a","b"]{"a":"x","b":1}{"c":[2]})");
  CHECK(json.rows_of("") == "[]");
  CHECK(json.rows_of("{\"a\":1}\n[1]\n") == R"(["a"]{"a":1}format: line 2 is no JSON object)");
  CHECK(json.rows_of("{\"a\":1}\n\n{c4n4ry\n").find("format: line 3: ") != std::string::npos);
  CHECK(json.rows_of("{\"a\":1}\n\n{c4n4ry\n").find("c4n4ry") == std::string::npos);
}

TEST_CASE("values and rows are written", "[json]") {
  Json json;
  const auto value = json.run("json.write@1", args({{"value", Value(args({{"b", 1}, {"a", "ä"}}))}}));
  REQUIRE(value);
  CHECK(json.agent.bodies.content(value->find("file")->as_handle()) == "{\"a\":\"ä\",\"b\":1}\n");
  const auto rows =
      json.run("json.write@1", args({{"rows", Value(ValueList{Value(args({{"a", 1}})), Value(args({{"a", 2}}))})}}));
  REQUIRE(rows);
  CHECK(rows->find("count")->as_int() == 2);
  const auto text = json.agent.bodies.content(rows->find("file")->as_handle());
  CHECK(text == "{\"a\":1}\n{\"a\":2}\n");
  CHECK(json.rows_of(text) == R"(["a"]{"a":1}{"a":2})");

  const Value body(json.agent.bodies.put("x"));
  CHECK(json.run("json.write@1", args({{"value", Value(ValueList{body})}})).error().error_class() == "invalid");
  CHECK(json.run("json.write@1", args({{"rows", Value(ValueList{Value(1)})}})).error().error_class() == "invalid");
  CHECK(json.run("json.write@1", args({{"rows", Value(ValueList(1001, Value(args({{"a", 1}}))))}}))
            .error()
            .error_class() == "too_large");
}

TEST_CASE("a stop, a deadline and a full spool end the writing", "[json]") {
  Json json;
  const auto write = [&] {
    return json.run("json.write@1", args({{"rows", Value(ValueList{Value(args({{"a", 1}}))})}})).error().error_class();
  };
  json.agent.bodies.fail_writes_after = 3;
  CHECK(write() == "disk_full");
  json.agent.patience = std::chrono::milliseconds(0);
  CHECK(write() == "timeout");
  json.agent.stop.request_stop();
  CHECK(write() == "cancelled");
}

TEST_CASE("lines survive being cut at every byte, and are bounded", "[json]") {
  const std::string text = "one\r\n\ntwo\nthree";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    LineSplitter lines(10);
    std::string all;
    const auto drain = [&] {
      for (auto line = lines.next(); line && *line; line = lines.next()) all += **line + "|";
    };
    lines.feed(as_bytes(std::string_view(text).substr(0, cut)));
    drain();
    lines.feed(as_bytes(std::string_view(text).substr(cut)));
    drain();
    lines.finish();
    drain();
    CHECK(all == "one||two|three|");
    CHECK(lines.line() == 4);
  }
  LineSplitter lines(4);
  lines.feed(as_bytes("12345"));
  CHECK(lines.next().error().error_class() == "too_large");
}
