#include "expr_support.h"

#include <chrono>

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;

namespace {

Value map_of(std::string_view key, Value value) { return Value(ValueMap{{Value(key), std::move(value)}}); }

// Evaluates checked and unchecked in an environment that declares all of `bindings`; both must agree.
std::string resolved(std::string_view source, std::string_view container,
                     const std::vector<std::pair<std::string, Value>>& bindings) {
  Environment environment;
  environment.set_container(std::string(container));
  Activation activation;
  for (const auto& [name, value] : bindings) {
    environment.declare(name);
    activation.bind(name, value);
  }
  std::vector<std::string> answers;
  for (auto checking : {Checking::strict, Checking::off}) {
    const auto program = compile(source, environment, checking);
    if (!program) return "error: " + program.error().message;
    const auto value = evaluate(*program, activation);
    answers.push_back(value ? shown(*value) : "error: " + value.error().message);
  }
  CHECK(answers[0] == answers[1]);
  return answers[0];
}

std::string problem(std::string_view source, const std::vector<std::string>& names) {
  return result(source, {}, names);
}

std::vector<std::string> references(std::string_view source, const std::vector<std::string>& names) {
  Environment environment;
  for (const auto& name : names) environment.declare(name);
  const auto program = compile(source, environment);
  INFO((program ? std::string() : program.error().message));
  REQUIRE(program);
  std::vector<std::string> found;
  for (const auto& reference : program->references()) {
    CHECK(source.substr(reference.offset).starts_with(reference.path[0].substr(0, 1)));
    found.push_back(reference.text());
  }
  return found;
}

}  // namespace

TEST_CASE("the longest declared name wins over selecting fields", "[expr][names]") {
  const std::vector<std::pair<std::string, Value>> bindings = {{"a.b.c", Value("whole")},
                                                               {"a.b", map_of("c", Value("field"))}};
  CHECK(resolved("a.b.c", "", bindings) == "'whole'");
  CHECK(resolved("(a.b).c", "", bindings) == "'field'");
  CHECK(resolved("a.b.c.size()", "", bindings) == "5");
  CHECK(resolved("a.b.d", "", bindings) == "error: no such key: 'd'");
  CHECK_THAT(resolved("a.x", "", bindings), Catch::Contains("undeclared reference to 'a.x'"));
}

TEST_CASE("a container is searched from the inside out", "[expr][names]") {
  const std::vector<std::pair<std::string, Value>> bindings = {
      {"x.y.v", Value(1)}, {"x.v", Value(2)}, {"v", Value(3)}, {"x.w", Value(4)}};
  CHECK(resolved("v", "x.y", bindings) == "1");
  CHECK(resolved("v", "x", bindings) == "2");
  CHECK(resolved("v", "", bindings) == "3");
  CHECK(resolved(".v", "x.y", bindings) == "3");
  CHECK(resolved("w", "x.y", bindings) == "4");
  CHECK(resolved("x.v", "x.y", bindings) == "2");
  CHECK(resolved("int", "x.y", bindings) == "type(int)");
  CHECK(resolved("Timestamp == google.protobuf.Timestamp", "google.protobuf", bindings) == "true");
  CHECK(resolved("greatest(1, 2)", "math", bindings) == "2");
  CHECK(resolved("Int32Value{value: 7}", "google.protobuf", bindings) == "7");
  CHECK(resolved(".google.protobuf.Int32Value{value: 7}", "a.b", bindings) == "7");
}

TEST_CASE("a macro's variable hides every other name but not the rooted one", "[expr][names]") {
  const std::vector<std::pair<std::string, Value>> bindings = {
      {"com.example.y", Value(42)}, {"y.z", Value(42)}, {"y", Value("outer")}};
  CHECK(resolved("[0].exists(y, y == 0)", "com.example", bindings) == "true");
  CHECK(resolved("[{'z': 0}].exists(y, y.z == 0)", "", bindings) == "true");
  CHECK(resolved("[{'z': 0}].exists(y, .y.z == 42)", "com.example", bindings) == "true");
  CHECK(resolved("[1].exists(y, [0].exists(y, y == 0))", "com.example", bindings) == "true");
  CHECK(resolved("[1].map(y, [2].map(z, y + z))", "", bindings) == "[[3]]");
  CHECK(resolved("[1].map(y, y) == [1] && y == 'outer'", "", bindings) == "true");
  CHECK(resolved("[{'abs': 1}].map(math, math.abs)", "", bindings) == "[1]");
  CHECK_THAT(resolved("[1].map(q, q) == [q]", "", bindings), Catch::Contains("undeclared reference to 'q'"));
}

TEST_CASE("a variable and a function may share a name", "[expr][names]") {
  CHECK(resolved("requests.size() > size", "", {{"requests", Value(ValueList{1, 2, 3})}, {"size", Value(2)}}) ==
        "true");
  CHECK(resolved("math.abs(-1) + math", "", {{"math", Value(1)}}) == "2");
  CHECK(resolved("int", "", {{"int", Value("shadowed")}}) == "'shadowed'");
}

TEST_CASE("undeclared names come with the nearest one", "[expr][names]") {
  CHECK_THAT(problem("trigge.file", {"trigger", "steps"}),
             Catch::Contains("undeclared reference to 'trigge' (did you mean 'trigger'?)"));
  CHECK_THAT(problem("[1].map(item, itm)", {}), Catch::Contains("did you mean 'item'?"));
  CHECK_THAT(problem("'a'.lowerASCII()", {}), Catch::Contains("did you mean 'lowerAscii'?"));
  CHECK_THAT(problem("TRIGGER.file", {"trigger"}), Catch::Contains("did you mean 'trigger'?"));
  CHECK_THAT(problem("x", {""}), Catch::Equals("error: undeclared reference to 'x'"));
  CHECK_THAT(problem("nothing_alike", {"trigger"}), Catch::Equals("error: undeclared reference to 'nothing_alike'"));
  CHECK_THAT(problem("'a'.startWith('b')", {}), Catch::Contains("did you mean 'startsWith'?"));
  CHECK_THAT(problem("math.greatst(1)", {}), Catch::Contains("'math.greatst' (did you mean 'math.greatest'?)"));
  CHECK_THAT(problem("'a'.int()", {}), Catch::Contains("it is called as int(x)"));
  CHECK_THAT(problem("startsWith('a', 'b')", {}), Catch::Contains("it is called as x.startsWith()"));
  CHECK_THAT(problem("size(1, 2)", {}), Catch::Contains("no such overload of 'size' with 2 arguments"));
  CHECK_THAT(problem("'a'.contains()", {}), Catch::Contains("'contains' with 0 arguments"));
}

TEST_CASE("a declared name that is not bound fails only when it is used", "[expr][names]") {
  CHECK_THAT(result("missing + 1", {}, {"missing"}), Catch::Contains("no such attribute: unbound variable 'missing'"));
  CHECK(result("true || missing", {}, {"missing"}) == "true");
  CHECK(result("'foo'", Activation().bind("x", Value(1)), {}) == "'foo'");
}

TEST_CASE("references name what an expression reads", "[expr][names]") {
  const std::vector<std::string> names = {"steps", "trigger", "vars", "job.id"};
  using Paths = std::vector<std::string>;
  CHECK(references("steps.rows.output + trigger.file.path", names) == Paths{"steps.rows.output", "trigger.file.path"});
  CHECK(references("steps['rows'].output[0].x", names) == Paths{"steps.rows.output"});
  CHECK(references("steps.rows.output.map(r, r.id + vars.n)", names) == Paths{"steps.rows.output", "vars.n"});
  CHECK(references("has(steps.rows.error) ? size(steps.rows.output) : 0", names) ==
        Paths{"steps.rows.error", "steps.rows.output"});
  CHECK(references("steps[vars.which].output", names) == Paths{"steps", "vars.which"});
  CHECK(references("trigger.file.path.startsWith(vars.prefix)", names) == Paths{"trigger.file.path", "vars.prefix"});
  CHECK(references("{'a': job.id}.a", names) == Paths{"job.id"});
  CHECK(references("[1, 2].filter(steps, steps > 1)", names) == Paths{});
  CHECK(references("(steps.a ? trigger : vars).x", names) == Paths{"steps.a", "trigger", "vars"});
  CHECK(references("int(1) + math.abs(1)", names) == Paths{});
}

TEST_CASE("handles show their attributes and nothing else", "[expr][handle]") {
  const Value handle(Handle{"file", ValueMap{{Value("path"), Value("in/a.csv")}, {Value("size"), Value(10)}}});
  const auto bindings = Activation().bind("file", handle);
  const auto of = [&](std::string_view source) { return result(source, bindings, {"file"}); };
  CHECK(of("file") == "handle(file)");
  CHECK(of("file.path") == "'in/a.csv'");
  CHECK(of("file['size'] + 1") == "11");
  CHECK(of("has(file.path) && !has(file.sha256)") == "true");
  CHECK(of("type(file) == handle") == "true");
  CHECK(of("file == null") == "false");
  CHECK(of("[file][0].path") == "'in/a.csv'");
  CHECK_THAT(of("file.sha256"), Catch::Contains("no such key: 'sha256'"));
  for (auto source : {"size(file)", "file + 'a'", "file == file", "'a' in file", "file.map(x, x)", "string(file)",
                      "'%s'.format([file])", "file[0]"}) {
    INFO(source);
    CHECK_THAT(of(source), Catch::StartsWith("error: "));
  }
  for (auto source : {"size(file)", "file + 'a'", "file == file", "file.map(x, x)"}) {
    INFO(source);
    CHECK_THAT(of(source),
               Catch::Contains("no such overload") && Catch::Contains("a handle is a body that is not in memory"));
  }
}

TEST_CASE("dyn is the name of a type too", "[expr][names]") {
  check_all({{"dyn == dyn", "true"}, {"dyn == int", "false"}, {"type(dyn) == type", "true"}, {"dyn(1) == 1", "true"}});
}

TEST_CASE("a message shows as much of a name as it needs", "[expr][names]") {
  const std::string longest(60'000, 'a');
  for (const auto& source :
       {longest, longest + "(1)", "'x'." + longest + "()", longest + ".b.c", "a{" + longest + ": 1}"}) {
    const auto strict = result(source), lenient = unchecked(source);
    CHECK(strict.starts_with("error: "));
    CHECK(strict.size() < 200);
    CHECK(lenient.size() < 200);
  }
  CHECK(result(std::string(65, 'a')) == "error: undeclared reference to '" + std::string(64, 'a') + "...'");
  CHECK_THAT(result("stpes", Activation(), {"steps"}), Catch::Contains("did you mean 'steps'?"));
}

TEST_CASE("many unknown names do not each look for the nearest known one", "[expr][names]") {
  std::vector<std::string> known;
  for (int i = 0; i < 2000; ++i) known.push_back("known_name_" + std::to_string(i));
  std::string source = "[";
  for (int i = 0; i < 5000; ++i) source += "knwn_" + std::to_string(i) + ",";
  const auto start = std::chrono::steady_clock::now();
  CHECK_THAT(unchecked(source + "]", Activation(), known), Catch::Contains("undeclared reference to 'knwn_0'"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}
