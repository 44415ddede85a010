// sql.batch@1 on every database: many rows, exact counts, the row that failed by its number, one effect for each key.
#include "shared/base/json.h"
#include "tests/contract/connectors/sql/databases.h"
#include "tests/support/memory.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;
using Engine = test::SqlWorld::Engine;
using Way = test::SqlWorld::Way;

namespace {

constexpr const char* kInsert = "insert into orders (id, name) values (:id, :name)";

Value row(std::initializer_list<std::pair<const char*, Value>> entries) { return Value(args(entries)); }

Value order(std::int64_t id, std::string_view name = "n") { return row({{"id", id}, {"name", Value(name)}}); }

// Orders 1 to `count`, of which one may be another row.
Value orders(std::int64_t count, std::int64_t odd = 0, const Value& instead = {}) {
  ValueList rows;
  for (std::int64_t id = 1; id <= count; ++id) rows.push_back(id == odd ? instead : order(id));
  return Value(std::move(rows));
}

// Rows that are made as they are read; tells of each.
class MadeRows final : public HandleOpener {
 public:
  using Told = std::function<void(std::int64_t)>;
  explicit MadeRows(Told told = {}) : told_(std::move(told)) {}
  std::string_view kind() const override { return "made"; }
  StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle&, Bodies&) override {
    return step_fail("invalid", "no bytes");
  }
  StepResult<std::unique_ptr<RowReader>> open_rows(const Handle& handle, Bodies&) override {
    return std::make_unique<Reader>(handle.attributes.at(Value("count")).as_int(), told_);
  }

  static Value of(std::int64_t count) { return Value(Handle{"made", args({{"count", count}})}); }

 private:
  class Reader final : public RowReader {
   public:
    Reader(std::int64_t count, Told told) : count_(count), told_(std::move(told)) {}
    const std::vector<std::string>& columns() const override { return columns_; }
    StepResult<std::optional<Value>> next() override {
      if (at_ == count_) return std::nullopt;
      if (told_) told_(at_ + 1);
      return order(++at_, std::string(1'000, 'x'));
    }

   private:
    std::vector<std::string> columns_{"id", "name"};
    std::int64_t count_, at_ = 0;
    Told told_;
  };
  Told told_;
};

StepResult<Value> batch(test::SqlWorld& world, const Value& rows, ValueMap more = {}, const char* statement = kInsert) {
  more.emplace(Value("statement"), Value(statement));
  more.emplace(Value("rows"), rows);
  return world.run("sql.batch@1", std::move(more));
}

std::string told(const StepResult<Value>& output) {
  return output ? to_json(*output) : fmt::format("{}: {}", output.error().classes.back(), output.error().message);
}

}  // namespace

TEST_CASE("a batch writes each row once, in one transaction", "[sql][batch]") {
  auto world = test::SqlWorld::every();
  CHECK(told(batch(world, orders(1'203))) == R"({"affected":1203,"rows":1203})");
  CHECK(world.sql("select count(*), min(id), max(id) from orders") == "1203|1|1203");
  world.agent->idempotency_key = "key-2";
  const char* update = "update orders set name = :name where id > :id";
  const Value two(ValueList{order(1'200, "x"), order(1'202, "y")});
  CHECK(told(batch(world, two, {}, update)) == R"({"affected":4,"rows":2})");
  CHECK(world.sql("select name from orders where id > 1200 order by id") == "x\nx\ny");
  world.agent->idempotency_key = "key-3";
  CHECK(told(batch(world, Value(ValueList{}))) == R"({"affected":0,"rows":0})");
}

TEST_CASE("the row that failed is named by its number, and nothing of the batch stays", "[sql][batch]") {
  auto world = test::SqlWorld::every();
  const auto twice = batch(world, orders(1'203, 734, order(733, "c4n4ry")));
  REQUIRE_FALSE(twice);
  CHECK(twice.error().classes == std::vector<std::string>{"sqlstate:23505", "constraint"});
  CHECK(twice.error().message.starts_with("row 734: "));
  CHECK_FALSE(twice.error().message.contains("c4n4ry"));
  CHECK(told(batch(world, orders(1'203, 734, row({{"id", 734}})))) ==
        "invalid: row 734: the parameter :name has no value");
  CHECK(told(batch(world, orders(600, 600, Value("c4n4ry")))) == "invalid: row 600 is no map of columns");
  CHECK(world.sql("select count(*) from orders") == "0");
  CHECK(told(batch(world, orders(3))) == R"({"affected":3,"rows":3})");  // the same key, and the session is fine
}

TEST_CASE("with commit_every and a ledger a batch goes on where it was", "[sql][batch][ledger]") {
  auto world = test::SqlWorld::every();
  world.sql("insert into orders (id, name) values (734, 'in the way')");
  const auto by_500 = args({{"commit_every", 500}});
  const auto failed = batch(world, orders(1'203), by_500);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().classes == std::vector<std::string>{"sqlstate:23505", "constraint"});
  CHECK(failed.error().message.starts_with("row 734: "));
  CHECK(failed.error().message.ends_with("; the 500 rows before are committed"));
  CHECK(world.sql("select count(*) from orders") == "501");
  world.sql("delete from orders where id = 734");
  for (int run = 0; run < 2; ++run) {
    CHECK(told(batch(world, orders(1'203), by_500)) == R"({"affected":1203,"rows":1203})");
    CHECK(world.sql("select count(*) from orders") == "1203");
  }
  CHECK(world.sql("select count(*), sum(affected) from sallyport_effects") == "3|1203");
  CHECK(world.actions["sql.batch@1"]->keeps_ledger("db", Value(by_500)));
}

TEST_CASE("without a ledger what is committed already leaves a batch in doubt", "[sql][batch]") {
  auto world = test::SqlWorld::every();
  const auto failed =
      batch(world, orders(20, 15, order(14, "c4n4ry")), args({{"commit_every", 10}, {"exactly_once", false}}));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().classes == std::vector<std::string>{"in_doubt"});
  CHECK(failed.error().message.starts_with("row 15: "));
  CHECK(failed.error().message.ends_with("; the 10 rows before are committed"));
  CHECK(world.sql("select count(*) from orders") == "10");
  CHECK_FALSE(world.actions["sql.batch@1"]->keeps_ledger("db", Value(args({{"exactly_once", false}}))));
  const auto first = batch(world, orders(5, 5, order(1)), args({{"commit_every", 10}, {"exactly_once", false}}));
  CHECK(first.error().classes.back() == "constraint");  // nothing was committed
}

TEST_CASE("a batch run again with its key has one effect and the same output", "[sql][batch][ledger]") {
  auto world = test::SqlWorld::every();
  for (int run = 0; run < 2; ++run) {
    CHECK(told(batch(world, orders(700), {}, "insert into items (order_id, note) values (null, :name)")) ==
          R"({"affected":700,"rows":700})");
    CHECK(world.sql("select count(*) from items") == "700");
  }
}

TEST_CASE("a batch writes rows, as the policy allows", "[sql][batch]") {
  auto world = test::SqlWorld::every();
  CHECK(told(batch(world, orders(1), {}, "select :id as id")).starts_with("invalid: sql.batch writes rows"));
  CHECK(batch(world, orders(1), {}, "drop table orders").error().error_class() == "policy");
}

TEST_CASE("a batch of more rows than the policy allows is taken back", "[sql][batch][bounds]") {
  test::SqlWorld world(Engine::postgres);
  world.agent->bodies.add(std::make_unique<MadeRows>());
  CHECK(told(batch(world, MadeRows::of(50'001))) ==
        "too_large: more than 50000 rows, the limit of the local policy (limits.rows)");
  CHECK(world.sql("select count(*) from orders") == "0");
}

TEST_CASE("rows that a batch's statement returns are dropped, and counted", "[sql][batch]") {
  auto world = test::SqlWorld::every();
  const auto returning = "insert into orders (id, name) values (:id, :name) returning id";
  CHECK(batch(world, orders(502), {}, returning)->find("rows")->as_int() == 502);
  CHECK(world.sql("select count(*) from orders") == "502");
}

TEST_CASE("many rows of a plain insert arrive by COPY as they would by inserts", "[sql][batch][postgres]") {
  test::SqlWorld world(Engine::postgres);
  world.sql(
      "create table plain (\"an id\" bigint primary key, t text, n numeric(6,2), b bytea, ok boolean, at timestamptz, "
      "j jsonb, f float8, d text default 'as always')");
  ValueList rows;
  for (std::int64_t id = 1; id <= 600; ++id) {
    const bool odd = id % 2 == 1;
    rows.push_back(row({{"id", id},
                        {"t", odd ? Value("tab\there\\, line\nbreak\r\\N \\. é") : Value()},
                        {"n", Value("12.50")},
                        {"b", odd ? Value(Bytes{std::byte{0}, std::byte{'\\'}, std::byte{0xff}}) : Value(Bytes{})},
                        {"ok", Value(odd)},
                        {"at", Value("2026-01-31T09:30:00.5Z")},
                        {"j", Value(args({{"a", Value("b\"\\")}}))},
                        {"f", Value(odd ? -0.0 : 1e300)}}));
  }
  const auto statement =
      "insert into public.plain (\"an id\", t, n, b, ok, at, j, f) values (:id, :t, :n, :b, :ok, :at, :j, :f)";
  const auto digest = "select count(*), md5(string_agg(p::text, '' order by \"an id\")) from plain as p";
  REQUIRE(told(batch(world, Value(rows), args({{"exactly_once", false}}), statement)) ==
          R"({"affected":600,"rows":600})");
  const auto copied = world.sql(digest);
  CHECK(copied.starts_with("600|"));
  CHECK(world.sql("select count(distinct cmin::text) from plain") == "1");  // one command

  world.sql(
      "truncate plain; create rule watched as on delete to plain do also nothing");  // so that COPY is not the same
  REQUIRE(told(batch(world, Value(rows), args({{"exactly_once", false}}), statement)) ==
          R"({"affected":600,"rows":600})");
  CHECK(world.sql(digest) == copied);
  CHECK(world.sql("select count(distinct cmin::text) from plain") == "600");
}

TEST_CASE("COPY is not used where it does something else than inserts", "[sql][batch][postgres]") {
  test::SqlWorld world(Engine::postgres);
  const auto commands = [&](std::string_view setup, std::string_view from, const char* statement = kInsert,
                            const Value& rows = orders(100)) {
    world.sql("drop table if exists orders cascade; create table orders (id bigint, name text)");
    world.sql(setup);
    const auto output = batch(world, rows, args({{"exactly_once", false}}), statement);
    if (!output) return output.error().error_class();
    return world.sql(fmt::format("select count(*), count(distinct cmin::text) from {}", from));
  };
  CHECK(commands("select 1", "orders") == "100|1");  // positive control
  CHECK(commands("create table log (id bigint, name text); create rule divert as on insert to orders do instead insert "
                 "into log values (new.id, new.name)",
                 "log") == "100|100");
  CHECK(commands(
            "create function f() returns trigger language plpgsql as 'begin return new; end'; create trigger t before "
            "insert on orders execute function f()",
            "orders") == "100|100");
  CHECK(commands("alter table orders enable row level security", "orders") == "100|100");
  CHECK(commands("drop table orders; create table orders (id bigint generated always as identity, name text)",
                 "orders") == "sqlstate:428C9");
  CHECK(commands("select 1", "orders", "insert into orders (id, name) values (:id, upper(:name))") == "100|100");
  CHECK(commands("alter table orders add unique (id)", "orders",
                 "insert into orders (id, name) values (:id, :name) on conflict do nothing") == "100|100");
  CHECK(commands("drop table orders; create table parts (id bigint, name text) partition by range (id); create table "
                 "orders partition of parts default",
                 "orders") == "100|100");

  const auto named = [](const auto& name) {
    ValueList rows;
    for (std::int64_t id = 1; id <= 100; ++id) rows.push_back(row({{"id", id}, {"name", name(id)}}));
    return Value(std::move(rows));
  };
  const auto next = named([](std::int64_t id) { return Value(std::min<std::int64_t>(id + 1, 100)); });
  CHECK(commands("drop table orders; create table orders (id bigint primary key, name bigint references orders)",
                 "orders", kInsert, next) == "sqlstate:23503");
  CHECK(commands("alter table orders alter name type interval minute using null", "orders", kInsert,
                 named([](std::int64_t) { return Value("90"); })) == "100|100");
  CHECK(world.sql("select distinct name from orders") == "00:01:00");
  CHECK(commands("alter table orders alter name type interval minute[] using null", "orders", kInsert,
                 named([](std::int64_t) { return Value("{90}"); })) == "100|100");
  CHECK(world.sql("select distinct name from orders") == "{00:01:00}");
}

TEST_CASE("a row that COPY cannot take is named by its number, as the others are", "[sql][batch][postgres]") {
  test::SqlWorld world(Engine::postgres);
  CHECK(told(batch(world, orders(900, 700, row({{"id", 700}, {"name", Value(std::string("a\0b", 3))}}))))
            .starts_with("invalid: row 700: "));
  const auto refused = told(batch(world, orders(900, 700, row({{"id", "seven"}, {"name", "n"}}))));
  CHECK_THAT(refused, Catch::StartsWith("invalid: row 700: "));
  CHECK(world.sql("select count(*) from orders") == "0");
}

// The check refuses once, and would let the same rows through if they came again.
TEST_CASE("a COPY that ends for no fault of a row is not run again by other means", "[sql][batch][postgres]") {
  test::SqlWorld world(Engine::postgres);
  const auto after = [&](std::string_view sqlstate) {
    world.sql(
        fmt::format("drop table if exists orders cascade; drop sequence if exists calls; create sequence calls; create "
                    "or replace function once(bigint) returns boolean language plpgsql as 'begin if "
                    "nextval(''calls'') = 70 then raise exception ''x'' using errcode = ''{}''; end if; return true; "
                    "end'; create table orders (id bigint check (once(id)), name text)",
                    sqlstate));
    const auto output = batch(world, orders(100), args({{"exactly_once", false}}));
    return fmt::format("{}, {} stay", output ? "done" : output.error().error_class(),
                       world.sql("select count(*) from orders"));
  };
  CHECK(after("23514") == "done, 100 stay");  // positive control: the second time it goes through
  CHECK(after("P0001") == "done, 100 stay");
  CHECK(after("57014") == "timeout, 0 stay");
  for (const char* sqlstate : {"55P03", "40P01", "53200"})
    CHECK(after(sqlstate) == fmt::format("sqlstate:{}, 0 stay", sqlstate));
}

// A session tells others of 64 subtransactions; once it has more, all of them look for each of its rows on the disk.
TEST_CASE("many pieces of a COPY are few subtransactions, and one that fails says which rows it had",
          "[sql][batch][postgres]") {
  test::SqlWorld world(Engine::postgres);
  world.agent->bodies.add(std::make_unique<MadeRows>());
  const auto made = MadeRows::of(40'000);
  REQUIRE(told(batch(world, made)) == R"({"affected":40000,"rows":40000})");
  CHECK(world.sql("select count(distinct xmin::text) > 30, count(distinct xmin::text) < 60 from orders") == "t|t");
  CHECK(world.sql("select count(distinct cmin::text) < 1000 from orders") == "t");  // by COPY, to the last

  world.sql("truncate orders, items; insert into orders (id) values (39990)");
  world.agent->idempotency_key = "key-2";
  const auto failed = batch(world, made);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().classes == std::vector<std::string>{"sqlstate:23505", "constraint"});
  std::int64_t first = 0, after = 0;
  INFO(failed.error().message);
  REQUIRE(
      RE2::PartialMatch(failed.error().message, R"(^row (\d+): it, or one of the (\d+) after it: )", &first, &after));
  CHECK(first <= 39'990);
  CHECK(first + after >= 39'990);
  CHECK(world.sql("select count(*) from orders") == "1");
}

TEST_CASE("a stop ends a batch and takes it back", "[sql][batch]") {
  auto world = test::SqlWorld::every();
  std::stop_source stop;
  world.agent->stop = stop;
  world.agent->bodies.add(std::make_unique<MadeRows>([&](std::int64_t at) {
    if (at == 2'000) stop.request_stop();
  }));
  CHECK(batch(world, MadeRows::of(20'000)).error().error_class() == "cancelled");
  CHECK(world.sql("select count(*) from orders") == "0");
}

// SALLYPORT_TEST_ROWS gives another number of rows, such as 1000000.
TEST_CASE("a batch of very many rows holds few of them", "[sql][batch][memory]") {
  auto world = test::SqlWorld::every(1'000'000);
  const char* wanted = std::getenv("SALLYPORT_TEST_ROWS");
  const std::int64_t count = wanted != nullptr ? std::atoll(wanted) : world.way == Way::odbc ? 4'000 : 20'000;
  world.agent->patience = 10min;
  world.agent->bodies.add(std::make_unique<MadeRows>());
  const test::PeakMemory peak;
  const auto output = batch(world, MadeRows::of(count));
  REQUIRE(told(output) == fmt::format(R"({{"affected":{0},"rows":{0}}})", count));
  CHECK(peak.grown() < 16u << 20);
  CHECK(world.sql("select count(*) from orders") == std::to_string(count));
}
