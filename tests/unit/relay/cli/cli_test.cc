#include "relay/cli/arguments.h"
#include "relay/cli/client.h"
#include "relay/cli/commands.h"
#include "relay/cli/output.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/relay/cli/cli_run.h"

#include "shared/base/json.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

const Command kSample{"things",       "make", {"NAME", "[SIZE]"}, {{"group", "NAME", ""}, {"force", "", ""}},
                      "make a thing", nullptr};

std::string message_of(const std::vector<std::string>& words) {
  const auto parsed = parse_arguments(kSample, words);
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("words become arguments, or an error that names the word", "[cli]") {
  const std::vector<std::string> good{"box", "--group=dc1", "--force", "-o", "json", "3"};
  const auto parsed = parse_arguments(kSample, good);
  REQUIRE(parsed);
  CHECK(parsed->positional(0) == "box");
  CHECK(parsed->positional(1) == "3");
  CHECK(parsed->get("group") == "dc1");
  CHECK(parsed->has("force"));
  CHECK(parsed->get("output") == "json");
  CHECK(message_of({}) == "NAME is missing");
  CHECK(message_of({"a", "--gruop", "x"}) == "unknown option --gruop (did you mean --group?)");
  CHECK(message_of({"a", "--group"}) == "--group needs NAME");
  CHECK(message_of({"a", "--force=yes"}) == "--force takes no value");
  CHECK(message_of({"a", "b", "c"}) == "unexpected word 'c'");
  CHECK(message_of({"--", "--force"}).empty());
}

TEST_CASE("a table shows data and lets none of it steer the terminal", "[cli]") {
  const auto rows = *parse_json(R"([{"id":"a","n":1,"in":{"x":"deep"}},{"id":"\u001b[31mred","n":null}])");
  CHECK(table_of(rows.as_list(), {{"ID", "id"}, {"N", "n"}, {"X", "in.x"}}) ==
        "ID           N  X\na            1  deep\n\\x1b[31mred  -  -\n");
}

TEST_CASE("YAML output reads back as what it was", "[cli]") {
  const auto value = *parse_json(R"({"a":"no","b":["x",{"c":1}],"d":{},"e":"plain","f":"0123"})");
  CHECK(yaml_of(value) == "a: \"no\"\nb:\n  - x\n  -\n    c: 1\nd: {}\ne: plain\nf: \"0123\"\n");
}

TEST_CASE("server-sent events survive being cut at every byte", "[cli]") {
  const std::string wire = ": hello\r\nid: 4\nevent: step\ndata: {\"a\":1}\ndata: two\n\nid: 5\ndata:x\n\n";
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    INFO("cut after byte " << cut);
    EventReader reader;
    std::vector<ServerEvent> got;
    const auto take = [&](const ServerEvent& event) {
      got.push_back(event);
      return Flow::go_on;
    };
    REQUIRE(reader.feed(wire.substr(0, cut), take));
    REQUIRE(reader.feed(wire.substr(cut), take));
    REQUIRE(got.size() == 2);
    CHECK((got[0].id == "4" && got[0].name == "step" && got[0].data == "{\"a\":1}\ntwo"));
    CHECK((got[1].id == "5" && got[1].name.empty() && got[1].data == "x"));
  }
}

TEST_CASE("an event without end is refused", "[cli]") {
  EventReader reader;
  const auto take = [](const ServerEvent&) { return Flow::go_on; };
  Result<void> fed;
  for (int i = 0; i < 100 && fed; ++i) fed = reader.feed(std::string(64 << 10, 'x'), take);
  REQUIRE_FALSE(fed);
  CHECK(fed.error().code == Errc::too_large);
}

TEST_CASE("every command has a help text, and no two the same name", "[cli]") {
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const auto& command : all_commands()) {
    INFO(command.noun << " " << command.verb);
    CHECK(names.emplace(command.noun, command.verb).second);
    CHECK_FALSE(command.help.empty());
    CHECK(command.run);
  }
}

TEST_CASE("an expression is evaluated offline, and an error points at its column", "[cli][expr]") {
  const auto sum = run_cli({"expression", "eval", "9223372036854775807 - 1", "-o", "json"});
  CHECK(sum.code == kDone);
  CHECK(sum.out == "{\"type\":\"int\",\"value\":9223372036854775806}\n");
  const auto wrong = run_cli({"expression", "eval", "1 + nowhere"});
  CHECK(wrong.code == kFailed);
  CHECK(wrong.err.find("1:5:") != std::string::npos);
}

TEST_CASE("for people, a list or map looks as an expression would write it", "[cli][expr]") {
  struct Row {
    const char* expression;
    const char* shown;
  };
  const auto row = GENERATE(Row{"[1, 2].map(x, x * x)", "list  [1, 4]"}, Row{"[]", "list  []"}, Row{"{}", "map  {}"},
                            Row{"{'a': [1u, 2.0, 1.5, -0.0], 3: null}", R"(map  {3: null, "a": [1u, 2.0, 1.5, -0.0]})"},
                            Row{"[true, 'x\\n', b'abc', type(1)]", R"(list  [true, "x\n", "YWJj", int])"},
                            Row{"[duration('90s'), timestamp('2026-01-31T09:30:00Z')]",
                                R"(list  [duration("90s"), timestamp("2026-01-31T09:30:00Z")])"},
                            Row{"'x'", R"(string  "x")"}, Row{"-0.0", "double  -0.0"});
  const auto ran = run_cli({"expression", "eval", row.expression});
  CHECK(ran.code == kDone);
  CHECK(ran.out == std::string(row.shown) + "\n");
}

TEST_CASE("expressions come one a line and a broken line does not end it", "[cli][expr]") {
  const auto ran = run_cli({"expression", "eval"},
                           {.in = "{\"expr\":\"x * 2\",\"with\":{\"x\":21}}\nnot json\n\n{\"expr\":\"'a' + 'b'\"}",
                            .environment = {},
                            .tune = {}});
  CHECK(ran.code == kFailed);
  CHECK(ran.out.starts_with("{\"type\":\"int\",\"value\":42}\n{\"error\":"));
  CHECK(ran.out.ends_with("{\"type\":\"string\",\"value\":\"ab\"}\n"));
}

TEST_CASE("what would be lost in silence is an error of its line", "[cli][expr]") {
  const std::string lines = std::string("{\"expr\":\"1\"}\0garbage{{{\n", 24) +
                            "{\"expr\":\"string(x)\",\"with\":{\"x\":18446744073709551617}}\n{\"expr\":\"2\"}\n";
  const auto ran = run_cli({"expression", "eval"}, {.in = lines, .environment = {}, .tune = {}});
  CHECK(ran.code == kFailed);
  CHECK(ran.out.find("syntax error at byte 13") != std::string::npos);
  CHECK(ran.out.find("number out of range at byte 52: put it in quotes") != std::string::npos);
  CHECK(ran.out.ends_with("\n{\"type\":\"int\",\"value\":2}\n"));
  const TempDir folder;
  const auto names = folder.write("names.json", std::string("{\"x\":1}\0{\"x\":2}", 15));
  const auto one = run_cli({"expression", "eval", "x", "--with", names});
  CHECK(one.code == kFailed);
  CHECK(one.err.find("names.json: not valid JSON: syntax error at byte 8") != std::string::npos);
}

TEST_CASE("a line that is too long is answered, and those behind it", "[cli][expr]") {
  const auto longest = "{\"expr\":\"1\"}" + std::string((16u << 20) - 12, ' ');
  const auto ran = run_cli({"expression", "eval"},
                           {.in = longest + "\n" + longest + " \n{\"expr\":\"2\"}\n", .environment = {}, .tune = {}});
  CHECK(ran.code == kFailed);
  CHECK(ran.out ==
        "{\"type\":\"int\",\"value\":1}\n"
        "{\"error\":{\"column\":0,\"line\":0,\"message\":\"the line has over 16777216 bytes\"}}\n"
        "{\"type\":\"int\",\"value\":2}\n");
}

TEST_CASE("what was printed can be given back, however deep it is nested", "[cli][expr]") {
  std::string list = "1", map = "1";
  for (int i = 0; i < 240; ++i) list = "[" + list + "]";
  for (int i = 0; i < 240; ++i) map = "{0:" + map + "}";
  for (const auto& source : {list, map}) {
    const auto printed = run_cli({"expression", "eval", source, "-o", "json"});
    REQUIRE(printed.code == kDone);
    const auto value = printed.out.substr(0, printed.out.size() - 1);
    const auto back =
        run_cli({"expression", "eval"},
                {.in = R"({"expr":"x","typed_bindings":{"x":)" + value + "}}", .environment = {}, .tune = {}});
    CHECK(back.out == printed.out);
  }
  const auto deep = std::string(1025, '[') + std::string(1025, ']');
  const auto refused = run_cli({"expression", "eval"}, {.in = deep, .environment = {}, .tune = {}});
  CHECK(refused.out.find("nested deeper than 1024") != std::string::npos);
}

TEST_CASE("the caret stands under what it means", "[cli][expr]") {
  struct Row {
    std::string expression;
    std::string under;
  };
  for (const auto& [expression, under] : {Row{"1 + nope", "    ^"},
                                          {"\t\t1 + nope", "\t\t    ^"},
                                          {"\"\u65e5\u672c\" + nope", "         ^"},
                                          {"'a\u0308' + nope", "      ^"},
                                          {"'\U0001F600' + nope", "       ^"},
                                          {"'\u00e4' + nope", "      ^"}}) {
    const auto ran = run_cli({"expression", "eval", expression});
    INFO(ran.err);
    CHECK(ran.err.ends_with("\n  " + expression + "\n  " + under + "\n"));
  }
}

TEST_CASE("--with gives every line its defaults", "[cli][expr]") {
  const TempDir folder;
  const auto names = folder.write("names.json", R"({"x": 1, "y": 10})");
  const auto lines = "{\"expr\":\"x + y\"}\n{\"id\":2,\"expr\":\"x + y\",\"with\":{\"x\":5}}\n";
  const auto ran = run_cli({"expression", "eval", "--with", names}, {.in = lines, .environment = {}, .tune = {}});
  CHECK(ran.code == kDone);
  CHECK(ran.out == "{\"type\":\"int\",\"value\":11}\n{\"id\":2,\"type\":\"int\",\"value\":15}\n");
  CHECK(run_cli({"expression", "eval", "x", "--with", names}).out == "int  1\n");
}

TEST_CASE("a --with that cannot be read is an error before any line", "[cli][expr]") {
  const TempDir folder;
  const auto list = folder.write("names.json", "[1]");
  const auto in = [] { return Surroundings{.in = "{\"expr\":\"1\"}\n", .environment = {}, .tune = {}}; };
  for (const auto& file : {list, std::string("/nonexistent/names.json"), std::string("-")}) {
    const auto ran = run_cli({"expression", "eval", "--with", file}, in());
    CHECK(ran.code != kDone);
    CHECK(ran.out.empty());
  }
  const auto one = run_cli({"expression", "eval", "x", "--with", list});
  CHECK(one.err.find("must hold one object") != std::string::npos);
  CHECK(one.err.find('^') == std::string::npos);
}

TEST_CASE("an expression's result and its error are one line of JSON", "[cli][expr]") {
  for (auto expression : {"1 + 1", "nowhere", "1 / 0", "'\\u0085\\u2028\\u2029'", "{'\\u2028': 1}"}) {
    const auto ran = run_cli({"expression", "eval", expression, "-o", "json"});
    INFO(ran.out);
    CHECK(std::ranges::count(ran.out, '\n') == 1);
    CHECK(ran.out.find("\u2028") == std::string::npos);
  }
  const auto ran = run_cli({"expression", "eval"},
                           {.in = "{\"expr\":\"'\\\\u0085a\\\\u2028b\\\\u2029'\"}", .environment = {}, .tune = {}});
  CHECK(ran.out == "{\"type\":\"string\",\"value\":\"\\u0085a\\u2028b\\u2029\"}\n");
  CHECK(run_cli({"expression", "eval", "-0.0"}).out == "double  -0.0\n");
  CHECK(run_cli({"expression", "eval", "--help"}).out.find("docs/expressions.md") != std::string::npos);
}

TEST_CASE("a wrong word leads to the right one", "[cli]") {
  const auto ran = run_cli({"expresion", "eval"});
  CHECK(ran.code == kUsage);
  CHECK(ran.err.find("did you mean 'expression eval'") != std::string::npos);
}
