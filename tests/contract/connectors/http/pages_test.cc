// Lists that come in pages.
#include "tests/contract/connectors/http/world.h"

#include "agent/connectors/http/json_pointer.h"
#include "agent/connectors/http/target.h"
#include "shared/base/json.h"

using namespace sallyport;
using namespace sallyport::connectors::http;
using test::args;
using test::classes_of;
using test::HttpWorld;
using test::scripted;

namespace {

std::string seven_rows() {
  std::string rows;
  for (int i = 1; i <= 7; ++i)
    rows += R"({"id":)" + std::to_string(i) + R"(,"name":"item )" + std::to_string(i) + "\"}\n";
  return rows;
}

}  // namespace

TEST_CASE("pages are read until the last one, whatever leads from one to the next", "[http][pages]") {
  HttpWorld world;
  for (auto arguments : {args({{"path", "linked"}}),
                         args({{"path", "urls"}, {"next", "cursor"}, {"items", "/data"}, {"cursor", "/next"}}),
                         args({{"path", "cursors"},
                               {"next", "cursor"},
                               {"items", "/data/items"},
                               {"cursor", "/meta/next"},
                               {"parameter", "from"}}),
                         args({{"path", "numbered"}, {"next", "page"}, {"parameter", "page"}})}) {
    const auto output = world.pages(arguments);
    INFO(arguments.at(Value("path")).as_string());
    REQUIRE(classes_of(output).empty());
    CHECK(world.rows_of(*output) == seven_rows());
    CHECK(*output->find("count") == Value(7));
    CHECK(output->find("pages")->as_int() >= 3);
    CHECK(*output->find("columns") == Value(ValueList{"id", "name"}));
  }
}

TEST_CASE("pages stay at their origin and below the policy's paths", "[http][pages][ssrf]") {
  HttpWorld world("url: \"" + scripted().url() + "/api\"",
                  "{allow: [{methods: [GET], paths: [\"/api/*\"]}], clear_text: true, addresses: [loopback]}");
  const auto to = [&](const char* where) {
    return classes_of(world.pages(args({{"path", "linked"}, {"query", Value(args({{"to", where}}))}})));
  };
  CHECK(to("http://169.254.169.254/?n=") == "invalid");
  CHECK(to("//localhost/?n=") == "invalid");
  CHECK(to("/other/linked?from=") == "policy");
  CHECK(scripted().requests().size() == 3);
}

TEST_CASE("what a list must not be is an error", "[http][pages]") {
  HttpWorld world("url: \"" + scripted().url() + "\"", test::kOpenPolicy, "{rows: 5}");
  CHECK(classes_of(world.pages(args({{"path", "linked"}}))) == "too_large");
  CHECK(classes_of(world.pages(args({{"path", "linked"}, {"max_pages", 1}}))) == "too_large");
  CHECK(classes_of(world.pages(args({{"path", "echo"}}))) == "format");
  CHECK(classes_of(world.pages(args({{"path", "packed"}}))) == "format");
  CHECK(classes_of(world.pages(args({{"path", "linked"}, {"items", "/none"}}))) == "format");
  CHECK(classes_of(world.pages(
            args({{"path", "linked"}, {"query", Value(args({{"to", "linked?to=linked%3Ffrom=&x="}}))}}))) != "");
  CHECK(classes_of(world.pages(args({{"path", "status"}, {"query", Value(args({{"code", 503}}))}}))) ==
        "status:503 connection");
  CHECK(classes_of(world.pages(args({{"path", "linked"}, {"next", "cursor"}}))) == "invalid");
  CHECK(classes_of(world.pages(args({{"path", "linked"}, {"next", "page"}}))) == "invalid");
  const auto chosen = world.pages(args(
      {{"path", "numbered"}, {"query", Value(args({{"page", 3}}))}, {"columns", Value(ValueList{"name", "none"})}}));
  REQUIRE(classes_of(chosen).empty());
  CHECK(world.rows_of(*chosen) == "{\"name\":\"item 7\",\"none\":null}\n");
}

TEST_CASE("the link to the next page is found as RFC 8288 says", "[http][pages]") {
  CHECK(next_link("</a>; rel=next") == "/a");
  CHECK(next_link("</a>; rel=\"prev\", </b>;rel = \"last NEXT\"; x=\"y\"") == "/b");
  CHECK(next_link("</a>; title=\"</b>; rel=next\"; rel=prev") == "");
  CHECK(next_link("</a>; title=\"\\\"\"; rel=next") == "/a");
  CHECK(next_link("</a>; rel=prev; rel=next") == "");
  CHECK(next_link("</a>, </b>; rel=nexto, <c") == "");
  CHECK(next_link("<>; rel=next") == "");
  CHECK(next_link("") == "");
  CHECK(next_link("</a>; rel=\"next") == "/a");
}

TEST_CASE("a JSON pointer finds what RFC 6901 says", "[http][pages]") {
  const auto value = parse_json(R"({"a":[1,{"b/c":2,"d~e":3}],"":4})").value();
  CHECK(*find_by_pointer(value, "") == value);
  CHECK(*find_by_pointer(value, "/a/0") == Value(1));
  CHECK(*find_by_pointer(value, "/a/1/b~1c") == Value(2));
  CHECK(*find_by_pointer(value, "/a/1/d~0e") == Value(3));
  CHECK(*find_by_pointer(value, "/") == Value(4));
  for (const char* nothing : {"/a/2", "/a/00", "/a/-", "/a/0/b", "/b", "a", "/a/1/b~2c", "/a/1/b~"}) {
    INFO(nothing);
    CHECK(find_by_pointer(value, nothing) == nullptr);
  }
}
