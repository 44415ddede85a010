#include "agent/connectors/json/json_items.h"
#include "agent/connectors/json/json_actions.h"
#include "agent/connectors/json/json_rows.h"
#include "shared/base/json.h"
#include "tests/support/connector_site.h"
#include "tests/support/memory.h"

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

struct Json {
  test::ConnectorSite agent{"connections: {}", "actions: [\"json.*\"]\n"};
  std::unique_ptr<Action> action;

  Json() {
    std::vector<std::unique_ptr<RowFormat>> formats;
    formats.push_back(std::make_unique<json::JsonFormat>());
    agent.bodies.add(std::make_unique<RowsOpener>(std::move(formats)));
    for (auto& made : json::make_actions(agent.site())) {
      if (made->name() == "json.read_rows@1") action = std::move(made);
    }
  }
  std::string rows_of(std::string_view text, std::string_view pointer = "") {
    const auto output =
        agent.run(*action, args({{"source", Value(agent.bodies.put(text))}, {"pointer", Value(pointer)}}));
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
};

std::string items_of(std::string_view text, std::size_t cut, json::JsonItemsLimits limits = {}) {
  auto items = *json::JsonItems::at("/a/b", limits);
  std::string all;
  bool failed = false;
  const auto drain = [&] {
    while (!failed) {
      auto item = items.next();
      failed = !item;
      if (failed) all += item.error().error_class() + ": " + item.error().message;
      if (failed || !*item) return;
      all += **item + ";";
    }
  };
  items.feed(as_bytes(text.substr(0, cut)));
  drain();
  items.feed(as_bytes(text.substr(cut)));
  drain();
  items.finish();
  drain();
  return all;
}

}  // namespace

TEST_CASE("the objects of an array are given one by one, wherever it stands", "[json]") {
  Json json;
  const std::string two = "{\"a\":1,\"b\":\"x]}\\\"\"}\n{\"a\":[{}],\"b\":null}\n";
  const std::string array = " [ {\"a\": 1, \"b\": \"x]}\\\"\"} ,\n{\"b\":null,\"a\":[{}]}\n] ";
  CHECK(json.rows_of(array) == two);
  CHECK(json.rows_of("[]").empty());
  CHECK(json.rows_of("{\"n\":-1.5e3,\"items\":" + array + ",\"t\":[[],{\"items\":[1]},true]}", "/items") == two);
  CHECK(json.rows_of("{\"items\":{\"items\":" + array + "}}", "/items/items") == two);
  CHECK(json.rows_of("{\"a/b~\":" + array + "}", "/a~1b~0") == two);
  CHECK(json.rows_of("{\"\":" + array + "}", "/") == two);
  CHECK(json.rows_of("{\"\\u0061\":" + array + "}", "/a") == two);
}

TEST_CASE("what is around the array is checked too", "[json]") {
  Json json;
  const auto fails = [&](const std::string& text, const std::string& why) {
    INFO(text);
    const auto rows = json.rows_of(text, "/i");
    CHECK(rows.contains("format: the JSON is wrong in line "));
    CHECK(rows.contains(why));
    CHECK_FALSE(rows.contains("c4n4ry"));
  };
  fails("{\"i\":[],\"i\":[]}", "is there twice");
  fails("{\"i\":{}}", "is no array");
  fails("{\"j\":[\"c4n4ry\"]}", "nothing where `pointer` leads");
  fails("[]", "nothing where");
  fails("", "ends in the middle");
  fails("{\"i\":[", "ends in the middle");
  fails("{\"i\":[{}]", "ends in the middle");
  fails("{\"i\":[{}]}x", "follows its end");
  fails("{\"i\":[{} {}]}", "a comma or the end");
  fails("{\"i\":[{}]]", "a comma or the end");
  fails("{\"i\":[1]}", "no object");
  fails("{\"i\":[{},]}", "no object");
  fails("{\"i\":[],c4n4ry:1}", "name of a member");
  fails("{\"i\":[],}", "name of a member");
  fails("{\"i\" []}", "colon");
  fails("{\"j\":c4n4ry,\"i\":[]}", "a text or number is wrong");
  fails("{\"j\":01,\"i\":[]}", "a text or number is wrong");
  fails("{\"j\":\"\\x\",\"i\":[]}", "a text or number is wrong");
  CHECK(json.rows_of("[{\"a\":c4n4ry}]").starts_with("format: the object that ends in line 1: "));
  CHECK_FALSE(json.rows_of("[{\"a\":c4n4ry}]").contains("c4n4ry"));
  CHECK(json.rows_of("[{\"$handle\":\"spool\"}]").starts_with("format: "));
  for (const auto* pointer : {"items", "/~2", "/~", "a/b"})
    CHECK(json.rows_of("[]", pointer).starts_with("invalid: `pointer`"));
}

TEST_CASE("an array survives being cut at every byte, and limits are kept", "[json]") {
  const std::string text = "{\"x\":{\"b\":[]},\"a\":{\"c\":12,\"b\":[{\"t\":\"ä]\\\\\"},{}]},\"z\":null}";
  const auto whole = items_of(text, 0);
  REQUIRE(whole == "{\"t\":\"ä]\\\\\"};{};");
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut after byte " << cut);
    CHECK(items_of(text, cut) == whole);
    CHECK(items_of(text, cut, {.item_bytes = 8}).starts_with("too_large: "));
    CHECK(items_of(text, cut, {.depth = 2}).starts_with("too_large: "));
  }
}

TEST_CASE("a document of any size is read as rows in flat memory", "[json]") {
  Json json;
  const int count = std::getenv("SALLYPORT_LARGE_TESTS") != nullptr ? 100'000 : 3'000;
  auto spool = *json.agent.bodies.new_spool("application/json");
  const std::string row = "{\"id\":1,\"text\":\"" + std::string(10'000, 'x') + "\"}";
  REQUIRE(spool->write(as_bytes("{\"items\":[" + row)));
  for (int i = 1; i < count; ++i) REQUIRE(spool->write(as_bytes("," + row)));
  REQUIRE(spool->write(as_bytes("]}")));
  const auto body = *spool->commit({});
  const test::PeakMemory memory;
  const auto output = json.agent.run(*json.action, args({{"source", Value(body)}, {"pointer", "/items"}}));
  REQUIRE(output);
  const auto rows = json.agent.bodies.open_rows(output->find("rows")->as_handle());
  REQUIRE(rows);
  int read = 0;
  for (auto next = (*rows)->next(); next && *next; next = (*rows)->next()) ++read;
  CHECK(read == count);
  CHECK(memory.grown() < 8u << 20);
}
