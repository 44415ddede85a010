#include "expr_support.h"

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;

TEST_CASE("all and exists absorb errors that do not matter", "[expr]") {
  check_all({
      {"[1, 2, 3].all(x, x > 0)", "true"},
      {"[1, 2, 3].all(x, x > 1)", "false"},
      {"[].all(x, x > 0)", "true"},
      {"[1, 2, 3].all(x, 6 / (2 - x) == 6)", "false"},
      {"[1, 2, 3].all(x, 1 / (x - 2) < 5)", "error: divide by zero"},
      {"[1, 'a', 3].all(x, x % 2 == 1)", "error: no such overload"},
      {"[1, 'a', 3].all(x, x == 1)", "false"},
      {"[1, 2, 3].exists(x, x == 2)", "true"},
      {"[1, 2, 3].exists(x, x > 3)", "false"},
      {"[].exists(x, x == 1)", "false"},
      {"[0, 1].exists(x, 1 / x == 1)", "true"},
      {"[0, 2].exists(x, 1 / x == 1)", "error: divide by zero"},
      {"[1, 'foo'].exists(x, x == 'foo')", "true"},
      {"{'a': 1, 'b': 2}.exists(k, k == 'b')", "true"},
      {"{'a': 1, 'b': 2}.all(k, k == 'b')", "false"},
      {"[dyn(1)].exists(x, x)", "error: no such overload"},
      {"[1].exists(x, x)", "error: must be bool"},
  });
}

TEST_CASE("exists_one, map and filter let no error pass", "[expr]") {
  check_all({
      {"[1, 2, 3].exists_one(x, x == 2)", "true"},
      {"[1, 2, 2].exists_one(x, x == 2)", "false"},
      {"[].existsOne(x, x == 2)", "false"},
      {"[3, 2, 1, 0].exists_one(n, 12 / n > 1)", "error: divide by zero"},
      {"{6: 'six', 7: 'seven'}.exists_one(k, k % 5 == 2)", "true"},
      {"[1, 2, 3].map(n, n * n)", "[1, 4, 9]"},
      {"[1, 2, 3].map(n, n > 1, n * n)", "[4, 9]"},
      {"{'a': 1, 'b': 2}.map(k, k + '!')", "['a!', 'b!']"},
      {"[2, 1, 0].map(n, 4 / n)", "error: divide by zero"},
      {"[1, 2, 3].filter(n, n % 2 == 1)", "[1, 3]"},
      {"{1: 'a', 2: 'b'}.filter(k, k > 1)", "[2]"},
      {"[3, 2, 1, 0].filter(n, 12 / n > 4)", "error: divide by zero"},
      {"[[1, 2], [3]].map(l, l.map(n, n + size(l)))", "[[3, 4], [4]]"},
      {"[1].map(x, [2].map(x, x))", "[[2]]"},
      {"['a'].filter(s, ['b'].all(a, true))", "['a']"},
      {"(1).map(x, x)", "error: works over a list or map"},
      {"dyn(1).map(x, x)", "error: no such overload"},
      {"'abc'.map(c, c)", "error: works over a list or map"},
  });
}

TEST_CASE("macros over two variables see index or key and element", "[expr]") {
  check_all({
      {"[1, 2, 3].all(i, v, i < v)", "true"},
      {"[1, 2, 3].exists(i, v, i == 1 && v == 2)", "true"},
      {"[5, 7, 8].existsOne(i, v, v % 5 == i)", "true"},
      {"{'a': 1, 'b': 2}.exists(k, v, k == 'b' && v == 2)", "true"},
      {"[2, 4, 6].transformList(i, v, v / 2 + i)", "[1, 3, 5]"},
      {"[2, 4, 6].transformList(i, v, i != 1, v / 2 + i)", "[1, 5]"},
      {"[2, 1, 0].transformList(i, v, v / i)", "error: divide by zero"},
      {"{'foo': 'bar'}.transformMap(k, v, k + v)", "{'foo': 'foobar'}"},
      {"{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10)", "{'b': 20}"},
      {"['x', 'y'].transformMap(i, v, v + v)", "{0: 'xx', 1: 'yy'}"},
      {"{'a': 'x', 'b': 'y'}.transformMapEntry(k, v, {v: k})", "{'x': 'a', 'y': 'b'}"},
      {"['x', 'x'].transformMapEntry(i, v, {v: i})", "error: repeated key"},
      {"[1].transformMapEntry(i, v, v)", "error: no matching overload"},
      {"[1].all(v, v, true)", "error: different names"},
      {"cel.bind(x, 20, x + x + 2)", "42"},
      {"cel.bind(a, 1, cel.bind(b, a + 1, [b].map(c, a + b + c)))", "[5]"},
  });
}

TEST_CASE("a macro asks for names and fields where it needs them", "[expr]") {
  check_all({
      {"[1].map(1, 2)", "error: must be a simple name"},
      {"[1].map(a.b, 2)", "error: must be a simple name"},
      {"[1].map(.a, 2)", "error: must be a simple name"},
      {"has(1)", "error: invalid argument to has()"},
      {"has({'a': 1}['a'])", "error: invalid argument to has()"},
      {"cel.bind(1, 2, 3)", "error: must be a simple name"},
  });
}

TEST_CASE("a macro with the wrong number of arguments says how it is called", "[expr]") {
  check_all({
      {"[1].map(x)", "error: map() takes 2 or 3 arguments: x.map(name, value) or x.map(name, condition, value)"},
      {"[1].all(x)", "error: all() takes 2 or 3 arguments: x.all(name, condition)"},
      {"[1].exists(x, y, z, true)", "error: exists() takes 2 or 3 arguments"},
      {"[1].existsOne()", "error: existsOne() takes 2 or 3 arguments"},
      {"[1].exists_one(x)", "error: exists_one() takes 2 or 3 arguments"},
      {"[1].filter(x)", "error: filter() takes 2 arguments: x.filter(name, condition)"},
      {"[1].transformList(i, v)", "error: transformList() takes 3 or 4 arguments: x.transformList(key, name, value)"},
      {"[1].transformMap(i, v)", "error: transformMap() takes 3 or 4 arguments"},
      {"[1].transformMapEntry(i)", "error: transformMapEntry() takes 3 or 4 arguments"},
      {"has()", "error: has() takes 1 argument: has(a.b)"},
      {"has(a.b, 1)", "error: has() takes 1 argument"},
      {"cel.bind(a, 1)", "error: cel.bind() takes 3 arguments: cel.bind(name, value, expression)"},
      {"all(x, true)", "error: all() is called as x.all(name, condition)"},
      {"[1].has()", "error: has() is called as has(a.b)"},
      {"bind(a, 1, a)", "error: undeclared reference to function 'bind'"},
      {"[1].exits(x, true)", "error: undeclared reference to function 'exits' (did you mean 'exists'?)"},
  });
  check_all_unchecked({
      {"true || [1].all(x)", "true"},
      {"[1].all(x)", "error: all() takes 2 or 3 arguments"},
  });
}

TEST_CASE("a bound name is an error only where it is used", "[expr]") {
  check_all({
      {"cel.bind(a, 1 / 0, true)", "true"},
      {"cel.bind(a, 1 / 0, a > 0 || true)", "true"},
      {"cel.bind(a, 1 / 0, true || a > 0)", "true"},
      {"cel.bind(a, 1 / 0, a > 0 || false)", "error: divide by zero"},
      {"cel.bind(a, 1 / 0, [a, 1])", "error: divide by zero"},
      {"cel.bind(a, {}.b, has(a.c) || true)", "true"},
      {"cel.bind(a, 1 / 0, cel.bind(b, a, true))", "true"},
      {"[0, 1].map(x, cel.bind(a, 2 / x, x == 0 ? 9 : a))", "[9, 2]"},
      {"[0, 1].exists(x, cel.bind(a, 2 / x, a == 2))", "true"},
  });
  const auto costly = [](std::string body) { return "cel.bind(a, list.map(x, list), " + std::move(body) + ")"; };
  const auto list = Activation().bind("list", Value(ValueList(2'000'000, Value(1))));
  CHECK_THAT(result(costly("true"), list, {"list"}), Catch::Contains("cost limit exceeded"));
  CHECK_THAT(result(costly("true || a == []"), list, {"list"}), Catch::Contains("cost limit exceeded"));
}

TEST_CASE("what an ordering or an unknown time zone costs is paid", "[expr]") {
  const auto bindings = Activation()
                            .bind("b", Value(Bytes(100'000, std::byte{1})))
                            .bind("list", Value(ValueList(20'000, Value(1))))
                            .bind("t", Value(Timestamp{0, 0}));
  for (auto source : {"list.all(x, b <= b)", "list.all(x, !(b < b))", "list.all(x, b >= b)", "list.all(x, !(b > b))",
                      "list.map(x, x).exists(x, t.getHours('Foo/Bar') == 1)",
                      "list.exists(x, t.getMilliseconds('Foo/Bar' + string(x)) == 1)"}) {
    INFO(source);
    CHECK_THAT(result(source, bindings, {"b", "list", "t"}), Catch::Contains("cost limit exceeded"));
  }
  CHECK(result("list.all(x, t.getHours('Europe/Berlin') == 1)", bindings, {"list", "t"}) == "true");
  CHECK_THAT(result("t.getHours('Foo/Bar')", bindings, {"t"}), Catch::Contains("unknown time zone"));
}

TEST_CASE("work is limited however the macros are nested", "[expr]") {
  const std::string ten = "[0,1,2,3,4,5,6,7,8,9]";
  std::string nested = "true";
  for (char variable = 'a'; variable < 'j'; ++variable) nested = ten + ".all(" + variable + ", " + nested + ")";
  CHECK_THAT(result(nested), Catch::Contains("cost limit exceeded"));
  CHECK_THAT(result("true || " + nested), Catch::Equals("true"));
  CHECK_THAT(result(nested + " || true"), Catch::Contains("cost limit exceeded"));

  std::string doubling = "['foo', 'bar']";
  for (int i = 0; i < 40; ++i) doubling += ".map(x, [x + x, x + x])";
  CHECK_THAT(result(doubling), Catch::Contains("error"));

  std::string shared = "[1, 2]";
  for (int i = 0; i < 60; ++i) shared = "cel.bind(x, " + shared + ", [x, x])";
  CHECK_THAT(result(shared), Catch::Contains("the result is larger than"));
  CHECK_THAT(result("cel.bind(y, " + shared + ", y == y)"), Catch::Contains("cost limit exceeded"));
  CHECK_THAT(result("size(" + shared + ")"), Catch::Equals("2"));

  std::string text = "'0123456789'";
  for (int i = 0; i < 60; ++i) text = "cel.bind(x, " + text + ", x + x)";
  CHECK_THAT(result(text), Catch::Contains("cost limit exceeded"));
}

TEST_CASE("searching in texts is paid by the product of their sizes", "[expr]") {
  const auto bindings =
      Activation().bind("s", Value(std::string(60'000, 'a'))).bind("list", Value(ValueList(2000, Value(1))));
  for (auto source :
       {"list.all(x, !s.contains(s.substring(30000) + 'b'))", "list.all(x, s.indexOf(s.substring(30000) + 'b') < 0)",
        "list.all(x, s.replace(s.substring(30000) + 'b', '') == s)",
        "list.all(x, size(s.split(s.substring(30000) + 'b')) == 1)", "list.all(x, !s.matches('(a|a){50}(a?){50}b'))",
        "list.transformList(i, x, 'b'.matches('(a{30}){30}' + string(i)))", "list.map(x, s + s)",
        "list.map(x, s.replace('a', 'bbbbbbbbbb'))", "list.map(x, '%s'.format([list]))"}) {
    INFO(source);
    CHECK_THAT(result(source, bindings, {"s", "list"}), Catch::Contains("cost limit exceeded"));
  }
}

TEST_CASE("limits are the caller's to choose", "[expr]") {
  const auto program = compile("[1, 2, 3].map(x, x * 2)", Environment());
  REQUIRE(program);
  CHECK(evaluate(*program, {}, {.max_cost = 100}));
  const auto poor = evaluate(*program, {}, {.max_cost = 10});
  REQUIRE_FALSE(poor);
  CHECK_THAT(poor.error().message, Catch::Contains("cost limit exceeded"));
  const auto small = evaluate(*program, {}, {.max_output_bytes = 16});
  REQUIRE_FALSE(small);
  CHECK_THAT(small.error().message, Catch::Contains("larger than 16 bytes"));
}
