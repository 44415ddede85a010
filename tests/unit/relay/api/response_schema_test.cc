#include "tests/unit/relay/api/response_schema.h"

#include "shared/base/json.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>

// What answers are measured by.
using namespace sallyport;
using namespace sallyport::test;

TEST_CASE("an answer that is not what the document says is found", "[api][openapi]") {
  const auto schema = parse_json(R"({"type":"object","required":["id","n"],"properties":{
      "id":{"type":"string","pattern":"^a_"},"n":{"type":["integer","null"],"minimum":1},
      "kind":{"type":"string","enum":["x","y"]},"at":{"type":"string","format":"date-time"},
      "list":{"type":"array","items":{"type":"boolean"}},"link":{"oneOf":[{"type":"string"},{"type":"null"}]},
      "free":{"type":"object","additionalProperties":true}}})");
  const std::pair<std::string, std::string> rows[] = {
      {R"({"id":"a_1","n":1})", ""},
      {R"({"id":"a_1","n":null,"kind":"y","at":"2026-01-02T03:04:05Z","list":[true],"link":null,"free":{"q":1}})", ""},
      {R"([])", "another type"},
      {R"({"id":"a_1"})", "lacks n"},
      {R"({"id":"a_1","n":1,"secret":2})", "must not have secret"},
      {R"({"id":"b_1","n":1})", "/id: does not fit"},
      {R"({"id":"a_1","n":"1"})", "/n: has another type"},
      {R"({"id":"a_1","n":1.5})", "/n: has another type"},
      {R"({"id":"a_1","n":0})", "/n: is too small"},
      {R"({"id":"a_1","n":1,"kind":"z"})", "/kind: is none"},
      {R"({"id":"a_1","n":1,"at":"yesterday"})", "/at: is no date-time"},
      {R"({"id":"a_1","n":1,"list":[true,1]})", "/list/1: has another type"},
      {R"({"id":"a_1","n":1,"link":1})", "/link: fits 0"},
  };
  for (const auto& [text, expected] : rows) {
    INFO(text);
    const auto fault = misfit_by(*schema, *parse_json(text));
    CHECK(fault.empty() == expected.empty());
    CHECK(fault.find(expected) != std::string::npos);
  }
  CHECK(misfit_by(*parse_json(R"({"not":{}})"), Value(1)).find("unknown keyword") != std::string::npos);
}
