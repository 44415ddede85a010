#include "agent/connectors/csv/csv_actions.h"
#include "agent/connectors/csv/csv_rows.h"
#include "agent/connectors/csv/csv_writer.h"
#include "agent/connectors/file/file_actions.h"
#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/stored_rows.h"
#include "shared/base/json.h"
#include "tests/support/connector_site.h"
#include "tests/support/memory.h"

#include <limits>
#include <map>

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

struct Csv {
  test::ConnectorSite agent{"connections: {share: {kind: file, root: \"@DIR@\"}}",
                            "actions: [\"csv.*\", \"file.*\"]\n"
                            "limits: {rows: 3000000}\n"
                            "connections: {share: {files: [{directory: ., allow: [read, write, delete]}]}}"};
  std::map<std::string, std::unique_ptr<Action>, std::less<>> actions;

  Csv() {
    std::vector<std::unique_ptr<RowFormat>> formats;
    formats.push_back(std::make_unique<csv::CsvFormat>());
    formats.push_back(std::make_unique<StoredRowsFormat>());
    agent.bodies.add(std::make_unique<RowsOpener>(std::move(formats)));
    agent.bodies.add(std::make_unique<file::FileOpener>(agent.site()));
    for (auto& made : {csv::make_actions(agent.site()), file::make_actions(agent.site())}) {
      for (auto& action : const_cast<std::vector<std::unique_ptr<Action>>&>(made)) {
        const std::string name(action->name());
        actions[name] = std::move(action);
      }
    }
  }
  StepResult<Value> run(std::string_view action, ValueMap arguments, std::string_view connection = {}) {
    return agent.run(*actions.find(action)->second, std::move(arguments), connection);
  }
  // Rows as sql.query@1 leaves them.
  Value stored(const std::vector<std::string>& columns, const std::vector<ValueList>& rows) {
    auto text = *stored_columns(columns);
    for (const auto& row : rows) append_stored_row(text, row);
    return Value(stored_rows_handle(agent.bodies.put(text)));
  }
  std::string written(const Value& rows, ValueMap options = {}) {
    options.emplace(Value("rows"), rows);
    const auto output = run("csv.write@1", std::move(options));
    if (!output) return output.error().error_class() + ": " + output.error().message;
    return agent.bodies.content(output->find("file")->as_handle());
  }
  // The rows as JSON lines, or the error.
  std::string rows_of(std::string_view text, ValueMap options = {}) {
    options.emplace(Value("source"), Value(agent.bodies.put(text)));
    const auto output = run("csv.read@1", std::move(options));
    if (!output) return output.error().error_class() + ": " + output.error().message;
    auto rows = agent.bodies.open_rows(output->find("rows")->as_handle());
    REQUIRE(rows);
    std::string all;
    for (;;) {
      const auto row = (*rows)->next();
      if (!row) return all + row.error().error_class() + ": " + row.error().message;
      if (!*row) return all;
      all += to_json(**row) + "\n";
    }
  }
};

Value list(std::initializer_list<Value> values) { return Value(ValueList(values)); }

}  // namespace

TEST_CASE("a CSV is read as rows by column", "[csv]") {
  Csv csv;
  CHECK(csv.rows_of("id,name\n1,\"Ä, \"\"B\"\"\"\n2,\n") ==
        "{\"id\":\"1\",\"name\":\"Ä, \\\"B\\\"\"}\n{\"id\":\"2\",\"name\":\"\"}\n");
  CHECK(csv.rows_of("1;2\n", args({{"header", false}, {"columns", list({"a", "b"})}, {"delimiter", ";"}})) ==
        "{\"a\":\"1\",\"b\":\"2\"}\n");
  CHECK(csv.rows_of("a,b,c\n1,2,3\n", args({{"columns", list({"c", "a"})}})) == "{\"a\":\"1\",\"c\":\"3\"}\n");
  CHECK(csv.rows_of("a,b\n,1\n", args({{"empty", "null"}})) == "{\"a\":null,\"b\":\"1\"}\n");
  CHECK(csv.rows_of("a,b,c\n\"\",,\"\"\n", args({{"empty", "null"}})) == "{\"a\":\"\",\"b\":null,\"c\":\"\"}\n");
  CHECK(csv.rows_of("a,b,c\n\"\",,1\n", args({{"empty", "null"}, {"columns", list({"b", "a"})}})) ==
        "{\"a\":\"\",\"b\":null}\n");
  CHECK(csv.rows_of("a,b\n\"\",\n") == "{\"a\":\"\",\"b\":\"\"}\n");
  CHECK(csv.rows_of("a\n\xE4\x80\n", args({{"encoding", "windows-1252"}})) == "{\"a\":\"ä€\"}\n");
  CHECK(csv.rows_of("a\n\xE4\n", args({{"encoding", "iso-8859-1"}})) == "{\"a\":\"ä\"}\n");
  CHECK(csv.rows_of("a,b\n") == "");
}

TEST_CASE("what the descriptions carry", "[csv]") {
  Csv csv;
  const auto output =
      csv.run("csv.read@1", args({{"source", Value(csv.agent.bodies.put("a,b\n1,2\n"))}, {"batch", 7}}));
  REQUIRE(output);
  CHECK(to_json(*output->find("columns")) == R"(["a","b"])");
  CHECK(output->find("rows")->find("format")->as_string() == "csv");
  CHECK(output->find("rows")->find("batch") == nullptr);
  CHECK(output->find("batches")->find("batch")->as_int() == 7);
  CHECK(output->find("batches")->find("source")->is(Value::Kind::handle));
}

TEST_CASE("a broken CSV fails with class format and the place", "[csv]") {
  Csv csv;
  struct Row {
    const char* text;
    const char* fragment;
  };
  const Row table[] = {
      {"", "format: the CSV is empty"},
      {"a,a\n", "same name"},
      {"a,\n", "column 2 of the CSV has no name"},
      {"a,b\n1,2\n3\n", "record 3, which begins in line 3: it has 1 fields, not 2"},
      {"a\nx\"y\n", "format: "},
      {"a\n\xff\n", "not valid UTF-8"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    CHECK(csv.rows_of(row.text).find(row.fragment) != std::string::npos);
  }
  CHECK(csv.rows_of("a\n", args({{"columns", list({"b"})}})).find("no column \"b\"") != std::string::npos);
  CHECK(csv.rows_of("1\n", args({{"header", false}})).find("give `columns`") != std::string::npos);
  CHECK(csv.rows_of("a\n", args({{"delimiter", "ab"}})).starts_with("invalid: "));
  CHECK(csv.rows_of("a\n", args({{"delimiter", "\""}})).starts_with("invalid: "));
}

TEST_CASE("rows are written as CSV and read back the same", "[csv]") {
  Csv csv;
  const Value rows = list({Value(args({{"a", "x,\"y\"\r\nz"}, {"b", 42}, {"c", Value()}})),
                           Value(args({{"a", " lead"}, {"b", 2.5}, {"c", true}}))});
  const auto output = csv.run("csv.write@1", args({{"rows", rows}}));
  REQUIRE(output);
  CHECK(output->find("count")->as_int() == 2);
  const auto text = csv.agent.bodies.content(output->find("file")->as_handle());
  CHECK(text == "a,b,c\r\n\"x,\"\"y\"\"\r\nz\",42,\r\n\" lead\",2.5,true\r\n");
  CHECK(csv.rows_of(text) ==
        "{\"a\":\"x,\\\"y\\\"\\r\\nz\",\"b\":\"42\",\"c\":\"\"}\n{\"a\":\" lead\",\"b\":\"2.5\",\"c\":\"true\"}\n");
}

TEST_CASE("rows of a query keep the order of their columns, and have a header when there are none", "[csv]") {
  Csv csv;
  const auto some = csv.written(csv.stored({"z", "a"}, {{Value(1), Value(2)}, {Value(3), Value()}}));
  CHECK(some == "z,a\r\n1,2\r\n3,\r\n");
  const auto none = csv.written(csv.stored({"z", "a"}, {}));
  CHECK(none == "z,a\r\n");
  CHECK(csv.rows_of(none) == "");
  const auto read = csv.run("csv.read@1", args({{"source", Value(csv.agent.bodies.put(none))}}));
  REQUIRE(read);
  CHECK(to_json(*read->find("columns")) == R"(["z","a"])");
  CHECK(csv.written(*read->find("rows")) == "z,a\r\n");
  CHECK(csv.written(csv.stored({"z", "a"}, {}), args({{"columns", list({"a"})}})) == "a\r\n");
  CHECK(csv.written(list({}), args({{"columns", list({"a", "b"})}})) == "a,b\r\n");
}

TEST_CASE("null and a text of no characters stay apart through a CSV", "[csv]") {
  Csv csv;
  const std::vector<std::string> columns{"id", "v", "w"};
  const auto text = csv.written(csv.stored(columns, {{Value("1"), Value(""), Value()},
                                                     {Value("2"), Value(), Value("")},
                                                     {Value(), Value(), Value()},
                                                     {Value(""), Value(""), Value("")}}));
  CHECK(text == "id,v,w\r\n1,\"\",\r\n2,,\"\"\r\n,,\r\n\"\",\"\",\"\"\r\n");
  CHECK(csv.rows_of(text, args({{"empty", "null"}})) ==
        "{\"id\":\"1\",\"v\":\"\",\"w\":null}\n{\"id\":\"2\",\"v\":null,\"w\":\"\"}\n"
        "{\"id\":null,\"v\":null,\"w\":null}\n{\"id\":\"\",\"v\":\"\",\"w\":\"\"}\n");
  CHECK(csv.written(csv.stored({"a"}, {{Value()}, {Value("")}})) == "a\r\n\"\"\r\n\"\"\r\n");
}

TEST_CASE("every kind of value has its text in a CSV", "[csv]") {
  Csv csv;
  const double infinite = std::numeric_limits<double>::infinity();
  const Value row(args({{"a", 2.0},
                        {"b", Value(infinite)},
                        {"c", Value(-infinite)},
                        {"d", Value(std::numeric_limits<double>::quiet_NaN())},
                        {"e", Value(Bytes{std::byte{0xde}, std::byte{0xad}})},
                        {"f", Value(Bytes{})},
                        {"g", Value(Timestamp{0, 0})},
                        {"h", Value(Duration{3, 500'000'000})},
                        {"i", Value(ValueList{Value(1), Value("x")})},
                        {"j", Value(UINT64_MAX)},
                        {"k", "12.50"}}));
  CHECK(
      csv.written(row) ==
      "a,b,c,d,e,f,g,h,i,j,k\r\n"
      "2,Infinity,-Infinity,NaN,3q0=,\"\",1970-01-01T00:00:00Z,3.5s,\"[1,\"\"x\"\"]\",18446744073709551615,12.50\r\n");
}

TEST_CASE("a delimiter that could not be read back is refused when writing too", "[csv]") {
  Csv csv;
  for (const std::string_view delimiter :
       {std::string_view("\""), std::string_view("\n"), std::string_view("\r"), std::string_view(""),
        std::string_view("ab"), std::string_view("\xC3\xBC"), std::string_view("\0", 1)}) {
    INFO(delimiter);
    CHECK(csv.written(list({Value(args({{"a", 1}, {"z", 2}}))}), args({{"delimiter", Value(delimiter)}}))
              .starts_with("invalid: `delimiter`"));
    CHECK(csv.rows_of("a\n", args({{"delimiter", Value(delimiter)}})).starts_with("invalid: `delimiter`"));
  }
  CHECK(csv.written(list({Value(args({{"a", 1}, {"z", 2}}))}), args({{"delimiter", "\t"}})) == "a\tz\r\n1\t2\r\n");
}

TEST_CASE("columns of a written CSV can be chosen; others are refused rather than lost", "[csv]") {
  Csv csv;
  const Value rows = list({Value(args({{"a", 1}, {"b", 2}})), Value(args({{"a", 3}, {"c", 4}}))});
  const auto lost = csv.run("csv.write@1", args({{"rows", rows}}));
  REQUIRE_FALSE(lost);
  CHECK(lost.error().message.find("not among the columns") != std::string::npos);
  const auto chosen = csv.run("csv.write@1", args({{"rows", rows}, {"columns", list({"c", "a"})}, {"delimiter", ";"}}));
  REQUIRE(chosen);
  CHECK(csv.agent.bodies.content(chosen->find("file")->as_handle()) == "c;a\r\n;1\r\n4;3\r\n");
}

TEST_CASE("the formula guard disarms text and leaves numbers", "[csv]") {
  Csv csv;
  const Value rows = list({Value(args({{"a", "=1+1"}, {"b", -5}, {"c", "@x"}, {"d", "a=b"}}))});
  const auto guarded = csv.run("csv.write@1", args({{"rows", rows}, {"formula_guard", true}}));
  CHECK(csv.agent.bodies.content(guarded->find("file")->as_handle()) == "a,b,c,d\r\n'=1+1,-5,'@x,a=b\r\n");
  const auto plain = csv.run("csv.write@1", args({{"rows", rows}}));
  CHECK(csv.agent.bodies.content(plain->find("file")->as_handle()) == "a,b,c,d\r\n=1+1,-5,@x,a=b\r\n");
}

TEST_CASE("the formula guard knows what a spreadsheet runs, and what is a number", "[csv]") {
  Csv csv;
  const auto guarded = [&](const char* text) {
    return csv.written(list({Value(args({{"a", text}}))}), args({{"formula_guard", true}, {"delimiter", ";"}}));
  };
  for (const std::string text : {"=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "+", "-", "＝1", "＋1", "－1", "＠x", "-1-1",
                                 "+49 30 1", "-1.", "- 5", "1e"}) {
    INFO(text);
    const bool runs = text != "1e";
    CHECK(guarded(text.c_str()) == "a\r\n" + std::string(runs ? "'" : "") + text + "\r\n");
  }
  CHECK(guarded("  =1") == "a\r\n'  =1\r\n");
  CHECK(guarded("\t=1") == "a\r\n'\t=1\r\n");
  CHECK(guarded("\r=1") == "a\r\n\"'\r=1\"\r\n");
  CHECK(guarded("\n=1") == "a\r\n\"'\n=1\"\r\n");
  for (const std::string text : {"-5", "+5", "-12.50", "-0,5", "-1e10", "+1.5E-3", "5", "a=b", "1-1", "'=1"}) {
    INFO(text);
    CHECK(guarded(text.c_str()) == "a\r\n" + text + "\r\n");
  }
}

TEST_CASE("quotes are of the kind that is named, and lines are left out", "[csv]") {
  Csv csv;
  const std::string expected = "{\"a\":\"1\",\"b\":\"x,y\"}\n";
  CHECK(csv.rows_of("a,b\n1,'x,y'\n", args({{"quote", "'"}})) == expected);
  CHECK(csv.rows_of("a;b\n1;\"x\n", args({{"quote", ""}, {"delimiter", ";"}})) == "{\"a\":\"1\",\"b\":\"\\\"x\"}\n");
  CHECK(csv.rows_of("Report \"of today\r\n\r\na,b\r\n1,\"x,y\"\r\n", args({{"skip", 2}})) == expected);
  CHECK(csv.rows_of("#c \"\na,b\r#,\"\r\n#\n1,\"x,y\"\n#end", args({{"comment", "#"}})) == expected);
  CHECK(csv.rows_of("\xEF\xBB\xBF#c\na,b\n1,\"x,y\"\n", args({{"comment", "#"}})) == expected);
  CHECK(csv.rows_of("a,b\n#,\"#\n1,2\"\n", args({{"skip", 0}})) == "{\"a\":\"#\",\"b\":\"#\\n1,2\"}\n");
  CHECK(csv.rows_of("x\ny\na\n\"b\"c\n", args({{"skip", 2}})).contains("record 2, which begins in line 4"));
  CHECK(csv.rows_of("a", args({{"skip", 5}})).starts_with("format: the CSV is empty"));
  for (const auto& bad : {args({{"quote", ","}}), args({{"comment", "\""}}), args({{"comment", ","}}),
                          args({{"quote", "ab"}}), args({{"comment", "ä"}})}) {
    CHECK(csv.rows_of("a\n", bad).starts_with("invalid: "));
  }
}

TEST_CASE("single empty fields survive a round trip", "[csv]") {
  Csv csv;
  const auto output =
      csv.run("csv.write@1", args({{"rows", list({Value(args({{"a", ""}})), Value(args({{"a", "x"}}))})}}));
  CHECK(csv.rows_of(csv.agent.bodies.content(output->find("file")->as_handle())) == "{\"a\":\"\"}\n{\"a\":\"x\"}\n");
}

TEST_CASE("a full spool and a stop end the writing", "[csv]") {
  Csv csv;
  const Value rows = list({Value(args({{"a", "x"}}))});
  csv.agent.bodies.fail_writes_after = 2;
  CHECK(csv.run("csv.write@1", args({{"rows", rows}})).error().error_class() == "disk_full");
  csv.agent.bodies.fail_writes_after = SIZE_MAX;
  csv.agent.patience = std::chrono::milliseconds(0);
  CHECK(csv.run("csv.write@1", args({{"rows", rows}})).error().error_class() == "timeout");
  csv.agent.stop.request_stop();
  CHECK(csv.run("csv.write@1", args({{"rows", rows}})).error().error_class() == "cancelled");
}

TEST_CASE("the local policy is asked first", "[csv]") {
  test::ConnectorSite agent("connections: {}", "actions: [\"file.*\"]");
  const auto actions = csv::make_actions(agent.site());
  for (const auto& action : actions) {
    const auto refused = agent.run(*action, args({{"rows", list({})}}));
    CHECK(refused.error().error_class() == "policy");
    CHECK(refused.error().rule == "policy.yaml:1 actions");
  }
}

TEST_CASE("200 MB stream from a file through CSV rows into another CSV in flat memory", "[csv][streaming]") {
  Csv csv;
  {
    std::ofstream out(csv.agent.dir.path("big.csv"), std::ios::binary);
    out << "id,name,note\n";
    const std::string note(170, 'n');
    for (int i = 0; i < 1'000'000; ++i) out << i << ",\"customer, number " << i << "\"," << note << '\n';
  }
  REQUIRE(std::filesystem::file_size(csv.agent.dir.path("big.csv")) > 200'000'000);
  csv.agent.patience = std::chrono::minutes(5);
  const auto read = csv.run("file.read@1", args({{"path", "big.csv"}}), "share");
  REQUIRE(read);
  const test::PeakMemory memory;
  const auto rows = csv.run("csv.read@1", args({{"source", *read->find("file")}}));
  REQUIRE(rows);
  const auto written = csv.run("csv.write@1", args({{"rows", *rows->find("rows")}}));
  if (!written) FAIL(written.error().message);
  const auto stored =
      csv.run("file.write@1", args({{"path", "copy.csv"}, {"source", *written->find("file")}}), "share");
  REQUIRE(stored);
  CHECK(written->find("count")->as_int() == 1'000'000);
  CHECK(std::filesystem::file_size(csv.agent.dir.path("copy.csv")) > 200'000'000);
  CHECK(memory.grown() < 32u << 20);

  const auto held = csv.agent.bodies.content(read->find("file")->as_handle());  // positive control: this is noticed
  CHECK(memory.grown() > 32u << 20);
  CHECK(held.size() > 200'000'000);
}
