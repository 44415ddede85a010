#include "expr_support.h"

#include "shared/base/json.h"
#include "shared/expr/request.h"

#include <limits>

using namespace sallyport;
using namespace sallyport::expr;

namespace {

std::string answer(std::string_view request) {
  const auto parsed = parse_json(request);
  REQUIRE(parsed);
  return to_json(evaluate_request(*parsed));
}

}  // namespace

TEST_CASE("a request is answered in typed JSON", "[expr][request]") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"~({"expr": "1 + 1"})~", R"~({"type":"int","value":2})~"},
      {R"~({"expr": "9223372036854775807"})~", R"~({"type":"int","value":9223372036854775807})~"},
      {R"~({"expr": "18446744073709551615u"})~", R"~({"type":"uint","value":18446744073709551615})~"},
      {R"~({"expr": "1.5"})~", R"~({"type":"double","value":1.5})~"},
      {R"~({"expr": "-0.0"})~", R"~({"negative_zero":true,"type":"double","value":0})~"},
      {R"~({"expr": "0.0 / 0.0"})~", R"~({"type":"double","value":"NaN"})~"},
      {R"~({"expr": "-1.0 / 0.0"})~", R"~({"type":"double","value":"-Infinity"})~"},
      {R"~({"expr": "null"})~", R"~({"type":"null","value":null})~"},
      {R"~({"expr": "'\u00e9'"})~", "{\"type\":\"string\",\"value\":\"\u00e9\"}"},
      {R"~({"expr": "b'\\xff'"})~", R"~({"type":"bytes","value":"/w=="})~"},
      {R"~({"expr": "[1, 'a']"})~",
       R"~({"type":"list","value":[{"type":"int","value":1},{"type":"string","value":"a"}]})~"},
      {R"~({"expr": "{true: 1u}"})~",
       R"~({"type":"map","value":[{"key":{"type":"bool","value":true},"value":{"type":"uint","value":1}}]})~"},
      {R"~({"expr": "timestamp(0)"})~", R"~({"type":"timestamp","value":"1970-01-01T00:00:00Z"})~"},
      {R"~({"expr": "duration('3500ms')"})~", R"~({"type":"duration","value":"3.5s"})~"},
      {R"~({"expr": "int"})~", R"~({"type":"type","value":"int"})~"},
  };
  for (const auto& [request, expected] : cases) {
    INFO(request);
    CHECK(answer(request) == expected);
  }
}

TEST_CASE("a request brings its bindings", "[expr][request]") {
  CHECK(answer(R"~({"expr": "a.b + 1", "with": {"a": {"b": 2}}})~") == R"~({"type":"int","value":3})~");
  CHECK(answer(R"~({"expr": "a + b", "bindings": {"a": 1}, "with": {"b": 2}})~") == R"~({"type":"int","value":3})~");
  CHECK(answer(R"~({"expr": "a.b", "with": {"a.b": true}})~") == R"~({"type":"bool","value":true})~");
  CHECK(answer(R"~({"expr": "x + 1u", "typed_bindings": {"x": {"type": "uint", "value": 2}}})~") ==
        R"~({"type":"uint","value":3})~");
  CHECK(answer(R"~({"expr": "y", "container": "x", "with": {"x.y": 1, "y": 2}})~") == R"~({"type":"int","value":1})~");
  CHECK(answer(R"~({"expr": "x", "types": {"x": "int"}, "with": null})~") ==
        R"~({"error":{"column":1,"line":1,"message":"no such attribute: unbound variable 'x'"}})~");
}

TEST_CASE("check decides whether types are checked", "[expr][request]") {
  CHECK(answer(R"~({"expr": "1.0 == 1", "check": false})~") == R"~({"type":"bool","value":true})~");
  CHECK_THAT(answer(R"~({"expr": "1.0 == 1", "check": true})~"),
             Catch::StartsWith(R"~({"error":)~") && Catch::Contains("no matching overload"));
  CHECK_THAT(answer(R"~({"expr": "1.0 == 1"})~"), Catch::StartsWith(R"~({"type":"bool","value":true,"warning":)~") &&
                                                      Catch::Contains("no matching overload"));
  CHECK(answer(R"~({"expr": "1 +\n 'a'"})~") ==
        R"~({"error":{"column":3,"line":1,"message":"found no matching overload for '+' applied to (int, string)"}})~");
  CHECK_THAT(answer(R"~({"expr": "x + 'a'", "with": {"x": 1}, "types": {"x": "int"}, "check": true})~"),
             Catch::Contains("no matching overload"));
}

TEST_CASE("a request that makes no sense is refused", "[expr][request]") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"~([])~", "a request is an object"},
      {R"~({})~", "'expr' is missing"},
      {R"~({"expr": 1})~", "'expr' is missing or not a string"},
      {R"~({"expr": "1", "wiht": {}})~", "unknown member 'wiht'"},
      {R"~({"expr": "1", "with": []})~", "'with' must be an object"},
      {R"~({"expr": "1", "types": {"x": "integer"}})~", "the type of 'x'"},
      {R"~({"expr": "1", "types": {"x": 1}})~", "the type of 'x'"},
      {R"~({"expr": "1", "container": 1})~", "'container' must be a string"},
      {R"~({"expr": "1", "check": "yes"})~", "'check' must be true or false"},
      {R"~({"expr": "1", "typed_bindings": {"x": 1}})~", "typed JSON"},
  };
  for (const auto& [request, fragment] : cases) {
    INFO(request);
    CHECK_THAT(answer(request), Catch::StartsWith(R"~({"error":)~") && Catch::Contains(std::string(fragment)));
  }
}

TEST_CASE("a container is bounded", "[expr][request]") {
  const auto with = [](const std::string& container) {
    return answer(R"({"expr": "1", "container": ")" + container + "\"}");
  };
  std::string parts = "a";
  for (int i = 1; i < 32; ++i) parts += ".a";
  const auto bounds = Catch::Contains("'container' may have 256 bytes and 32 parts");
  CHECK(with(parts) == R"({"type":"int","value":1})");
  CHECK_THAT(with(parts + ".a"), bounds);
  CHECK(with(std::string(256, 'a')) == R"({"type":"int","value":1})");
  CHECK_THAT(with(std::string(257, 'a')), bounds);
}

TEST_CASE("typed JSON brings every value back", "[expr][request]") {
  const std::vector<Value> values = {
      Value(),
      Value(true),
      Value(std::numeric_limits<std::int64_t>::min()),
      Value(std::numeric_limits<std::uint64_t>::max()),
      Value(std::uint64_t{1}),
      Value(1.0),
      Value(-0.0),
      Value(std::numeric_limits<double>::infinity()),
      Value("\u00e9\n"),
      Value(Bytes{std::byte{0}, std::byte{255}}),
      Value(ValueList{Value(1), Value("a"), Value(ValueList{})}),
      Value(ValueMap{{Value(1), Value("one")}, {Value("k"), Value()}, {Value(false), Value(2.0)}}),
      Value(Timestamp{-1, 500'000'000}),
      Value(Duration{-1, -500'000'000}),
      Value(TypeName{"int"}),
  };
  for (const auto& value : values) {
    const auto text = to_json(to_typed_json(value));
    INFO(text);
    const auto parsed = parse_json(text);
    REQUIRE(parsed);
    const auto back = from_typed_json(*parsed);
    REQUIRE(back);
    CHECK(*back == value);
    CHECK(to_json(to_typed_json(*back)) == text);
  }
}

TEST_CASE("wrong typed JSON is refused", "[expr][request]") {
  for (
      auto text :
      {R"~(1)~",
       R"~({})~",
       R"~({"type": 1, "value": 1})~",
       R"~({"type": "int"})~",
       R"~({"type": "int", "value": 1.5})~",
       R"~({"type": "int", "value": 9223372036854775808})~",
       R"~({"type": "uint", "value": -1})~",
       R"~({"type": "double", "value": "x"})~",
       R"~({"type": "bool", "value": 1})~",
       R"~({"type": "string", "value": 1})~",
       R"~({"type": "bytes", "value": "!"})~",
       R"~({"type": "list", "value": {}})~",
       R"~({"type": "list", "value": [1]})~",
       R"~({"type": "map", "value": {}})~",
       R"~({"type": "map", "value": [{"key": {"type": "null", "value": null}}]})~",
       R"~({"type": "map", "value": [{"key": {"type": "double", "value": 1}, "value": {"type": "null"}}]})~",
       R"~({"type": "map", "value": [{"key": {"type": "int", "value": 1}, "value": {"type": "null"}}, {"key": {"type": "uint", "value": 1}, "value": {"type": "null"}}]})~",
       R"~({"type": "timestamp", "value": "now"})~",
       R"~({"type": "duration", "value": "long"})~",
       R"~({"type": "enum", "value": 1})~"}) {
    INFO(text);
    const auto parsed = parse_json(text);
    REQUIRE(parsed);
    const auto value = from_typed_json(*parsed);
    REQUIRE_FALSE(value);
    CHECK_THAT(value.error().message, Catch::Contains("typed JSON") || Catch::Contains("base64"));
  }
}

TEST_CASE("a request's id comes back with every answer", "[expr][request]") {
  CHECK(answer(R"~({"id": 7, "expr": "1"})~") == R"~({"id":7,"type":"int","value":1})~");
  CHECK(answer(R"~({"id": {"a": [1]}, "expr": "null"})~") == R"~({"id":{"a":[1]},"type":"null","value":null})~");
  CHECK(answer(R"~({"id": "x", "expr": "y"})~").ends_with(R"~(,"id":"x"})~"));
  CHECK(answer(R"~({"id": "x"})~").ends_with(R"~(,"id":"x"})~"));
  CHECK(answer(R"~({"id": null, "expr": "1"})~") == R"~({"id":null,"type":"int","value":1})~");
}

TEST_CASE("null stands for a member that is absent", "[expr][request]") {
  CHECK(answer(R"~({"expr": "1 == 1.0", "check": null, "container": null, "with": null, "types": null,
                    "bindings": null, "typed_bindings": null})~")
            .starts_with(R"~({"type":"bool","value":true,"warning":)~"));
}

TEST_CASE("an error of the request has no place in the expression", "[expr][request]") {
  for (auto request : {R"~({"expr": "x", "with": [1]})~", R"~({"expr": 1})~", R"~({"expr": "1", "chek": true})~", "[]",
                       R"~({"expr": "1", "check": 1})~", R"~({"expr": "1", "types": {"x": "integer"}})~"}) {
    INFO(request);
    CHECK_THAT(answer(request), Catch::Contains(R"~({"error":{"column":0,"line":0,)~"));
  }
}

TEST_CASE("defaults stand behind what a request binds", "[expr][request]") {
  const auto defaults = parse_json(R"~({"x": 1, "y": 10})~");
  REQUIRE(defaults);
  const auto with_defaults = [&](std::string_view request) {
    return to_json(evaluate_request(*parse_json(request), defaults->as_map()));
  };
  CHECK(with_defaults(R"~({"expr": "x + y"})~") == R"~({"type":"int","value":11})~");
  CHECK(with_defaults(R"~({"expr": "x + y", "with": {"x": 2}})~") == R"~({"type":"int","value":12})~");
  CHECK(with_defaults(R"~({"expr": "x + y", "bindings": {"x": 3}})~") == R"~({"type":"int","value":13})~");
  CHECK(with_defaults(R"~({"expr": "x", "typed_bindings": {"x": {"type": "uint", "value": 4}}})~") ==
        R"~({"type":"uint","value":4})~");
}
