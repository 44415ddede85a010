#include "expr_support.h"

#include "shared/expr/template.h"

using namespace sallyport;
using namespace sallyport::expr;
using namespace sallyport::expr::test;

namespace {

const std::vector<std::string> kNames = {"n", "s", "nothing", "list", "map", "file", "bytes_bad"};

Environment environment() {
  Environment made;
  for (const auto& name : kNames) made.declare(name);
  return made;
}

Activation bindings() {
  return Activation()
      .bind("n", Value(42))
      .bind("s", Value("text"))
      .bind("nothing", Value())
      .bind("list", Value(ValueList{1, 2}))
      .bind("map", Value(ValueMap{{Value("k"), Value("v")}}))
      .bind("bytes_bad", Value(Bytes{std::byte{0xFF}}))
      .bind("file", Value(Handle{"file", {{Value("path"), Value("a.csv")}}}));
}

std::string filled(std::string_view text) {
  const auto parsed = Template::parse(text, environment());
  if (!parsed) return "error: " + to_string(parsed.error());
  const auto value = parsed->evaluate(bindings());
  return value ? shown(*value) : "error: " + to_string(value.error());
}

}  // namespace

TEST_CASE("one whole expression keeps its type", "[expr][template]") {
  CHECK(filled("${{ n }}") == "42");
  CHECK(filled("${{n}}") == "42");
  CHECK(filled("${{ list }}") == "[1, 2]");
  CHECK(filled("${{ nothing }}") == "null");
  CHECK(filled("${{ file }}") == "handle(file)");
  CHECK(filled("${{ {'a': {'b': 1}} }}") == "{'a': {'b': 1}}");
  CHECK(filled("${{{'a': {'b': 1}}}}") == "{'a': {'b': 1}}");
  CHECK(filled("${{ '}}' }}") == "'}}'");
  CHECK(filled("${{ n // not yet }}\n }}") == "42");
  CHECK(filled("${{ '''}} ${{ ''' }}") == "'}} ${{ '");
}

TEST_CASE("anything beside the expression makes it text", "[expr][template]") {
  CHECK(filled(" ${{ n }}") == "' 42'");
  CHECK(filled("${{ n }}${{ s }}") == "'42text'");
  CHECK(filled("a ${{ 1.5 }} ${{ true }} ${{ 7u }} ${{ b'x' }} ${{ duration('90s') }} z") == "'a 1.5 true 7 x 90s z'");
  CHECK(filled("at ${{ timestamp(0) }}: ${{ type(1) }}") == "'at 1970-01-01T00:00:00Z: int'");
  CHECK(filled("\u00e9 ${{ s }}\n") == "'\u00e9 text\n'");
  CHECK(filled("${{ '' }}.") == "'.'");
}

TEST_CASE("text without an expression stays as it is", "[expr][template]") {
  for (auto text : {"", "plain", "$", "${", "$ {{ n }}", "}}", "{{ n }}", "costs $5"}) {
    INFO(text);
    const auto parsed = Template::parse(text, environment());
    REQUIRE(parsed);
    CHECK(parsed->is_literal());
    CHECK_FALSE(parsed->is_whole());
    CHECK(parsed->literal_text() == text);
    CHECK(parsed->references().empty());
    CHECK(parsed->evaluate({}) == Value(text));
  }
}

TEST_CASE("a doubled dollar escapes the opening", "[expr][template]") {
  CHECK(filled("$${{ n }}") == "'${{ n }}'");
  CHECK(filled("$${{ ${{ n }}") == "'${{ 42'");
  CHECK(filled("$$${{ n }}") == "'$${{ n }}'");
  const auto parsed = Template::parse("$${{ n }}", environment());
  REQUIRE(parsed);
  CHECK(parsed->is_literal());
  CHECK(parsed->literal_text() == "${{ n }}");
  CHECK(parsed->text() == "$${{ n }}");
}

TEST_CASE("what has no obvious text is refused", "[expr][template]") {
  CHECK_THAT(filled("a ${{ nothing }}"), Catch::Contains("a null_type cannot become part of a text"));
  CHECK_THAT(filled("a ${{ list }}"), Catch::Contains("a list cannot become part of a text"));
  CHECK_THAT(filled("a ${{ map }}"), Catch::Contains("a map cannot become part of a text"));
  CHECK_THAT(filled("a ${{ file }}"),
             Catch::Contains("a handle cannot become part of a text; select one of its attributes"));
  CHECK_THAT(filled("a ${{ bytes_bad }}"), Catch::Contains("invalid UTF-8"));
  CHECK(filled("a ${{ file.path }}") == "'a a.csv'");
}

TEST_CASE("problems point into the template", "[expr][template]") {
  CHECK(filled("\u00e9\n  ${{ s +\n }}") ==
        "error: line 3, column 2: syntax error: the expression ends where a value should be");
  CHECK(filled("ab ${{ nn }}") == "error: line 1, column 8: undeclared reference to 'nn' (did you mean 'n'?)");
  CHECK_THAT(filled("x ${{ n / 0 }}"), Catch::StartsWith("error: line 1, column 9: divide by zero"));
  CHECK_THAT(filled("x ${{ s ${{ n }}"), Catch::StartsWith("error: line 1, column 9: syntax error"));
  CHECK_THAT(filled("x ${{ n"), Catch::Contains("line 1, column 3: '${{' without '}}'"));
  CHECK_THAT(filled("x ${{ n }"), Catch::Contains("'${{' without '}}'"));
  CHECK_THAT(filled("x ${{ n } }"), Catch::Contains("'${{' without '}}'"));
  CHECK_THAT(filled("${{ }}"), Catch::Contains("the expression ends"));
  CHECK_THAT(filled("${{ 'a }}"), Catch::Contains("unterminated string"));
  CHECK_THAT(filled("\xff ${{ n }}"), Catch::Contains("not valid UTF-8"));
  CHECK_THAT(filled("a ${{ list }}"), Catch::StartsWith("error: line 1, column 6"));
}

TEST_CASE("references carry offsets into the template", "[expr][template]") {
  const std::string_view text = "a ${{ map.k }} b ${{ list[0] + n }}";
  const auto parsed = Template::parse(text, environment());
  REQUIRE(parsed);
  std::vector<std::string> found;
  for (const auto& reference : parsed->references()) {
    CHECK(text.substr(reference.offset).starts_with(reference.path[0]));
    found.push_back(reference.text());
  }
  CHECK(found == std::vector<std::string>{"map.k", "list", "n"});
}

TEST_CASE("a template's text is bounded", "[expr][template]") {
  const auto parsed = Template::parse("${{ s }}${{ s }}${{ s }}", environment());
  REQUIRE(parsed);
  CHECK(parsed->evaluate(bindings(), {.max_output_bytes = 12}));
  const auto value = parsed->evaluate(bindings(), {.max_output_bytes = 11});
  REQUIRE_FALSE(value);
  CHECK_THAT(value.error().message, Catch::Contains("larger than 11 bytes"));
}

TEST_CASE("templates cut at every byte give a value or a problem", "[expr][template]") {
  const std::string whole = "a $${{ ${{ {'k': '}}'}['k'] + \"\u00e9\" }} b ${{ n // c\n }}";
  CHECK(filled(whole) == "'a ${{ }}\u00e9 b 42'");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    CHECK_FALSE(filled(whole.substr(0, cut)).empty());
    CHECK_FALSE(filled(whole.substr(cut)).empty());
  }
}
