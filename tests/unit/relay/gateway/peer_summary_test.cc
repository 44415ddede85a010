#include "relay/gateway/peer_summary.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::gateway;
using store::ConnectionHealth;

namespace {

const OrgId kOrg("org_A");
const AgentId kAgent("agt_1");
const WallTime kNow = from_unix_ms(5'000);

Result<std::vector<ToldConnection>> read(std::string_view json) { return connections_of(kOrg, kAgent, json, kNow); }

std::string many(std::size_t count) {
  std::string list;
  for (std::size_t i = 0; i < count; ++i) list += fmt::format("{}{{\"name\":\"c{}\"}}", i == 0 ? "" : ",", i);
  return "{\"connections\":[" + list + "]}";
}

}  // namespace

TEST_CASE("connections of a summary, with their health", "[gateway]") {
  const auto got = read(R"({"connections":[
    {"name":"erp-db","kind":"sql","health":"healthy","detail":"","later":1},
    {"name":"share","kind":"file","health":"failing","detail":"no such directory"},
    {"name":"new","kind":"sql","health":"splendid"}], "policy":{"x":1}})");
  REQUIRE(got);
  REQUIRE(got->size() == 3);
  CHECK((*got)[0].connection.name == "erp-db");
  CHECK((*got)[0].connection.org == kOrg);
  CHECK((*got)[0].connection.agent == kAgent);
  CHECK((*got)[0].connection.health == ConnectionHealth::healthy);
  CHECK((*got)[0].connection.checked_at == kNow);
  CHECK((*got)[1].connection.health == ConnectionHealth::failing);
  CHECK((*got)[1].detail == "no such directory");
  CHECK((*got)[2].connection.health == ConnectionHealth::unknown);
  CHECK_FALSE((*got)[2].connection.checked_at);
}

TEST_CASE("the time of a use is the agent's, never in the future", "[gateway][health]") {
  struct Case {
    std::string_view at_ms;
    std::int64_t checked;
  };
  for (const auto& [at_ms, checked] :
       {Case{"4000", 4'000}, {"5000", 5'000}, {"5001", 5'000}, {"-7", 0}, {"9000000000000000000", 5'000}}) {
    INFO(at_ms);
    const auto got = read(
        fmt::format(R"({{"connections":[{{"name":"a","health":"failing","detail":"timeout","at_ms":{}}}]}})", at_ms));
    REQUIRE(got);
    CHECK((*got)[0].connection.checked_at == from_unix_ms(checked));
  }
}

TEST_CASE("no connections is no error", "[gateway]") {
  for (const std::string_view json : {"", "{}", "{\"connections\":[]}"}) {
    INFO(json);
    const auto got = read(json);
    REQUIRE(got);
    CHECK(got->empty());
  }
}

TEST_CASE("the most there may be, and no more", "[gateway]") {
  const auto most = read(many(1'000));
  REQUIRE(most);
  CHECK(most->size() == 1'000);
  CHECK(read(many(1'001)).error().code == Errc::too_large);
  const std::string name(200, 'n');
  CHECK(read("{\"connections\":[{\"name\":\"" + name + "\"}]}").has_value());
  CHECK(read("{\"connections\":[{\"name\":\"" + name + "n\"}]}").error().code == Errc::invalid);
}

TEST_CASE("what is no summary is refused as a whole", "[gateway]") {
  struct Case {
    std::string what;
    std::string json;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"no JSON", "erp-db", ""},
      {"a list", "[]", "no object"},
      {"a text", "\"connections\"", "no object"},
      {"connections is no list", R"({"connections":{"name":"a"}})", "no list"},
      {"an entry is a text", R"({"connections":["a"]})", "without a name"},
      {"no name", R"({"connections":[{"kind":"sql"}]})", "without a name"},
      {"name is a number", R"({"connections":[{"name":1}]})", "no short text"},
      {"detail is a map", R"({"connections":[{"name":"a","detail":{}}]})", "detail"},
      {"health is null", R"({"connections":[{"name":"a","health":null}]})", "health"},
      {"a time in words", R"({"connections":[{"name":"a","at_ms":"now"}]})", "at_ms"},
      {"the same name twice", R"({"connections":[{"name":"a"},{"name":"a"}]})", "twice"},
      {"one good, one bad", R"({"connections":[{"name":"a"},{}]})", "without a name"},
      {"too deep", std::string(9, '[') + std::string(9, ']'), ""},
      {"too large", "{\"x\":\"" + std::string(256u << 10, 'x') + "\"}", ""},
      {"broken UTF-8", "{\"connections\":[{\"name\":\"\xc3\x28\"}]}", ""},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    const auto outcome = read(one.json);
    REQUIRE_FALSE(outcome);
    CHECK((outcome.error().code == Errc::invalid || outcome.error().code == Errc::too_large));
    CHECK(outcome.error().message.find(one.fragment) != std::string::npos);
  }
}
