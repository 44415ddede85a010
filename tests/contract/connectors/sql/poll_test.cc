// sql.poll@1 on every database.
#include "agent/connectors/sql/poll_batch.h"
#include "agent/connectors/sql/poll_trigger.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/sql/databases.h"
#include "tests/support/async_test.h"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using sql::PollBatch;
using test::args;
namespace asio = boost::asio;

namespace {

constexpr const char* kStatement = "select id, name from orders where id > :cursor order by id";

// A polled database, and what the sink was given.
struct Polled {
  test::SqlWorld world;
  asio::thread_pool pool{1};
  sql::PollTrigger trigger{world.agent->site(), sql::make_databases(world.agent->site()), pool};
  std::vector<TriggerEvent> events;
  std::vector<std::string> troubles;
  int failures = 0;  // of the sink, before it takes an event
  Event changed;
  std::unique_ptr<TaskGroup> tasks;
  std::optional<StepResult<void>> ended;

  Polled(asio::any_io_executor executor, test::SqlWorld::Engine engine,
         test::SqlWorld::Way way = test::SqlWorld::Way::native)
      : world(engine, way), changed(executor), executor_(executor) {}

  void start(ValueMap arguments, std::optional<std::string> cursor = {}) {
    tasks = std::make_unique<TaskGroup>(executor_, [](auto&, auto) { FAIL("no task throws"); });
    tasks->spawn("poll", poll(std::move(arguments), std::move(cursor)));
  }
  asio::awaitable<void> poll(ValueMap arguments, std::optional<std::string> cursor) {
    const auto bound = recipe::bind_arguments(*recipe::find_trigger("sql.poll@1"), Value(std::move(arguments)));
    if (!bound) FAIL(bound.error().front().message);
    auto sink = [this](TriggerEvent event) { return take(std::move(event)); };
    auto trouble = [this](auto, std::string message) -> asio::awaitable<void> {
      troubles.push_back(std::move(message));
      changed.set();
      co_return;
    };
    ended = co_await trigger.run({"orders", "db", *bound, std::move(cursor)}, sink, trouble);
    changed.set();
  }
  asio::awaitable<StepResult<void>> take(TriggerEvent event) {
    if (failures > 0) {
      --failures;
      co_return step_fail("disk_full", "no room");
    }
    events.push_back(std::move(event));
    changed.set();
    co_return StepResult<void>();
  }
  asio::awaitable<void> until(std::function<bool()> done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      changed.clear();
      co_await changed.wait_until(deadline);
    }
    if (!done()) FAIL((ended && !*ended ? ended->error().message : "it did not come to that"));
  }
  asio::awaitable<void> stop() {
    tasks->stop();
    co_await tasks->join();
  }
  std::string seen() const {
    std::string all;
    for (const auto& event : events) {
      for (const auto& row : event.data.find("rows")->as_list()) all += to_json(*row.find("id")) + " ";
      all += "| ";
    }
    return all;
  }

 private:
  asio::any_io_executor executor_;
};

ValueMap poll_of(const char* statement, std::int64_t batch = 100) {
  return args({{"statement", statement}, {"cursor", "id"}, {"start", 0}, {"every", "1s"}, {"batch", batch}});
}

constexpr auto kSqlite = test::SqlWorld::Engine::sqlite;
constexpr auto kPostgres = test::SqlWorld::Engine::postgres;
constexpr auto kMariadb = test::SqlWorld::Engine::mariadb;

}  // namespace

ASYNC_TEST_CASE("a database is polled through ODBC", "[sql][poll][odbc]") {
  Polled polled(co_await asio::this_coro::executor, GENERATE(kPostgres, kMariadb), test::SqlWorld::Way::odbc);
  polled.world.sql("insert into orders values (1, 'a'), (2, 'b')");
  polled.start(poll_of(kStatement));
  co_await polled.until([&] { return polled.events.size() == 1; });
  polled.world.sql("insert into orders values (3, 'c')");
  co_await polled.until([&] { return polled.events.size() == 2; });
  CHECK(polled.seen() == "1 2 | 3 | ");
  co_await polled.stop();
}

ASYNC_TEST_CASE("each row beyond the cursor comes once, in batches, also over a restart", "[sql][poll]") {
  Polled polled(co_await asio::this_coro::executor, GENERATE(kSqlite, kPostgres, kMariadb));
  polled.world.sql("insert into orders values (1, 'a'), (2, 'b'), (3, null), (9007199254740993, 'e')");
  polled.start(poll_of(kStatement, 3));
  co_await polled.until([&] { return polled.events.size() == 2; });
  CHECK(polled.seen() == "1 2 3 | 9007199254740993 | ");
  CHECK(to_json(polled.events[0].data) ==
        R"({"count":3,"cursor":3,"rows":[{"id":1,"name":"a"},{"id":2,"name":"b"},{"id":3,"name":null}]})");
  CHECK(polled.events[0].natural_key != polled.events[1].natural_key);
  polled.world.sql("insert into orders values (9007199254740994, 'f')");
  co_await polled.until([&] { return polled.events.size() == 3; });
  co_await polled.stop();

  Polled again(co_await asio::this_coro::executor, polled.world.engine);
  again.world.sql("insert into orders values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')");
  again.start(poll_of(kStatement), polled.events[0].cursor);
  co_await again.until([&] { return again.events.size() == 1; });
  CHECK(again.seen() == "4 | ");
  co_await again.stop();
  CHECK(again.troubles.empty());
}

ASYNC_TEST_CASE("another start begins anew; another statement goes on", "[sql][poll]") {
  const auto executor = co_await asio::this_coro::executor;
  Polled first(executor, kSqlite);
  first.world.sql("insert into orders values (1, 'a'), (2, 'b')");
  first.start(poll_of(kStatement));
  co_await first.until([&] { return first.events.size() == 1; });
  const auto cursor = first.events[0].cursor;
  co_await first.stop();

  first.events.clear();
  auto changed = poll_of(kStatement);
  changed.insert_or_assign(Value("start"), Value(1));
  first.start(changed, cursor);
  co_await first.until([&] { return first.events.size() == 1; });
  CHECK(first.seen() == "2 | ");
  co_await first.stop();

  first.events.clear();
  first.world.sql("insert into orders values (3, 'c')");
  first.start(poll_of("select id from orders where id > :cursor order by id limit 10"), cursor);
  co_await first.until([&] { return first.events.size() == 1; });
  CHECK(first.seen() == "3 | ");
  co_await first.stop();
}

ASYNC_TEST_CASE("an event that could not be kept comes again", "[sql][poll]") {
  Polled polled(co_await asio::this_coro::executor, kSqlite);
  polled.world.sql("insert into orders values (1, 'a')");
  polled.failures = 1;
  polled.start(poll_of(kStatement));
  co_await polled.until([&] { return polled.events.size() == 1; });
  CHECK(polled.seen() == "1 | ");
  CHECK(polled.troubles.front() == "no room");
  co_await polled.until([&] { return polled.troubles.back().empty(); });
  co_await polled.stop();
}

ASYNC_TEST_CASE("what somebody has to mend ends the poll; what passes is waited out", "[sql][poll]") {
  const auto executor = co_await asio::this_coro::executor;
  const struct {
    const char* statement;
    const char* error_class;
  } faults[] = {{"select name from orders where id > :cursor", "invalid"},          // no cursor
                {"select id from orders", "invalid"},                               // the same rows again and again
                {"select id from orders where id >= :cursor", "invalid"},           // the last row again and again
                {"delete from orders where id > :cursor returning id", "invalid"},  // a poll that changes data
                {"select id from nothing where id > :cursor", "invalid"},
                {"drop table orders", "policy"}};
  for (const auto& [statement, error_class] : faults) {
    INFO(statement);
    Polled polled(executor, kPostgres);
    polled.world.sql("insert into orders values (0, 'z'), (1, 'a')");
    polled.start(poll_of(statement));
    co_await polled.until([&] { return polled.ended.has_value(); });
    REQUIRE_FALSE(*polled.ended);
    CHECK(polled.ended->error().classes.back() == error_class);
    CHECK(polled.events.empty());
  }
}

ASYNC_TEST_CASE("a poll that hangs ends with its recipe", "[sql][poll]") {
  Polled polled(co_await asio::this_coro::executor, GENERATE(kSqlite, kPostgres, kMariadb));
  polled.start(
      poll_of(polled.world.engine == kPostgres ? "select :cursor::bigint as id from (select pg_sleep(600)) as never"
              : polled.world.engine == kMariadb
                  ? "select :cursor + sleep(600) as id"
                  : "with recursive n(i) as (select :cursor union all select i + 1 from n) select max(i) as id "
                    "from n"));
  co_await sleep_for(300ms);
  const auto begun = std::chrono::steady_clock::now();
  co_await polled.stop();
  CHECK(std::chrono::steady_clock::now() - begun < 20s);  // it would have had 60 s
  CHECK(polled.events.empty());
}

namespace {

// What finish() gives for rows whose cursor is their number, as often as `cursors` has it.
std::string batch_of(std::initializer_list<Value> cursors, PollBatch::Limits limits) {
  PollBatch batch("c", Value(0), limits);
  REQUIRE(batch.begin({"c", "text"}));
  for (const auto& cursor : cursors) {
    if (const auto taken = batch.row({cursor, Value("0123456789")}); !taken && !batch.is_full())
      return taken.error().error_class();
    if (batch.is_full()) break;
  }
  const auto polled = batch.finish();
  if (!polled) return polled.error().error_class();
  if (!*polled) return "nothing";
  return std::to_string((*polled)->rows.size()) + " to " + to_json((*polled)->cursor);
}

}  // namespace

TEST_CASE("rows with one value of the cursor are not parted", "[sql][poll]") {
  CHECK(batch_of({1, 2, 3}, {10, 1000}) == "3 to 3");
  CHECK(batch_of({1, 2, 3}, {2, 1000}) == "2 to 2");
  CHECK(batch_of({1, 2, 2, 3}, {2, 1000}) == "1 to 1");
  CHECK(batch_of({1, 2, 2, 3}, {3, 1000}) == "3 to 2");
  CHECK(batch_of({2, 2, 2, 3}, {2, 1000}) == "too_large");
  CHECK(batch_of({"a", "b", "b"}, {2, 1000}) == "1 to \"a\"");
  CHECK(batch_of({1, 2, 3}, {10, 60}) == "2 to 2");  // bytes
  CHECK(batch_of({1}, {10, 10}) == "too_large");
  CHECK(batch_of({}, {10, 1000}) == "nothing");
  CHECK(batch_of({1, Value()}, {10, 1000}) == "invalid");
  CHECK(batch_of({0}, {10, 1000}) == "invalid");  // where it began
  CHECK(batch_of({1.5}, {10, 1000}) == "invalid");
}
