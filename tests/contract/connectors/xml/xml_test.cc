#include "agent/connectors/rows.h"
#include "agent/connectors/xml/xml_actions.h"
#include "agent/connectors/xml/xml_parser.h"
#include "agent/connectors/xml/xml_rows.h"
#include "shared/base/json.h"
#include "tests/support/connector_site.h"
#include "tests/support/memory.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

struct Xml {
  test::ConnectorSite agent{"connections: {}", "actions: [\"xml.*\"]\nlimits: {rows: 100000}\n"};
  std::vector<std::unique_ptr<Action>> actions = xml::make_actions(agent.site());

  Xml() {
    std::vector<std::unique_ptr<RowFormat>> formats;
    formats.push_back(std::make_unique<xml::XmlFormat>());
    agent.bodies.add(std::make_unique<RowsOpener>(std::move(formats)));
  }
  // The rows as JSON lines, then the error if there is one.
  std::string rows_of(std::string_view text, std::string_view row, ValueMap columns) {
    const auto output = agent.run(
        *actions[0],
        args({{"source", Value(agent.bodies.put(text))}, {"row", Value(row)}, {"columns", Value(std::move(columns))}}));
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
  std::string ids(std::string_view text, std::string_view row = "/r/o") {
    return rows_of(text, row, args({{"id", "id"}}));
  }
  std::string written(ValueList rows, ValueMap options = {}) {
    options.emplace(Value("rows"), Value(std::move(rows)));
    const auto output = agent.run(*actions[1], std::move(options));
    if (!output) return output.error().error_class() + ": " + output.error().message;
    return agent.bodies.content(output->find("file")->as_handle());
  }
};

// The rows of a document that comes in pieces, one of which ends at `cut`, or the error.
std::string parsed(std::string_view text, std::size_t cut, xml::XmlLimits limits = {}) {
  REQUIRE(xml::load_expat());
  xml::XmlParser parser(*xml::parse_row_path("o", "row"),
                        {*xml::parse_column_path("a", "c"), *xml::parse_column_path("@n", "c")}, limits);
  std::string all;
  std::vector<std::string_view> pieces{text.substr(0, cut), text.substr(cut)};
  std::erase(pieces, "");
  pieces.emplace_back();
  for (auto piece : pieces) {
    do {
      const auto room = parser.room();
      REQUIRE(room);
      const auto now = piece.substr(0, 24);
      std::ranges::copy(as_bytes(now), room->begin());
      piece.remove_prefix(now.size());
      parser.feed(now.size());
      for (;;) {
        const auto row = parser.next();
        if (!row) return all + row.error().error_class() + ": " + row.error().message;
        if (!*row) break;
        for (const auto& value : **row) all += value.value_or("-") + ",";
        all += ";";
      }
    } while (!piece.empty());
  }
  CHECK(parser.at_end());
  return all;
}

}  // namespace

TEST_CASE("repeated elements are read as rows", "[xml]") {
  Xml xml;
  const std::string orders =
      "<?xml version='1.0'?>\n<!-- all -->\n<orders day='1'>\n"
      " <order no='7'><id>1</id><customer id='a'><name>M&#252;ller &amp; <![CDATA[<Co>]]></name></customer>hi</order>\n"
      " <order><id/><other><id>9</id></other></order>\n <order/></orders>\n";
  const auto columns =
      args({{"id", "id"}, {"no", "@no"}, {"who", "customer/name"}, {"whose", "customer/@id"}, {"t", "text()"}});
  const auto* const expected =
      "{\"id\":\"1\",\"no\":\"7\",\"t\":\"hi\",\"who\":\"Müller & <Co>\",\"whose\":\"a\"}\n"
      "{\"id\":\"\",\"no\":null,\"t\":\"\",\"who\":null,\"whose\":null}\n"
      "{\"id\":null,\"no\":null,\"t\":\"\",\"who\":null,\"whose\":null}\n";
  for (const auto* row : {"/orders/order", "order", "orders/order", "{}order"}) {
    INFO(row);
    CHECK(xml.rows_of(orders, row, columns) == expected);
  }
  CHECK(xml.rows_of(orders, "/order", columns).empty());
  CHECK(xml.rows_of("<a><b><i>1</i><b><i>2</i></b></b><b><i>3</i></b></a>", "b", args({{"i", "i"}})) ==
        "{\"i\":\"1\"}\n{\"i\":\"3\"}\n");
}

TEST_CASE("namespaces are those of the document, whatever its prefixes", "[xml]") {
  Xml xml;
  const auto* const text =
      "<s:r xmlns:s='urn:shop/1' xmlns='urn:other'><s:o s:n='1' "
      "n='2'><id>a</id><s:id>b</s:id></s:o><o><id>c</id></o></s:r>";
  CHECK(xml.rows_of(text, "/{urn:shop/1}r/{urn:shop/1}o",
                    args({{"id", "{urn:shop/1}id"}, {"n", "@{urn:shop/1}n"}, {"m", "@{}n"}})) ==
        "{\"id\":\"b\",\"m\":\"2\",\"n\":\"1\"}\n");
  CHECK(xml.rows_of(text, "{urn:other}o", args({{"id", "id"}})) == "{\"id\":\"c\"}\n");
  CHECK(xml.rows_of(text, "o", args({{"id", "id"}})).contains("column 1 of the row stands there twice"));
  CHECK(xml.ids("<x:r/>").starts_with("format: "));
}

TEST_CASE("documents are read in the encoding they name", "[xml]") {
  Xml xml;
  const std::string ascii = "<r><o><id>A</id></o></r>";
  const std::string little = [&] {
    std::string wide("\xFF\xFE", 2);
    for (const char c : ascii) wide += std::string{c, '\0'};
    return wide;
  }();
  CHECK(xml.ids(little) == "{\"id\":\"A\"}\n");
  CHECK(xml.ids("\xEF\xBB\xBF" + ascii) == "{\"id\":\"A\"}\n");
  CHECK(xml.ids("<?xml version='1.0' encoding='ISO-8859-1'?><r><o><id>\xE4</id></o></r>") == "{\"id\":\"ä\"}\n");
  CHECK(xml.ids("<?xml version='1.0' encoding='Windows-1252'?><r><o><id>\x80</id></o></r>") == "{\"id\":\"€\"}\n");
  CHECK(xml.ids("<?xml version='1.0' encoding='EBCDIC-1'?><r/>").starts_with("format: the XML is wrong in line 1: "));
  CHECK(xml.ids("<r>\n<o><id>\xE4</id></o></r>").starts_with("format: the XML is wrong in line 2: "));
}

TEST_CASE("what is no XML is said with its line, never with its content", "[xml]") {
  Xml xml;
  for (const std::string text : {"", "c4n4ry", "<r>\n<o></c4n4ry></r>", "<r>\n<o>c4n4ry", "<r>\n&c4n4ry;</r>",
                                 "<r/>\n<c4n4ry/>", "<r>\n<o c4n4ry='1' c4n4ry='2'/></r>", "<r>\n<o>\x01</o></r>"}) {
    INFO(text);
    const auto why = xml.ids(text);
    CHECK(why.starts_with("format: the XML is wrong in line "));
    CHECK_FALSE(why.contains("c4n4ry"));
  }
  for (const auto* path : {"", "/", "a//b", "a:b", "{x", "1a", "@no", "a/text()"}) {
    CHECK(xml.ids("<r/>", path).starts_with("invalid: a path in `row` is wrong: "));
  }
  for (const auto* path : {"", "/id", "a/@b/c", "@", "a b", "text()/a"}) {
    INFO(path);
    CHECK(xml.rows_of("<r/>", "r", args({{"c", path}})).starts_with("invalid: a path in `columns` is wrong: "));
  }
}

TEST_CASE("entities, document types and what is outside are refused", "[xml][hostile]") {
  Xml xml;
  for (const std::string inside :
       {"", "[<!ENTITY a 'x'>]", "[<!ENTITY a SYSTEM 'file:///etc/passwd'>]", "SYSTEM 'http://127.0.0.1/x.dtd'",
        "[<!ENTITY % p SYSTEM 'http://127.0.0.1/p'> %p;]"}) {
    INFO(inside);
    CHECK(xml.ids("<?xml version='1.0'?>\n<!DOCTYPE r " + inside + ">\n<r><o><id>&a;</id></o></r>") ==
          "format: the XML is wrong in line 2: it has a document type declaration, which is refused");
  }
  std::string laughs = "<!DOCTYPE r [<!ENTITY a0 'ha'>";
  for (int i = 1; i < 30; ++i) laughs += fmt::format("<!ENTITY a{} '&a{};&a{};'>", i, i - 1, i - 1);
  CHECK(xml.ids(laughs + "]><r><o><id>&a29;</id></o></r>").contains("document type declaration"));
  CHECK(xml.ids("<r xmlns:xi='http://www.w3.org/2001/XInclude'><o><xi:include href='file:///etc/passwd'/></o></r>") ==
        "{\"id\":null}\n");
}

TEST_CASE("a document survives being cut at every byte", "[xml]") {
  const std::string text =
      "<?xml version='1.0'?><r><o n='1'><a>x&lt;ü<![CDATA[ ]]>y</a></o><!-- c --><o/><?p i?><o n='é'><a>2</a></o></r>";
  const auto whole = parsed(text, 0);
  REQUIRE(whole == "x<ü y,1,;-,-,;2,é,;");
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut after byte " << cut);
    CHECK(parsed(text, cut) == whole);
  }
}

TEST_CASE("limits of XML are kept, however the bytes come", "[xml][hostile]") {
  const xml::XmlLimits limits{
      .depth = 4, .attributes = 2, .namespaces = 2, .name_bytes = 8, .tag_bytes = 64, .text_bytes = 8, .row_bytes = 12};
  CHECK(parsed("<r><o n='12345678'><a>1234</a></o></r>", 0, limits) == "1234,12345678,;");
  const std::string wide(200, ' ');
  for (const auto& text :
       {std::string("<r><o><a><b><c/></b></a></o></r>"), std::string("<r><o a='1' b='2' c='3'/></r>"),
        std::string("<r><o xmlns:a='1' xmlns:b='2' xmlns:c='3'/></r>"), std::string("<r><o><a>123456789</a></o></r>"),
        std::string("<r><o n='12345678'><a>12345</a></o></r>"), std::string("<r><elements9/></r>"),
        "<r><o" + wide + "/></r>", "<r><!--" + wide + "--></r>"}) {
    INFO(text);
    CHECK(parsed(text, text.size() - 9, limits).starts_with("too_large: the XML is wrong in line 1: "));
  }
}

TEST_CASE("what XML cannot hold is refused, and everything else comes back", "[xml]") {
  Xml xml;
  const auto row = args({{"id", 1}, {"t", " a<b>&\"c'\t\r\n]]> "}, {"none", Value()}, {"empty", ""}});
  const auto text = xml.written(
      {Value(row)}, args({{"attributes", Value(ValueList{Value("id")})}, {"root", "orders"}, {"row", "order"}}));
  CHECK(text ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<orders>\n<order id=\"1\"><empty/><t> "
        "a&lt;b&gt;&amp;&quot;c'\t&#13;\n]]&gt; </t></order>\n</orders>\n");
  CHECK(xml.rows_of(text, "/orders/order", args({{"id", "@id"}, {"t", "t"}, {"none", "none"}, {"empty", "empty"}})) ==
        "{\"empty\":\"\",\"id\":\"1\",\"none\":null,\"t\":\" a<b>&\\\"c'\\t\\r\\n]]> \"}\n");
  const auto attribute =
      xml.written({Value(args({{"t", "a\t\r\n\"<"}}))}, args({{"attributes", Value(ValueList{Value("t")})}}));
  CHECK(xml.rows_of(attribute, "row", args({{"t", "@t"}})) == "{\"t\":\"a\\t\\r\\n\\\"<\"}\n");
  CHECK(xml.written({}) == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rows>\n</rows>\n");
  for (const auto* bad : {"\x01", "\x1B[31m", "\xEF\xBF\xBE", "a\x08"}) {
    CHECK(xml.written({Value(args({{"t", bad}}))}) == "invalid: column 1 has a character that XML cannot hold");
  }
  for (const auto* name : {"", "1a", "a b", "a:b", "a>", "a/", "-a", "xÿ\xC3\x97"}) {
    INFO(name);
    CHECK(xml.written({Value(args({{name, "x"}}))}) == "invalid: column 1 has no name that XML takes");
    if (*name == 0) continue;
    CHECK(xml.written({}, args({{"root", name}})) == "invalid: `root` is no name of XML (without a prefix)");
    CHECK(xml.written({}, args({{"row", name}})) == "invalid: `row` is no name of XML (without a prefix)");
  }
  CHECK(xml.written({Value(args({{"größe", 1}}))}).contains("<größe>1</größe>"));
  CHECK(xml.written({}, args({{"columns", Value(ValueList{Value("a"), Value("a")})}})).starts_with("invalid: "));
  CHECK(xml.written({}, args({{"attributes", Value(ValueList{Value("a")})}})) ==
        "invalid: `attributes` has a name that is no column");
  CHECK(xml.written({Value(args({{"a", 1}})), Value(args({{"a", 1}, {"b", 2}}))})
            .starts_with("invalid: a row has a column"));
}

TEST_CASE("a large document streams in flat memory", "[xml]") {
  Xml xml;
  const std::size_t count = std::getenv("SALLYPORT_LARGE_TESTS") != nullptr ? 90'000 : 3'000;
  auto spool = *xml.agent.bodies.new_spool("application/xml");
  REQUIRE(spool->write(as_bytes("<r>")));
  const std::string order = "<o><id>" + std::string(10'000, 'x') + "</id></o>";
  for (std::size_t i = 0; i < count; ++i) REQUIRE(spool->write(as_bytes(order)));
  REQUIRE(spool->write(as_bytes("</r>")));
  const auto body = *spool->commit({});
  const test::PeakMemory memory;
  const auto read = xml.agent.run(
      *xml.actions[0], args({{"source", Value(body)}, {"row", "/r/o"}, {"columns", Value(args({{"id", "id"}}))}}));
  REQUIRE(read);
  const auto written = xml.agent.run(*xml.actions[1], args({{"rows", *read->find("rows")}}));
  REQUIRE(written);
  CHECK(written->find("count")->as_int() == static_cast<std::int64_t>(count));
  CHECK(memory.grown() < 8u << 20);
}
