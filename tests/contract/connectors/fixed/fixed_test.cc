#include "agent/connectors/decode.h"
#include "agent/connectors/fixed/fixed_actions.h"
#include "agent/connectors/fixed/fixed_records.h"
#include "agent/connectors/fixed/fixed_rows.h"
#include "agent/connectors/rows.h"
#include "shared/base/json.h"
#include "tests/support/connector_site.h"

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

ValueMap column(const char* name, int width, ValueMap more = {}) {
  more.emplace(Value("name"), Value(name));
  more.emplace(Value("width"), Value(width));
  return more;
}
Value columns(std::initializer_list<ValueMap> maps) { return Value(ValueList(maps.begin(), maps.end())); }

const Value kColumns = columns({column("no", 5, args({{"align", "right"}, {"pad", "0"}})), column("name", 6),
                                column("x", 2, args({{"start", 14}}))});

struct Fixed {
  test::ConnectorSite agent{"connections: {}", "actions: [\"fixed.*\"]\n"};
  std::vector<std::unique_ptr<Action>> actions = fixed::make_actions(agent.site());

  Fixed() {
    std::vector<std::unique_ptr<RowFormat>> formats;
    formats.push_back(std::make_unique<fixed::FixedFormat>());
    agent.bodies.add(std::make_unique<RowsOpener>(std::move(formats)));
  }
  std::string rows_of(std::string_view text, ValueMap options = {}) {
    options.emplace(Value("source"), Value(agent.bodies.put(text)));
    options.emplace(Value("columns"), kColumns);
    const auto output = agent.run(*actions[0], std::move(options));
    if (!output) return output.error().error_class() + ": " + output.error().message;
    auto rows = agent.bodies.open_rows(output->find("rows")->as_handle());
    REQUIRE(rows);
    std::string all;
    for (;;) {
      const auto next = (*rows)->next();
      if (!next) return all + next.error().error_class() + ": " + next.error().message;
      if (!*next) return all;
      all += to_json(**next) + "\n";
    }
  }
  std::string written(ValueList rows, ValueMap options = {}) {
    options.emplace(Value("rows"), Value(std::move(rows)));
    options.emplace(Value("columns"), kColumns);
    const auto output = agent.run(*actions[1], std::move(options));
    if (!output) return output.error().error_class() + ": " + output.error().message;
    return agent.bodies.content(output->find("file")->as_handle());
  }
};

}  // namespace

TEST_CASE("records of fixed width are read by characters", "[fixed]") {
  Fixed fixed;
  const std::string first = "{\"name\":\"Müller\",\"no\":\"42\",\"x\":\"ab\"}\n";
  CHECK(fixed.rows_of("00042Müller??ab\n") == first);
  CHECK(fixed.rows_of("\xEF\xBB\xBF"
                      "00042Müller??ab and more\r\n\r\n00000  A     é \n") ==
        first + "{\"name\":\"  A\",\"no\":\"0\",\"x\":\"é\"}\n");
  CHECK(fixed.rows_of("00042M\xFCller??ab", args({{"encoding", "iso-8859-1"}})) == first);
  CHECK(fixed.rows_of("head\n00042Müller??ab\n", args({{"skip", 1}})) == first);
  CHECK(fixed.rows_of("00042Müller??ab00042Müller??ab", args({{"records", "none"}})) == first + first);
  CHECK(fixed.rows_of("\xEF\xBB\xBF"
                      "00042Müller??ab\n00042Müller??ab\n",
                      args({{"records", "none"}, {"length", 16}})) == first + first);
  CHECK(fixed.rows_of("", args({{"records", "none"}})).empty());
  CHECK(fixed.rows_of("00000            \n", args({{"empty", "null"}})) == "{\"name\":null,\"no\":\"0\",\"x\":null}\n");
  CHECK(fixed.rows_of(" a ", args({{"columns", columns({column("a", 3, args({{"trim", false}}))})}})) ==
        "{\"a\":\" a \"}\n");
}

TEST_CASE("a record that is cut, and what is no layout, is said without content", "[fixed]") {
  Fixed fixed;
  CHECK(fixed.rows_of("00042Müller??ab\nc4n4ry\n").ends_with("format: record 2 is shorter than the columns need"));
  CHECK(fixed.rows_of("00042Müller??abc4n4ry", args({{"records", "none"}}))
            .ends_with("format: record 2 is cut: it has 6 characters, not 15"));
  CHECK(fixed.rows_of("00042M\xFCller??ab\n") == "format: record 1 is not valid UTF-8; name its `encoding`");
  CHECK(fixed.rows_of(std::string((4u << 20) + 1, 'x')).starts_with("too_large: "));
  CHECK(fixed.rows_of("", args({{"length", 3}})).starts_with("invalid: `length`"));
  for (const auto& bad :
       {columns({}), columns({column("a", 3), column("a", 3)}), columns({column("", 3)}),
        columns({column("a", 3, args({{"pad", "ä"}}))}), columns({column("a", 3, args({{"pad", ""}}))}),
        columns({column("a", 1 << 20), column("b", 1)})}) {
    CHECK(fixed.rows_of("", args({{"columns", bad}})).starts_with("invalid: "));
    CHECK(fixed.written({}, args({{"columns", bad}})).starts_with("invalid: "));
  }
  const auto over = columns({column("a", 3), column("b", 3, args({{"start", 3}}))});
  CHECK(fixed.rows_of("12345\n", args({{"columns", over}})) == "{\"a\":\"123\",\"b\":\"345\"}\n");
  CHECK(fixed.written({}, args({{"columns", over}})) ==
        "invalid: column 2 of `columns` begins before the one before it ends");
}

TEST_CASE("what is written has its width, and what does not fit is refused", "[fixed]") {
  Fixed fixed;
  const auto row = [](Value no, Value name) {
    return Value(args({{"no", std::move(no)}, {"name", std::move(name)}, {"x", "ab"}}));
  };
  CHECK(fixed.written({row(42, "Müller"), row(Value(), "")}) == "00042Müller  ab\n00000        ab\n");
  CHECK(fixed.written({row(42, "Müller")}, args({{"separator", "crlf"}, {"encoding", "windows-1252"}})) ==
        "00042M\xFCller  ab\r\n");
  CHECK(fixed.written({row(1, "€")}, args({{"separator", "none"}, {"encoding", "windows-1252"}})) ==
        "00001\x80       ab");
  CHECK(fixed.written({row(1, "€")}, args({{"encoding", "iso-8859-1"}})) ==
        "invalid: a value of column 2 has a character that the `encoding` lacks");
  CHECK(fixed.written({row(123456, "x")}) == "invalid: a value of column 1 is longer than 5 characters");
  CHECK(fixed.written({row(1, "Müllers")}) == "invalid: a value of column 2 is longer than 6 characters");
  CHECK(fixed.written({row(1, "a\nb")}) == "invalid: a value of column 2 has a line break");
  CHECK(fixed.written({row(1, "a\nb")}, args({{"separator", "none"}})) == "00001a\nb     ab");
  CHECK(fixed.written({Value(args({{"other", 1}}))}).starts_with("invalid: a row has a column"));
  CHECK(fixed.rows_of(fixed.written({row(42, "Müller")})) == "{\"name\":\"Müller\",\"no\":\"42\",\"x\":\"ab\"}\n");
}

TEST_CASE("every byte of a single-byte encoding comes back", "[fixed]") {
  for (const auto encoding : {Encoding::iso_8859_1, Encoding::windows_1252}) {
    for (int code = 0; code < 256; ++code) {
      const auto byte = static_cast<std::byte>(code);
      std::string text;
      append_utf8(text, std::span(&byte, 1), encoding);
      CHECK(encoded(text, encoding) == std::string(1, static_cast<char>(code)));
    }
  }
}

TEST_CASE("records survive being cut at every byte", "[fixed]") {
  const std::string text =
      "\xEF\xBB\xBF"
      "aäb€cdéf";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut after byte " << cut);
    fixed::FixedRecords records(4);
    std::string all;
    const auto drain = [&] {
      for (auto record = records.next(); record && *record; record = records.next()) all += **record + ";";
    };
    records.feed(std::string_view(text).substr(0, cut));
    drain();
    records.feed(std::string_view(text).substr(cut));
    drain();
    records.finish();
    drain();
    CHECK(all == "aäb€;cdéf;");
  }
}
