// What a server sends is bounded in memory, whatever the statement asked for.
#include "tests/support/memory.h"
#include "tests/contract/connectors/sql/databases.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using Engine = test::SqlWorld::Engine;

namespace {

constexpr std::size_t kFlat = 32u << 20;

// Text of `bytes` characters, made by the server.
std::string text_of(const test::SqlWorld& world, int bytes) {
  return world.engine == Engine::sqlite ? fmt::format("hex(zeroblob({}))", bytes / 2)
                                        : fmt::format("repeat('x', {})", bytes);
}

std::string numbers_to(int count) {
  return fmt::format("with recursive n(i) as (select 1 union all select i + 1 from n where i < {})", count);
}

std::string error_of(const connectors::StepResult<Value>& output) {
  return output ? "none" : output.error().error_class() + ": " + output.error().message;
}

}  // namespace

TEST_CASE("rows that sql.execute and sql.transaction return are dropped one by one", "[sql][memory]") {
  auto world = test::SqlWorld::any();
  world.agent->patience = 5min;
  const auto wide = text_of(world, 4'000);
  const auto changing =
      "insert into orders (id) " + numbers_to(50'000) + " select i from n returning " + wide + " as t";  // 200 MB
  const auto reading = numbers_to(50'000) + " select i, " + wide + " as t from n";
  {
    const test::PeakMemory peak;
    const auto changed = world.run("sql.execute@1", args({{"statement", Value(changing)}}));
    REQUIRE(error_of(changed) == "none");
    CHECK(changed->find("affected")->as_int() == 50'000);
    CHECK(peak.grown() < kFlat);
  }
  {
    const test::PeakMemory peak;
    const Value one(args({{"statement", Value(reading)}}));
    CHECK(error_of(world.run("sql.transaction@1", args({{"statements", Value(ValueList{one})}}))) == "none");
    CHECK(peak.grown() < kFlat);
  }
  const test::PeakMemory control;  // positive control: holding a quarter of it is noticed
  const std::string held(50'000 * 1'000, 'x');
  CHECK(control.grown() > kFlat);
  CHECK(held.size() == 50'000'000);
}

TEST_CASE("rows that a change returns are held to the policy's limits", "[sql][memory][bounds]") {
  auto world = test::SqlWorld::any();
  world.agent->patience = 5min;
  const auto insert = [&](int count, const std::string& returned) {
    const auto statement = "insert into orders (id) " + numbers_to(count) + " select i from n returning " + returned;
    return error_of(world.run("sql.execute@1", args({{"statement", Value(statement)}})));
  };
  CHECK(insert(50'001, "id") ==
        "too_large: the statements return more than 50000 rows, the limit of the local policy (limits.rows)");
  CHECK(world.sql("select count(*) from orders") == "0");
  const test::PeakMemory peak;
  CHECK(insert(50'000, text_of(world, 8'000) + " as t") ==
        "too_large: the statements return more than 268435456 bytes, the limit of the local policy (limits.bytes)");
  CHECK(peak.grown() < kFlat);
  CHECK(world.sql("select count(*) from orders") == "0");
  CHECK(insert(10, "id") == "none");  // and the connection is fine afterwards
}

TEST_CASE("the limits count what all sets of parameters return together", "[sql][bounds]") {
  auto world = test::SqlWorld::any();
  const auto twice = numbers_to(30'000) + " select i + :by as i from n";
  const Value sets(ValueList{Value(args({{"by", 1}})), Value(args({{"by", 2}}))});
  CHECK(error_of(world.execute(twice, sets)) ==
        "too_large: the statements return more than 50000 rows, the limit of the local policy (limits.rows) (set of "
        "parameters number 2)");
}

TEST_CASE("a row that nobody could read back is refused by its number", "[sql][bounds]") {
  auto world = test::SqlWorld::any();
  const auto query = [&](const std::string& second) {
    return error_of(world.run("sql.query@1",
                              args({{"statement", Value("select 1 as i, 'x' as t union all select 2, " + second)}})));
  };
  const std::string refused = "too_large: row 2 is larger than 4194304 bytes, the limit for one row";
  CHECK(query(text_of(world, 4'000'000)) == "none");
  CHECK(query(text_of(world, 4'200'000)) == refused);
  CHECK(query("'small'") == "none");
}

TEST_CASE("a value that fills the machine ends its step, and not the agent", "[sql][memory][bounds]") {
  auto world = test::SqlWorld::any();
  const test::PeakMemory peak;
  const auto output =
      world.run("sql.query@1", args({{"statement", Value("select " + text_of(world, 120'000'000) + " as t")}}));
  CHECK(error_of(output).substr(0, 11) == "too_large: ");
  CHECK(peak.grown() < (world.engine == Engine::mariadb ? kFlat : 480'000'000));  // libpq holds a row twice at worst
  const test::PeakMemory later;
  CHECK(error_of(world.run("sql.query@1", args({{"statement", "select 1 as one"}}))) == "none");
  CHECK(later.grown() < kFlat);
}

TEST_CASE("a flood of notices is passed over", "[sql][postgres][memory]") {
  test::SqlWorld world(Engine::postgres);
  world.agent->patience = 5min;
  world.sql(
      "create function flood() returns int language plpgsql as $$ begin for i in 1..100000 loop raise info '%', "
      "repeat('x', 2000); end loop; return 1; end $$");
  const test::PeakMemory peak;
  const auto output = world.run("sql.query@1", args({{"statement", "select flood() as one"}}));
  CHECK(error_of(output) == "none");
  CHECK(peak.grown() < kFlat);
}
