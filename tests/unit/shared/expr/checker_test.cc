#include "expr_support.h"

#include "shared/expr/unify.h"

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;

namespace {

const std::vector<std::pair<std::string, std::string>> kDeclared = {
    {"i", "int"},   {"u", "uint"},       {"d", "double"},        {"s", "string"},
    {"b", "bool"},  {"li", "list(int)"}, {"ls", "list(string)"}, {"m", "map(string, int)"},
    {"x", "dyn"},   {"t", "timestamp"},  {"len", "duration"},    {"h", "handle"},
    {"lx", "list"},
};

// The type of `source`, or "error: ...".
std::string type_of(std::string_view source) {
  Environment environment;
  for (const auto& [name, type] : kDeclared) environment.declare(name, *parse_type(type));
  const auto program = compile(source, environment);
  return program ? program->result_type().text() : "error: " + program.error().message;
}

}  // namespace

TEST_CASE("the checker works out types", "[expr][checker]") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"1", "int"},
      {"1u", "uint"},
      {"0.1", "double"},
      {"'a'", "string"},
      {"b''", "bytes"},
      {"null", "null_type"},
      {"[1]", "list(int)"},
      {"[]", "list(dyn)"},
      {"[1, 'a']", "list(dyn)"},
      {"{'a': 1}", "map(string, int)"},
      {"{'a': 1, 1: 2}", "map(dyn, int)"},
      {"{}", "map(dyn, dyn)"},
      {"['foo'][0]", "string"},
      {"m['a']", "int"},
      {"m.a", "int"},
      {"x.a.b", "dyn"},
      {"h.path", "dyn"},
      {"('a' + s).startsWith('b')", "bool"},
      {"[[], [[]], [[[]]], [[[[]]]]]", "list(list(list(list(list(dyn)))))"},
      {"[[[[[]]]], [], [[[]]]]", "list(list(list(list(list(dyn)))))"},
      {"([] + li + [])[0]", "int"},
      {"([].map(x, x))[0].foo", "dyn"},
      {"[i, x]", "list(dyn)"},
      {"[x, i]", "list(dyn)"},
      {"li.map(n, string(n))", "list(string)"},
      {"li.map(n, n > 1, n)", "list(int)"},
      {"m.map(k, k)", "list(string)"},
      {"m.filter(k, k == 'a')", "list(string)"},
      {"x.filter(k, k == 'a')", "list(dyn)"},
      {"m.transformMap(k, v, string(v))", "map(string, string)"},
      {"ls.transformList(n, e, n)", "list(int)"},
      {"ls.transformMap(n, e, e)", "map(int, string)"},
      {"ls.transformMapEntry(n, e, {e: n})", "map(string, int)"},
      {"li.all(n, n > 0)", "bool"},
      {"b ? i : 2", "int"},
      {"b ? i : x", "dyn"},
      {"b ? [] : li", "list(int)"},
      {"b ? t : null", "google.protobuf.Timestamp"},
      {"t - t", "google.protobuf.Duration"},
      {"t + len", "google.protobuf.Timestamp"},
      {"x + 1", "int"},
      {"x + x", "dyn"},
      {"x < 1", "bool"},
      {"i < 1.5", "bool"},
      {"type(i)", "type"},
      {"dyn(i)", "dyn"},
      {"cel.bind(q, li, q[0])", "int"},
      {"t == null", "bool"},
      {"1 in li", "bool"},
      {"google.protobuf.Duration{}", "google.protobuf.Duration"},
      {"math.greatest(1, 2)", "int"},
      {"math.least(2u)", "uint"},
      {"math.greatest([1.5, 2.5])", "double"},
      {"math.greatest(1, 2u)", "dyn"},
      {"math.greatest(x, 1)", "dyn"},
      {"math.greatest(x)", "dyn"},
      {"math.greatest(li)", "int"},
      {"math.greatest([x, 1])", "dyn"},
      {"math.greatest([])", "dyn"},
  };
  for (const auto& [source, expected] : cases) {
    INFO(source);
    CHECK(type_of(source) == expected);
  }
}

TEST_CASE("the checker refuses what can only fail", "[expr][checker]") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"1 == '1'", "no matching overload for '==' applied to (int, string)"},
      {"1 + 1u", "no matching overload for '+' applied to (int, uint)"},
      {"i == 1.0", "no matching overload"},
      {"li == ls", "no matching overload for '==' applied to (list(int), list(string))"},
      {"'a' in li", "no matching overload"},
      {"1 in m", "no matching overload"},
      {"m[1]", "no matching overload"},
      {"li['a']", "no matching overload"},
      {"s.a", "type 'string' does not support field selection"},
      {"has(i.a)", "does not support field selection"},
      {"b ? 1 : 'a'", "no matching overload for '?:' applied to (bool, int, string)"},
      {"i ? 1 : 2", "the condition of '?:' must be bool, not int"},
      {"b && i", "an operand of '&&' must be bool, not int"},
      {"s || b", "an operand of '||' must be bool, not string"},
      {"!i", "no matching overload for '!' applied to (int)"},
      {"-u", "no matching overload"},
      {"-s", "no matching overload"},
      {"li.map(n, n + 'a')", "no matching overload for '+' applied to (int, string)"},
      {"li.filter(n, n)", "must be bool, not int"},
      {"i.map(n, n)", "works over a list or map, not over int"},
      {"i == null", "no matching overload"},
      {"size(h)", "a handle is a body that is not in memory"},
      {"{[1]: 1}", "unsupported key type 'list(int)'"},
      {"{null: 1}", "unsupported key type 'null_type'"},
      {"['a', 1].join()", ""},
      {"li.join()", "no matching overload"},
      {"math.greatest('a', [1]) > 3", "no matching overload for 'math.greatest' applied to (string, list(int))"},
      {"math.least(1, li)", "no matching overload"},
      {"math.least(ls)", "no matching overload"},
      {"math.greatest([li])", "no matching overload"},
      {"math.greatest(t)", "no matching overload"},
      {"math.greatest(1, null)", "no matching overload"},
      {"math.greatest(1, 2) + 'x'", "no matching overload for '+' applied to (int, string)"},
      {"s.matches('[')", "not an RE2 regular expression: missing ]: ["},
  };
  for (const auto& [source, fragment] : cases) {
    INFO(source);
    if (fragment.empty()) {
      CHECK(type_of(source) == "string");
    } else {
      CHECK_THAT(type_of(source), Catch::StartsWith("error: ") && Catch::Contains(std::string(fragment)));
    }
  }
}

TEST_CASE("types are written and read", "[expr][checker]") {
  for (auto text : {"dyn", "null_type", "bool", "int", "uint", "double", "string", "bytes", "list(int)",
                    "map(string, list(dyn))", "google.protobuf.Timestamp", "google.protobuf.Duration", "handle"}) {
    INFO(text);
    const auto type = parse_type(text);
    REQUIRE(type);
    CHECK(type->text() == text);
    CHECK(*parse_type(type->text()) == *type);
  }
  CHECK(parse_type("list")->text() == "list(dyn)");
  CHECK(parse_type(" map( string ,int ) ")->text() == "map(string, int)");
  CHECK(parse_type("timestamp")->text() == "google.protobuf.Timestamp");
  for (auto text : {"", "lists", "list(", "list()", "list(int", "list(int, int)", "map(int)", "int(int)", "int int",
                    "int,", "(int)"}) {
    INFO(text);
    CHECK_FALSE(parse_type(text));
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "list(";
  CHECK_FALSE(parse_type(deep));
}

TEST_CASE("types that are nested without end become dyn", "[expr][checker]") {
  std::string deep = "1";
  for (int i = 0; i < 100; ++i) deep = "[" + deep + "]";
  CHECK_THAT(type_of(deep), Catch::StartsWith("list(list(") && Catch::Contains("(dyn)"));
  std::string chain = "[1]";
  for (int i = 0; i < 100; ++i) chain = "cel.bind(x, " + chain + ", [x] + [x])";
  CHECK_THAT(type_of(chain), Catch::StartsWith("list(list(") && Catch::Contains("(dyn)"));
}

TEST_CASE("parameters never stand for a type that holds themselves", "[expr][checker]") {
  Substitution substitution;
  const auto a = substitution.fresh();
  CHECK_FALSE(substitution.assign(Type::list(a), a));
  CHECK_FALSE(substitution.assign(a, Type::list(a)));
  CHECK(substitution.assign(a, a));
  CHECK(substitution.assign(Type(Type::Kind::int64), a));
  CHECK(substitution.apply(a).text() == "int");
  CHECK_FALSE(substitution.assign(Type(Type::Kind::string), a));
  CHECK(substitution.assign(Type(), a));
  CHECK(substitution.apply(a).is(Type::Kind::dyn));
}
