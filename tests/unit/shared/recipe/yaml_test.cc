#include "shared/recipe/yaml.h"

#include "shared/base/json.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using yaml::Node;

namespace {

std::string first_problem(std::string_view text, yaml::Limits limits = {}) {
  const auto parsed = yaml::parse(text, "f", limits);
  return parsed ? "no problem" : yaml::to_string(parsed.error().front());
}

Value parsed(std::string_view text) {
  const auto node = yaml::parse(text, "f");
  INFO(text);
  if (!node) FAIL(yaml::to_string(node.error().front()));
  return yaml::to_value(*node);
}

}  // namespace

TEST_CASE("plain scalars mean what they look like, and nothing cleverer", "[yaml]") {
  struct Case {
    std::string_view text;
    Value meaning;
  };
  const Case cases[] = {
      {"true", Value(true)},
      {"false", Value(false)},
      {"True", Value("True")},
      {"no", Value("no")},
      {"on", Value("on")},
      {"Yes", Value("Yes")},
      {"y", Value("y")},
      {"null", Value()},
      {"~", Value()},
      {"", Value()},
      {"NULL", Value("NULL")},
      {"0", Value(0)},
      {"-0", Value(0)},
      {"42", Value(42)},
      {"-7", Value(-7)},
      {"9223372036854775807", Value(INT64_MAX)},
      {"-9223372036854775808", Value(INT64_MIN)},
      {"0123", Value("0123")},
      {"0x1F", Value("0x1F")},
      {"0o17", Value("0o17")},
      {"1_000", Value("1_000")},
      {"+1", Value("+1")},
      {"1.", Value("1.")},
      {".5", Value(".5")},
      {"1e", Value("1e")},
      {"1.5", Value(1.5)},
      {"-2.5e-3", Value(-0.0025)},
      {"1.0", Value(1)},
      {"1e3", Value(1000)},
      {"1E+2", Value(100)},
      {"1e300", Value(1e300)},
      {".inf", Value(".inf")},
      {".nan", Value(".nan")},
      {"2026-01-31", Value("2026-01-31")},
      {"12:30:45", Value("12:30:45")},
      {"'1'", Value("1")},
      {"\"true\"", Value("true")},
      {"''", Value("")},
      {"|\n  12", Value("12")},
      {">-\n  null", Value("null")},
  };
  for (const auto& [text, meaning] : cases) {
    INFO("key: " << text);
    CHECK(parsed("key: " + std::string(text)) == Value(ValueMap{{Value("key"), meaning}}));
  }
}

TEST_CASE("keys are always text, also those that look like something else", "[yaml]") {
  CHECK(to_json(parsed("on: 1\ntrue: 2\n12: 3\n~: 4\nno: 5\n\"a b\": 6\n")) ==
        R"({"12":3,"a b":6,"no":5,"on":1,"true":2,"~":4})");
}

TEST_CASE("block and flow, comments and all kinds of quotes", "[yaml]") {
  const auto value = parsed(R"(# a comment
list: [a, 'it''s', "tab\there", {b: 1}]   # after it
nested:
- x
-
  - y
  - z: {}
text: |
  one
    two

  three
folded: >-
  one
  two

  three
plain: several words
  on two lines
)");
  CHECK(to_json(value) ==
        R"({"folded":"one two\nthree","list":["a","it's","tab\there",{"b":1}],"nested":["x",["y",{"z":{}}]],)"
        R"("plain":"several words on two lines","text":"one\n  two\n\nthree\n"})");
}

TEST_CASE("every node knows where it stands, in characters", "[yaml]") {
  const auto root = yaml::parse(
      "\xEF\xBB\xBF"
      "a: 1\n\xC3\xA4\xC3\xB6: {b: [x, \"y\"]}\n",
      "f");
  REQUIRE(root);
  CHECK(root->find("a")->at == yaml::Position{1, 4});
  CHECK(root->members[1].at == yaml::Position{2, 1});
  const auto* inner = root->find("\xC3\xA4\xC3\xB6");
  REQUIRE(inner != nullptr);
  CHECK(inner->at == yaml::Position{2, 5});
  CHECK(inner->members[0].at == yaml::Position{2, 6});
  const auto* list = inner->find("b");
  REQUIRE(list != nullptr);
  CHECK(list->items[0].at == yaml::Position{2, 10});
  CHECK(list->items[1].at == yaml::Position{2, 13});
  CHECK(list->items[1].style == yaml::Style::double_quoted);
  CHECK(root->find("c") == nullptr);
}

TEST_CASE("what is not allowed is refused with its place and rule", "[yaml]") {
  struct Case {
    std::string_view text, problem;
  };
  const Case cases[] = {
      {"a: &x 1\n", "f:1:4: anchors and aliases are not allowed: write the value where it is needed [yaml-anchor]"},
      {"a: 1\nb: *x\n", "f:2:4: anchors and aliases are not allowed: write the value where it is needed [yaml-anchor]"},
      {"pattern: *.csv\n", "f:1:10: a value that begins with `*` or `&` needs quotes [yaml-syntax]"},
      {"a: !!str 1\n", "f:1:4: tags are not allowed: quote a value to make it text [yaml-tag]"},
      {"a: !custom {}\n", "f:1:4: tags are not allowed: quote a value to make it text [yaml-tag]"},
      {"<<: {a: 1}\n", "f:1:1: merge keys are not allowed: write the fields where they are needed [yaml-merge-key]"},
      {"a: 1\nb: 2\na: 3\n", "f:3:1: key `a` appears twice [duplicate-key]"},
      {"a: {x: 1, \"x\": 2}\n", "f:1:11: key `x` appears twice [duplicate-key]"},
      {"? [a, b]\n: 1\n", "f:1:3: a key must be a word or a quoted text [yaml-key]"},
      {"{[a]: 1}\n", "f:1:2: a key must be a word or a quoted text [yaml-key]"},
      {"a: 1\n---\nb: 2\n", "f:2:1: a file holds one document: remove what follows `---` [yaml-documents]"},
      {"a: 1\n...\n---\n", "f:3:1: a file holds one document: remove what follows `---` [yaml-documents]"},
      {"%YAML 1.1\n---\na: 1\n", "f:1:1: directives (`%YAML`, `%TAG`) are not allowed [yaml-directive]"},
      {"%TAG ! tag:x,2000:\n---\na: 1\n", "f:1:1: directives (`%YAML`, `%TAG`) are not allowed [yaml-directive]"},
      {"", "f:1:1: the file is empty [empty-document]"},
      {"# only a comment\n", "f:1:1: the file is empty [empty-document]"},
      {"---\n", "f:2:1: the file is empty [empty-document]"},
      {"a: 1\nb:\t- x\n", "f:2:4: block sequence entries are not allowed in this context [yaml-syntax]"},
      {"a:\n\tb: 1\n", "f:2:1: a tab: indent with spaces [yaml-syntax]"},
      {"a: [1, 2\n", "f:2:1: while parsing a flow sequence: did not find expected ',' or ']' [yaml-syntax]"},
      {"a: b: c\n", "f:1:5: mapping values are not allowed in this context [yaml-syntax]"},
      {"a: 'x\n", "f:2:1: while scanning a quoted scalar: found unexpected end of stream [yaml-syntax]"},
      {"a: 9223372036854775808\n", "f:1:4: the number does not fit: quote it to keep it as text [number-range]"},
      {"a: 1e999\n", "f:1:4: the number does not fit: quote it to keep it as text [number-range]"},
      {"a: b\nc: \xFF\n", "f:2:4: not UTF-8: save the file with the encoding UTF-8 [bad-utf8]"},
      {"\xC3\xA4\xC3\n", "f:1:2: not UTF-8: save the file with the encoding UTF-8 [bad-utf8]"},
      {"a: \xED\xA0\x80\n", "f:1:4: not UTF-8: save the file with the encoding UTF-8 [bad-utf8]"},
      {"a: x\x01y\n", "f:1:5: control characters are not allowed [yaml-syntax]"},
  };
  for (const auto& [text, problem] : cases) {
    INFO(text);
    CHECK(first_problem(text) == problem);
  }
}

TEST_CASE("problems that do not hide others are all reported", "[yaml]") {
  const auto parsed = yaml::parse("a: &x 1\na: !t 2\nb: 99999999999999999999\n", "f");
  REQUIRE_FALSE(parsed);
  std::vector<std::string> rules;
  for (const auto& problem : parsed.error()) rules.push_back(problem.rule);
  CHECK(rules == std::vector<std::string>{"yaml-anchor", "duplicate-key", "yaml-tag", "number-range"});
  CHECK(yaml::to_error(parsed.error()).message.find("f:2:1: key `a` appears twice") != std::string::npos);
}

TEST_CASE("size, depth and number of values are limited", "[yaml]") {
  const std::string big(100u << 20, 'a');
  CHECK(first_problem(big) == "f: 104857600 bytes; at most 524288 are allowed [too-large]");

  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  CHECK(yaml::parse(nested(32), "f"));
  CHECK(first_problem(nested(33)) == "f:1:33: nested more than 32 levels deep [too-deep]");
  CHECK(first_problem(nested(100'000)) == "f:1:33: nested more than 32 levels deep [too-deep]");
  std::string blocks;
  for (int i = 0; i < 40; ++i) blocks += std::string(static_cast<std::size_t>(i) * 2, ' ') + "a:\n";
  CHECK(first_problem(blocks) == "f:33:65: nested more than 32 levels deep [too-deep]");

  CHECK(yaml::parse("[1, 2, 3]", "f", {.max_nodes = 4}));
  CHECK(first_problem("[1, 2, 3]", {.max_nodes = 3}) == "f:1:8: more than 3 values [too-many-nodes]");
  std::string wide = "[";
  for (int i = 0; i < 100'000; ++i) wide += "1,";
  CHECK(first_problem(wide + "1]").find("more than 20000 values") != std::string::npos);
}

TEST_CASE("a file cut at every byte is parsed or refused, never worse", "[yaml]") {
  const std::string whole = "a: [1, \"\xC3\xA4 \\u00e4\", {b: 'c'}]\nd: |\n  text\ne:\n  - >\n    x\n    y\n";
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    const auto parsed = yaml::parse(std::string_view(whole).substr(0, cut), "f");
    if (!parsed) CHECK_FALSE(parsed.error().front().rule.empty());
  }
}

TEST_CASE("lines end as YAML says, not only with LF", "[yaml]") {
  for (std::string_view line_break : {"\n", "\r", "\r\n", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    const auto source = "a: 1" + std::string(line_break) + "b: \"x y\"" + std::string(line_break) + "c: \xFF";
    CHECK(first_problem(source) == "f:3:4: not UTF-8: save the file with the encoding UTF-8 [bad-utf8]");
    const auto good = source.substr(0, source.size() - 1);
    const auto root = yaml::parse(good, "f");
    REQUIRE(root);
    const auto* node = root->find("b");
    REQUIRE(node != nullptr);
    CHECK(node->at == yaml::Position{2, 4});
    CHECK(yaml::locate(good, *node, 2) == yaml::Position{2, 7});
  }
}

TEST_CASE("an offset in a scalar's text is found in the source", "[yaml]") {
  struct Case {
    std::string_view source;
    std::string_view wanted;  // in the text of key `k`
    yaml::Position at;
  };
  const Case cases[] = {
      {"k: one two\n", "two", {1, 8}},
      {"k: one\n  two\n  three\n", "three", {3, 3}},
      {"k: one\n\n  two\n", "two", {3, 3}},
      {"k: 'it''s two'\n", "two", {1, 11}},
      {"k: 'one\n  two'\n", "two", {2, 3}},
      {"k: \"\\u00e4\\t two\"\n", "two", {1, 14}},
      {"k: \"a\\x41 \\U0001F600two\"\n", "two", {1, 21}},
      {"k: \"one \\\n   two\"\n", "two", {2, 4}},
      {"k: \"one\n\n  two\"\n", "two", {3, 3}},
      {"k: |\n  one\n  \xC3\xA4 two\n", "two", {3, 5}},
      {"k: |\n\n    one\n      two\n", "two", {4, 7}},
      {"k: |2\n   one\n  two\n", "two", {3, 3}},
      {"k: >\n  one\n  two\n", "two", {3, 3}},
      {"k: >-\n  one\n\n  two\n", "two", {4, 3}},
      {"k: |\r\n  one\r\n  two\r\n", "two", {3, 3}},
      {"x: 1\nk: [a]\n", "", {2, 4}},
  };
  for (const auto& [source, wanted, at] : cases) {
    INFO(source);
    const auto root = yaml::parse(source, "f");
    REQUIRE(root);
    const auto* node = root->find("k");
    CHECK(yaml::locate(source, *node, node->text.find(wanted)) == at);
  }
}

TEST_CASE("every offset of every style has a place inside the source", "[yaml]") {
  const std::string_view source =
      "a: |+\n  x\n   y\n\nb: \"q\\n \\\n  r\"\nc: >\n  s\n\n   t\n  u\nd: 'v\n\n  w'\ne: z\n";
  const auto root = yaml::parse(source, "f");
  REQUIRE(root);
  for (const auto& member : root->members) {
    for (std::size_t offset = 0; offset <= member.value.text.size(); ++offset) {
      const auto at = yaml::locate(source, member.value, offset);
      INFO(member.key << " offset " << offset);
      CHECK(at.line >= member.value.at.line);
      CHECK(at.line <= 15);
      CHECK(at.column >= 1);
    }
  }
}

TEST_CASE("a tree of JSON values reads like a file without positions", "[yaml]") {
  const auto value = *parse_json(R"({"a":[1,2.5,true,null,"no"],"b":{"c":"1"}})");
  const auto node = yaml::from_value(value);
  CHECK(yaml::to_value(node) == value);
  CHECK(node.find("a")->items[4].is_text());
  CHECK(node.find("b")->find("c")->is_text());
  CHECK_FALSE(node.find("a")->items[0].is_text());
  CHECK(node.find("a")->at == yaml::Position{});
  CHECK(yaml::locate("", *node.find("b")->find("c"), 1) == yaml::Position{});
}

TEST_CASE("a value that is not there is never located before itself", "[recipe][yaml]") {
  const std::string_view source = "?";
  const auto tree = yaml::parse(source, "t.yaml");
  REQUIRE(tree);
  const auto& value = tree->members.at(0).value;
  CHECK(yaml::locate(source, value, 0).line >= value.at.line);
}
