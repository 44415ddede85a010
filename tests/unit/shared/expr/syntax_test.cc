#include "expr_support.h"

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;

namespace {

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

Problem problem_of(std::string_view source) {
  const auto program = compile(source, Environment());
  REQUIRE_FALSE(program);
  return program.error();
}

}  // namespace

TEST_CASE("string literals in every form", "[expr][syntax]") {
  check_all({
      {"'single'", "'single'"},
      {"\"double\"", "'double'"},
      {"'''it's'''", "'it's'"},
      {"\"\"\"say \"hi\" \"\"\"", "'say \"hi\" '"},
      {"'''two\nlines\r\n'''", "'two\nlines\r\n'"},
      {"'\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\\"\\'\\`'", "'\a\b\f\n\r\t\v\\?\"'`'"},
      {"'\\x41\\X42\\103'", "'ABC'"},
      {"'\\377'", "'\u00ff'"},
      {"'\\u00ff\\U0001F431'", "'\u00ff\U0001F431'"},
      {"r'\\n\\x41'", "'\\n\\x41'"},
      {"R\"a\\\"", "'a\\'"},
      {"r'''a'b\\'''", "'a'b\\'"},
      {"'a\tb\x01'", "'a\tb\x01'"},
      {"b'abc'", "b64(YWJj)"},
      {"b'\u00ff'", "b64(w78=)"},
      {"b'\\303\\277'", "b64(w78=)"},
      {"b'\\u00ff'", "error: bytes have no \\u and \\U"},
      {"b'\\U000000ff'", "error: bytes have no \\u and \\U"},
      {"br'\\u00ff'", "b64(XHUwMGZm)"},
      {"b'\\400'", "error: unknown escape"},
      {"B'\\xff'", "b64(/w==)"},
      {"br'\\xff'", "b64(XHhmZg==)"},
      {"bR'''\\xff'''", "b64(XHhmZg==)"},
      {"''", "''"},
      {"''''''", "''"},
      {"'\\400'", "error: unknown escape"},
      {"'\\q'", "error: unknown escape"},
      {"'\\x4'", "error: too few digits"},
      {"'\\u12'", "error: too few digits"},
      {"'\\01'", "error: too few digits"},
      {"'\\uD83D'", "error: not a Unicode code point"},
      {"'\\uD83D\\uDE00' == '\\U0001F600'", "true"},
      {"'a\\uD83D\\uDE00b'.size()", "3"},
      {"'\\uDBFF\\udfff' == '\\U0010FFFF'", "true"},
      {"'\\uDE00\\uD83D'", "error: not a Unicode code point"},
      {"'\\uD83D\\uD83D'", "error: not a Unicode code point"},
      {"'\\uD83Dx'", "error: not a Unicode code point"},
      {"'\\uD83D\\uDE0'", "error: not a Unicode code point"},
      {"'\\U0000D83D\\uDE00'", "error: not a Unicode code point"},
      {"'\\uD83D\\U0000DE00'", "error: not a Unicode code point"},
      {"1 // one\r+ 2", "3"},
      {"1 // one\r\n+ 2 // two\n+ 3 // three", "6"},
      {"'\\U00110000'", "error: not a Unicode code point"},
      {"'open", "error: unterminated string"},
      {"'open\\'", "error: unterminated string"},
      {"'''open'", "error: unterminated string"},
      {"'two\nlines'", "error: unterminated string"},
  });
}

TEST_CASE("numbers, blanks and comments", "[expr][syntax]") {
  check_all({
      {"[ 1 ,\t2\n,\r3\f]", "[1, 2, 3]"},
      {"1 // one\n+ 2 // two", "3"},
      {"// only a comment\n7", "7"},
      {"1//x\r2", "error: unexpected '2'"},
      {"1e-2", "0.01"},
      {"1u", "1u"},
      {"1a", "error: a number runs into a name"},
      {"1ua", "error: a number runs into a name"},
      {"0xg", "error: a number runs into a name"},
      {"9223372036854775808", "error: int literal out of range"},
      {"-9223372036854775809", "error: int literal out of range"},
      {"18446744073709551616u", "error: uint literal out of range"},
      {"1.", "error: syntax error"},
      {"", "error: the expression ends where a value should be"},
      {"   ", "error: the expression ends"},
      {"1 +", "error: the expression ends"},
      {"1 2", "error: unexpected '2'"},
      {"(1", "error: ')'"},
      {"[1", "error: ']'"},
      {"[,]", "error: syntax error"},
      {"{1}", "error: ':'"},
      {"{'a': 1", "error: '}'"},
      {"size(1,)", "error: syntax error"},
      {"a = 1", "error: equality is '=='"},
      {"a & b", "error: single '&'"},
      {"a # b", "error: unexpected character"},
      {"a.?b", "error: optional selection is not supported"},
      {"[1][?0]", "error: optional indexing is not supported"},
      {"[?1]", "error: optional elements are not supported"},
      {"{?1: 2}", "error: optional entries are not supported"},
      {"for", "error: reserved word"},
      {"package.x", "error: reserved word"},
      {"in", "error: unexpected 'in'"},
      {"{'a': 1}.in", "error: unexpected 'in'"},
      {"`a`", "error: only allowed behind a dot"},
      {"{}.`a b`", "error: no such key"},
      {"{}.`a", "error: quoted name"},
      {"true.a", "error: does not support field selection"},
      {"'\xff'", "error: not valid UTF-8"},
  });
}

TEST_CASE("the depth that the specification demands is there", "[expr][syntax]") {
  CHECK(result(repeated("(", 32) + "7" + repeated(")", 32)) == "7");
  CHECK(result(repeated("true ? true : ", 32) + "false") == "true");
  CHECK(result(repeated("false || ", 100) + "true") == "true");
  CHECK(result(repeated("true && ", 1000) + "false") == "false");
  CHECK(result("3" + repeated(" - 3 + 3", 32)) == "3");
  CHECK(result(repeated("!", 32) + "true") == "true");
  CHECK(result(repeated("-", 32) + "19") == "19");
  CHECK(result(repeated("[", 32) + "'foo'" + repeated("]", 32) + repeated("[0]", 32)) == "'foo'");
  CHECK(result("[" + repeated("1, ", 200) + "2][200]") == "2");
  CHECK(result("{" + repeated("'a': ", 1) + repeated("{'a': ", 40) + "1" + repeated("}", 40) + "}" +
               repeated(".a", 41)) == "1");
  CHECK(result(repeated("int(uint(", 12) + "7" + repeated("))", 12)) == "7");
}

TEST_CASE("deeper than the limit is refused, however it is written", "[expr][syntax]") {
  for (const auto& source : {
           repeated("(", 300) + "7" + repeated(")", 300),
           repeated("(", 30000),
           repeated("[", 30000),
           repeated("{1:", 20000),
           repeated("true ? true : ", 300) + "false",
           repeated("1 + ", 1000) + "1",
           repeated("!", 60000) + "true",
           repeated("-", 60000) + "1",
           "a" + repeated(".a", 30000),
           "[1]" + repeated("[0]", 20000),
           repeated("size(", 10000),
           "[1]" + repeated(".map(x, x)", 6000),
           repeated("[1].all(x, ", 5000),
           repeated("a.b(", 10000),
           repeated("(1 + ", 10000),
           repeated("a ? ", 10000),
           repeated("a{b:", 10000),
       }) {
    INFO(source.substr(0, 20) << " of " << source.size());
    const auto problem = problem_of(source);
    CHECK_THAT(problem.message, Catch::Contains("nested deeper than 250") || Catch::Contains("syntax error"));
  }
  CHECK_THAT(problem_of(repeated("(", 300) + "7" + repeated(")", 300)).message,
             Catch::Contains("nested deeper than 250"));
  CHECK_THAT(problem_of(repeated("1 + ", 20000) + "1").message, Catch::Contains("the limit is 65536"));
}

TEST_CASE("problems point at line and column", "[expr][syntax]") {
  const auto plus = problem_of("'\u00fc\U0001F600' + 1");
  CHECK(plus.line == 1);
  CHECK(plus.column == 6);
  CHECK(plus.offset == 9);
  const auto second = problem_of("[1,\n 2,\n  x]");
  CHECK(second.line == 3);
  CHECK(second.column == 3);
  CHECK(to_string(second) == "line 3, column 3: undeclared reference to 'x'");
  CHECK(problem_of("1 +").column == 4);

  const auto program = compile("[1, 2].map(x,\n  x / 0)", Environment());
  REQUIRE(program);
  const auto value = evaluate(*program, {});
  REQUIRE_FALSE(value);
  CHECK(value.error().line == 2);
  CHECK(value.error().column == 5);
}
