#include "agent/connectors/csv/csv_parser.h"

#include "shared/base/text.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::connectors::csv;
using Records = std::vector<CsvParser::Record>;

namespace {

struct Outcome {
  Records records;
  std::string error;  // class and message; empty when everything was read
};

Outcome parse(std::vector<std::string_view> pieces, CsvLimits limits = {}, CsvDialect dialect = {}) {
  CsvParser parser(dialect, limits);
  Outcome outcome;
  const auto drain = [&] {
    for (;;) {
      auto record = parser.next();
      if (!record) {
        outcome.error = record.error().error_class() + ": " + record.error().message;
        return;
      }
      if (!*record) return;
      outcome.records.push_back(**std::move(record));
    }
  };
  for (auto piece : pieces) {
    parser.feed(as_bytes(piece));
    drain();
    if (!outcome.error.empty()) return outcome;
  }
  parser.finish();
  drain();
  return outcome;
}

}  // namespace

TEST_CASE("records are read as RFC 4180 has them", "[csv]") {
  struct Row {
    std::string_view text;
    Records records;
  };
  const Row table[] = {
      {"", {}},
      {"a", {{"a"}}},
      {"a,b\r\n1,2\r\n", {{"a", "b"}, {"1", "2"}}},
      {"a,b\n1,2", {{"a", "b"}, {"1", "2"}}},
      {"a\rb\r", {{"a"}, {"b"}}},
      {"\"a,b\",\"c\"\"d\"\n", {{"a,b", "c\"d"}}},
      {"\"line\r\nbreak\",x\n", {{"line\r\nbreak", "x"}}},
      {"a,,\n,\n", {{"a", "", ""}, {"", ""}}},
      {"\"\"\n", {{""}}},
      {"\n\r\n\na\n\n", {{"a"}}},
      {"\xEF\xBB\xBF"
       "a\n",
       {{"a"}}},
      {"\xEF\xBB\xBF"
       "\"a\"\n",
       {{"a"}}},
      {"\xEF\xBB", {}},
      {"ä,\xE2\x82\xAC\n", {{"ä", "€"}}},
      {" a , b \n", {{" a ", " b "}}},
      {"\"a\"\r\"b\"\r", {{"a"}, {"b"}}},
      {"\"\"\"\"\"\"", {{"\"\""}}},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto outcome = parse({row.text});
    if (row.text == "\xEF\xBB") continue;
    CHECK(outcome.error.empty());
    CHECK(outcome.records == row.records);
  }
  CHECK(parse({"a;\"b;c\"\n"}, {}, {.delimiter = ';'}).records == Records{{"a", "b;c"}});
}

TEST_CASE("which fields stood in quotes is known, however the bytes come", "[csv]") {
  const std::string text = "a,\"b\",\"\",\n\"\",,\"x\"\"y\",z\r\n\"q\",r,s,\"\"";
  const std::vector<std::string> expected{"0110", "1010", "1001"};
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut after byte " << cut);
    CsvParser parser({});
    std::vector<std::string> quoted;
    const auto drain = [&] {
      for (auto record = parser.next(); record && *record; record = parser.next()) {
        quoted.emplace_back();
        for (std::size_t i = 0; i < (*record)->size(); ++i) quoted.back() += parser.was_quoted(i) ? '1' : '0';
      }
    };
    parser.feed(as_bytes(std::string_view(text).substr(0, cut)));
    drain();
    parser.feed(as_bytes(std::string_view(text).substr(cut)));
    parser.finish();
    drain();
    CHECK(quoted == expected);
  }
}

TEST_CASE("records survive being cut at every byte", "[csv]") {
  const std::string text = "\xEF\xBB\xBFid,\"na\"\"me\",x\r\n1,\"a\r\nb\",\xE2\x82\xAC\r\n\r\n2,,\"\"\n3,\"q\",z";
  const auto whole = parse({text});
  REQUIRE(whole.records.size() == 4);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut after byte " << cut);
    const std::string_view all(text);
    const auto outcome = parse({all.substr(0, cut), all.substr(cut)});
    CHECK(outcome.error.empty());
    CHECK(outcome.records == whole.records);
  }
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < text.size(); ++i) bytes.push_back(std::string_view(text).substr(i, 1));
  CHECK(parse(bytes).records == whole.records);
}

TEST_CASE("lines that are left out are so, however the bytes come", "[csv]") {
  const std::string text = "head \"\r\n#c\r\na,#b\r#\r\n\n\"#\",c\n#end";
  const CsvDialect dialect{.comment = '#', .skip = 1};
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut after byte " << cut);
    const std::string_view all(text);
    const auto outcome = parse({all.substr(0, cut), all.substr(cut)}, {}, dialect);
    CHECK(outcome.error.empty());
    CHECK(outcome.records == Records{{"a", "#b"}, {"#", "c"}});
  }
}

TEST_CASE("what is wrong is said with record and line, never with content", "[csv]") {
  const std::string canary = "c4n4ry";
  struct Row {
    std::string text;
    const char* fragment;
  };
  const Row table[] = {
      {"a\n\"" + canary, "format: the CSV is wrong in record 2, which begins in line 2: a quote is not closed"},
      {"a\n\n\"x\ny\"\n" + canary + "\"x\n", "record 3, which begins in line 5: a quote inside a field"},
      {"\"a\"" + canary + "\n", "record 1, which begins in line 1: text after the closing quote"},
      {"a\n" + canary + "\xff\n", "record 2, which begins in line 2: it is not valid UTF-8"},
      {canary + "\xE2\x82\n", "not valid UTF-8"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto outcome = parse({row.text});
    CHECK(outcome.error.find(row.fragment) != std::string::npos);
    CHECK(outcome.error.find(canary) == std::string::npos);
  }
}

TEST_CASE("limits are kept, however the bytes come", "[csv]") {
  const CsvLimits limits{.field_bytes = 4, .record_bytes = 12, .columns = 3};
  CHECK(parse({"aaaa,bbbb\n"}, limits).records.size() == 1);
  for (auto text : {"aaaaa\n", "\"aaaaa\"\n", "a,b,c,d\n", "aaaa,bbbb,cccc\n"}) {
    INFO(text);
    CHECK(parse({text}, limits).error.starts_with("too_large: "));
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; text[i] != '\0'; ++i) bytes.emplace_back(text + i, 1);
    CHECK(parse(bytes, limits).error.starts_with("too_large: "));
  }
}

TEST_CASE("after an error every call fails", "[csv]") {
  CsvParser parser({});
  parser.feed(as_bytes("a\"b\n1\n"));
  CHECK_FALSE(parser.next());
  CHECK_FALSE(parser.next());
}
