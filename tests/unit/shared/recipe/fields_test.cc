#include "shared/recipe/fields.h"

#include <catch2/catch.hpp>

#include <array>

using namespace sallyport;
using namespace std::chrono_literals;
using yaml::FieldReader;
using yaml::Need;

namespace {

constexpr std::array<std::string_view, 2> kKinds{"file", "sql"};

std::vector<std::string> texts_of(const yaml::Problems& problems) {
  std::vector<std::string> out;
  for (const auto& problem : problems) out.push_back(yaml::to_string(problem));
  return out;
}

}  // namespace

TEST_CASE("a reader takes typed fields out of a mapping", "[fields]") {
  const auto root =
      yaml::parse("host: db\nport: 5432\ntls: true\nwait: 10s\nkind: sql\nroots: [a, b]\nmore: {x: 1}\n", "f");
  REQUIRE(root);
  yaml::Report report("f");
  FieldReader fields(*root, report, "a connection");
  CHECK(fields.text("host", Need::required) == "db");
  CHECK(fields.integer("port", {1, 65535}) == 5432);
  CHECK(fields.boolean("tls") == true);
  CHECK(fields.duration("wait", {1s, 1min}) == 10s);
  CHECK(fields.choice("kind", kKinds) == "sql");
  CHECK(fields.texts("roots") == std::vector<std::string>{"a", "b"});
  CHECK(fields.mapping("more")->find("x") != nullptr);
  CHECK_FALSE(fields.text("absent"));
  CHECK(fields.texts("absent_too").empty());
  fields.finish();
  CHECK(report.clean());
}

TEST_CASE("every problem of a mapping is found in one pass", "[fields]") {
  const std::string source =
      "host: 5\nport: 70000\ntls: 'true'\nwait: 10\nlong: 2h\nkind: sqll\nroots: [a, 1]\nmore: []\ntimout: 1\nzzz: 2\n";
  const auto root = yaml::parse(source, "f");
  REQUIRE(root);
  yaml::Report report("f");
  FieldReader fields(*root, report, "a connection");
  CHECK_FALSE(fields.text("host"));
  CHECK_FALSE(fields.integer("port", {1, 65535}));
  CHECK_FALSE(fields.boolean("tls"));
  CHECK_FALSE(fields.duration("wait"));
  CHECK_FALSE(fields.duration("long", {1s, 1min}));
  CHECK_FALSE(fields.choice("kind", kKinds));
  CHECK(fields.texts("roots") == std::vector<std::string>{"a"});
  CHECK(fields.mapping("more") == nullptr);
  CHECK_FALSE(fields.text("name", Need::required));
  CHECK_FALSE(fields.integer("timeout"));
  fields.finish();
  CHECK(
      texts_of(report.take()) ==
      std::vector<std::string>{
          "f:1:1: a connection needs `name` [missing-field]",
          "f:1:7: `host` must be text, not an integer: put it in quotes [wrong-type]",
          "f:2:7: `port` must be from 1 to 65535 [out-of-range]",
          "f:3:6: `tls` must be true or false, not text [wrong-type]",
          "f:4:7: `wait` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d` [bad-duration]",
          "f:5:7: `long` must be from 1s to 1m [out-of-range]",
          "f:6:7: `kind` must be one of file, sql (did you mean `sql`?) [bad-choice]",
          "f:7:12: `roots` must be a list of texts, not an integer [wrong-type]",
          "f:8:7: `more` must be a mapping, not a list [wrong-type]",
          "f:9:1: unknown key `timout` (did you mean `timeout`?) [unknown-key]",
          "f:10:1: unknown key `zzz` in a connection; known are host, port, tls, wait, long, kind, roots, more, name, "
          "timeout [unknown-key]",
      });
}

TEST_CASE("what is no mapping is reported once", "[fields]") {
  const auto root = yaml::parse("[1]", "f");
  REQUIRE(root);
  yaml::Report report("f");
  FieldReader fields(*root, report, "a policy");
  CHECK_FALSE(fields.text("a", Need::required));
  CHECK_FALSE(fields.boolean("b", Need::required));
  fields.finish();
  CHECK(texts_of(report.take()) ==
        std::vector<std::string>{"f:1:1: a policy must be a mapping, not a list [wrong-type]"});
}

TEST_CASE("names in messages are short, clean and valid UTF-8; values never appear", "[fields]") {
  CHECK(yaml::quoted("a\x1b[31m\nb") == "`a?[31m?b`");
  CHECK(yaml::quoted(std::string(63, 'x') + "\xC3\xA4\xC3\xA4") == "`" + std::string(63, 'x') + "...`");
  CHECK(yaml::suggestion(std::string(100'000, 'x'), kKinds).empty());

  const auto root = yaml::parse("kind: hunter2secret\nport: 31337\nwait: hunter2secret\n", "f");
  REQUIRE(root);
  yaml::Report report("f");
  FieldReader fields(*root, report, "a connection");
  fields.choice("kind", kKinds);
  fields.integer("port", {1, 2});
  fields.duration("wait");
  const auto text = yaml::to_error(report.problems()).message;
  CHECK(text.find("hunter2secret") == std::string::npos);
  CHECK(text.find("31337") == std::string::npos);
}

TEST_CASE("a report stays readable", "[fields]") {
  yaml::Report report("f");
  for (int i = 0; i < 1'000; ++i) report.add({1'000 - i, 1}, "rule", "message");
  const auto problems = report.take();
  CHECK(problems.size() == yaml::Report::kMaxProblems);
  CHECK(std::ranges::is_sorted(problems, {}, &yaml::Problem::line));
  CHECK(yaml::to_error(problems).message.ends_with("\nand 90 more"));
  CHECK(yaml::to_error(problems).code == Errc::invalid);
}
