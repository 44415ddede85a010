#include "shared/expr/patterns.h"

#include "expr_support.h"

#include <fmt/format.h>

#include <functional>

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;
using Catch::Contains;

namespace {

// [''.matches(r'<pattern(0)>'), ''.matches(r'<pattern(1)>'), ...].size() > 0
std::string many_matches(std::size_t count, const std::function<std::string(std::size_t)>& pattern) {
  std::string source;
  for (std::size_t i = 0; i < count; ++i) source += fmt::format("{}''.matches(r'{}')", i > 0 ? "," : "[", pattern(i));
  return source + "].size() > 0";
}

std::string times(std::string_view part, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += part;
  return text;
}

}  // namespace

TEST_CASE("equal literal patterns are compiled once", "[expr][patterns]") {
  const auto source = many_matches(2500, [](auto) { return std::string(R"(\p{L}{40})"); });
  CHECK(result(source) == "true");
  Patterns patterns;
  const auto first = patterns.compile("a+"), second = patterns.compile("a+"), other = patterns.compile("a*");
  REQUIRE((first && second && other));
  CHECK(*first == *second);
  CHECK(*first != *other);
}

TEST_CASE("what literal patterns cost together is bounded", "[expr][patterns]") {
  const std::function<std::string(std::size_t)> kinds[] = {
      [](auto i) { return fmt::format("\\p{{L}}{{{}}}", 1 + i % 1000) + (i >= 1000 ? "x" : ""); },
      [](auto i) { return fmt::format("\\pL{{200}}{}", i); },
      [](auto i) { return fmt::format("\\pL{{1000}}{}", i); },
      [](auto i) { return fmt::format("a{{1000}}b{{1000}}{}", i); },
      [](auto i) { return fmt::format("{}", i); },
  };
  for (const auto& kind : kinds) {
    const auto source = many_matches(2500, kind);
    for (const auto checking : {Checking::strict, Checking::off}) {
      CompileLimits limits{.max_bytes = 256u << 10};
      INFO(kind(7));
      const auto program = compile(source, Environment(), checking, limits);
      if (checking == Checking::strict) {
        REQUIRE_FALSE(program);
        CHECK_THAT(program.error().message, Contains("too large"));
        continue;
      }
      REQUIRE(program);
      const auto value = evaluate(*program, {});
      REQUIRE_FALSE(value);
      CHECK_THAT(value.error().message, Contains("too large"));
    }
  }
}

TEST_CASE("one pattern that is slow to read is paid for before it is read", "[expr][patterns]") {
  for (const auto& pattern : {"[" + times("\\pL", 19'000) + "]", times("\\pL|", 14'000), times("(\\pL)", 11'000),
                              "(?i)" + times("\\PL", 19'000)}) {
    Patterns patterns;
    INFO(pattern.substr(0, 20));
    CHECK_FALSE(patterns.compile(pattern));
  }
}

TEST_CASE("a refused pattern leaves room for smaller ones, once spent nothing is left", "[expr][patterns]") {
  Patterns patterns(200'000);
  CHECK(patterns.compile("a+"));
  CHECK_FALSE(patterns.compile("("));
  CHECK_THAT(patterns.compile("(").error(), Contains("missing )"));
  CHECK_THAT(patterns.compile("\\pL{200}").error(), Contains("too large together"));
  CHECK_THAT(patterns.compile("b").error(), Contains("too large together"));
  CHECK(patterns.compile("a+"));
}

TEST_CASE("expressions that share their patterns share the bound", "[expr][patterns]") {
  Patterns shared;
  const CompileLimits limits{.patterns = &shared};
  int compiled = 0;
  for (int i = 0; i < 30; ++i) {
    const auto source = fmt::format("''.matches(r'\\p{{L}}{{{}}}')", 100 + i);
    compiled += compile(source, Environment(), Checking::strict, limits) ? 1 : 0;
  }
  CHECK(compiled > 0);
  CHECK(compiled < 20);
  CHECK(compile(R"(''.matches(r'\p{L}{129}'))", Environment()));
}

TEST_CASE("a long alternation of words is an ordinary pattern", "[expr][patterns]") {
  std::string words;
  for (int i = 0; i < 600; ++i) words += fmt::format("{}word{}", i > 0 ? "|" : "", i * 7919 % 100'000);
  CHECK(result("'word7919'.matches('^(" + words + ")$')") == "true");
  CHECK(result("'other'.matches('^(" + words + ")$')") == "false");
}

TEST_CASE("patterns made while evaluating stay within the cost limit", "[expr][patterns]") {
  const std::string thousand = "cel.bind(a, [1,1,1,1,1,1,1,1,1,1], a.all(x, a.all(y, a.all(z, !''.matches(";
  for (const auto pattern : {R"(r'\p{L}' + '{40}')", R"(r'[\pL\pN]' + '{0,1000}')", "'a' + '{1000}'"}) {
    INFO(pattern);
    // The same one is made once; it may be refused, but not for what it costs.
    CHECK_THAT(result(thousand + pattern + ")))))"), !Contains("cost limit"));
  }
  const auto names = Activation().bind("list", Value(ValueList(2000, Value(1))));
  for (const auto pattern : {R"(r'\p{L}{40}' + string(i))", R"(r'[\pL\pN]{0,1000}' + string(i))",
                             R"(r'\pL\pN\PM\pL\pN\PM\pL\pN\PM' + string(i))", "'(a{30}){30}' + string(i)"}) {
    INFO(pattern);
    const auto source = fmt::format("list.transformList(i, x, ''.matches({}) || true)", pattern);
    CHECK_THAT(result(source, names, {"list"}), Contains("cost limit exceeded"));
  }
}

TEST_CASE("what is wrong with a computed pattern is said without the pattern", "[expr][patterns]") {
  const auto names = Activation().bind("s", Value("hush(me"));
  const auto answer = result("'a'.matches(s)", names, {"s"});
  CHECK_THAT(answer, Contains("missing )"));
  CHECK_THAT(answer, !Contains("hush"));
  const auto computed = compile_pattern("x**", PatternOrigin::computed);
  REQUIRE_FALSE(computed);
  CHECK_THAT(computed.error().message, Catch::EndsWith("bad repetition operator"));
  CHECK_THAT(compile_pattern("x**", PatternOrigin::literal).error().message,
             Catch::EndsWith("bad repetition operator: **"));
  CHECK(compile_pattern(std::string(4097, 'a'), PatternOrigin::computed).error().too_large);
}

TEST_CASE("an evaluation remembers a bounded number of patterns", "[expr][patterns]") {
  RecentPatterns recent;
  for (int i = 0; i < 40; ++i) recent.keep(std::to_string(i), std::unexpected("no"));
  CHECK(recent.find("39") != nullptr);
  CHECK(recent.find("24") != nullptr);
  CHECK(recent.find("23") == nullptr);
}
