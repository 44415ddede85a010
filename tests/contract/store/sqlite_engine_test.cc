#include "relay/store/sqlite/engine.h"
#include "shared/async/task_group.h"
#include "tests/contract/store/world.h"
#include "tests/support/rethrow.h"

#include <sqlite3.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fstream>
#include <future>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using store::sqlite::Access;
using store::sqlite::Database;
using store::sqlite::Engine;
using store::sqlite::Row;

namespace {

// An engine over one table, and a gate that keeps the writing thread busy so that calls pile up behind it.
class Bench {
 public:
  explicit Bench(store::sqlite::LaneLimits limits = {}) {
    std::ofstream(folder_ / "e.db");
    auto writer = connect(Access::read_write);
    must(writer.script(
        "pragma journal_mode = wal; pragma foreign_keys = on; create table t (x integer not null primary key) strict"));
    engine.emplace(std::move(writer), connect(Access::read_only), limits);
  }

  Database connect(Access access) { return must(Database::open(folder_ / "e.db", access)); }
  std::vector<std::int64_t> rows() {
    return must(
        connect(Access::read_only).prepare("select x from t order by x").all([](Row row) { return row.integer(); }));
  }
  awaitable<void> hold() {
    must(co_await engine->write([this](Database&) -> Result<void> {
      held_.set_value();
      gate_.get_future().wait();
      return {};
    }));
  }
  void wait_until_held() { held_.get_future().wait(); }
  void let_go() { gate_.set_value(); }

  std::optional<Engine> engine;

 private:
  TempFolder folder_;
  std::promise<void> gate_;
  std::promise<void> held_;
};

Result<void> insert(Database& database, std::int64_t x) {
  SP_CHECK(database.run("insert into t (x) values (?)", x));
  return {};
}

awaitable<void> run_write(Bench& bench, std::function<Result<void>(Database&)> work,
                          std::optional<Result<void>>& outcome) {
  outcome = co_await bench.engine->write(std::move(work));
}

// Hands in all works while the writing thread is held, so that they become one group; their outcomes.
awaitable<std::vector<Errc>> run_as_group(Bench& bench, std::vector<std::function<Result<void>(Database&)>> works) {
  std::vector<std::optional<Result<void>>> outcomes(works.size());
  TaskGroup group(co_await boost::asio::this_coro::executor, rethrow);
  group.spawn("hold", bench.hold());
  co_await boost::asio::post(boost::asio::use_awaitable);
  bench.wait_until_held();
  for (std::size_t i = 0; i < works.size(); ++i)
    group.spawn("write", run_write(bench, std::move(works[i]), outcomes[i]));
  co_await boost::asio::post(boost::asio::use_awaitable);
  bench.let_go();
  co_await group.join();
  std::vector<Errc> codes;
  for (auto& outcome : outcomes) codes.push_back(outcome->has_value() ? Errc::cancelled : outcome->error().code);
  co_return codes;
}

constexpr Errc kDone = Errc::cancelled;  // stands for success in run_as_group's answer

}  // namespace

ASYNC_TEST_CASE("writes that pile up share one commit", "[store][sqlite][group]") {
  Bench bench;
  std::size_t seen_outside = 99;
  auto codes = co_await run_as_group(bench, {
                                                [](Database& db) { return insert(db, 1); },
                                                [](Database& db) { return insert(db, 2); },
                                                [&](Database&) -> Result<void> {
                                                  seen_outside = bench.rows().size();
                                                  return {};
                                                },
                                            });
  CHECK(codes == std::vector<Errc>(3, kDone));
  CHECK(seen_outside == 0);
  CHECK(bench.rows() == std::vector<std::int64_t>{1, 2});
}

ASYNC_TEST_CASE("a write that fails is undone alone", "[store][sqlite][group]") {
  Bench bench;
  std::vector<std::function<Result<void>(Database&)>> works;
  for (std::int64_t i = 0; i < 20; ++i) {
    works.push_back([i](Database& db) -> Result<void> {
      SP_CHECK(insert(db, i));
      if (i % 3 == 0) return insert(db, i);
      if (i % 3 == 1) return fail(Errc::forbidden, "no");
      return {};
    });
  }
  auto codes = co_await run_as_group(bench, works);
  std::vector<std::int64_t> expected;
  for (std::int64_t i = 0; i < 20; ++i) {
    INFO("write " << i);
    CHECK(codes[static_cast<std::size_t>(i)] == (i % 3 == 0 ? Errc::conflict : i % 3 == 1 ? Errc::forbidden : kDone));
    if (i % 3 == 2) expected.push_back(i);
  }
  CHECK(bench.rows() == expected);
}

ASYNC_TEST_CASE("when SQLite drops the whole transaction, only the culprit fails", "[store][sqlite][group]") {
  for (std::size_t culprit = 0; culprit < 5; ++culprit) {
    INFO("culprit " << culprit);
    Bench bench;
    std::vector<std::function<Result<void>(Database&)>> works;
    for (std::size_t i = 0; i < 5; ++i) {
      works.push_back([i, culprit](Database& db) -> Result<void> {
        SP_CHECK(insert(db, static_cast<std::int64_t>(i)));
        if (i != culprit) return {};
        SP_CHECK(db.run("rollback"));
        return fail(Errc::exhausted, "disk full");
      });
    }
    auto codes = co_await run_as_group(bench, works);
    for (std::size_t i = 0; i < 5; ++i) CHECK(codes[i] == (i == culprit ? Errc::exhausted : kDone));
    CHECK(bench.rows().size() == 4);
  }
}

ASYNC_TEST_CASE("a commit that fails for one is tried for each", "[store][sqlite][group]") {
  Bench bench;
  // A deferred foreign key is checked by the commit only, as a disk that is full shows then at the latest.
  auto setup = co_await bench.engine->write([](Database& db) -> Result<void> {
    SP_CHECK(db.run("create table c (t integer references t (x) deferrable initially deferred) strict"));
    return {};
  });
  must(setup);
  auto poison = [](Database& db) -> Result<void> {
    SP_CHECK(db.run("insert into c (t) values (4711)"));
    return {};
  };
  auto codes = co_await run_as_group(
      bench, {[](Database& db) { return insert(db, 1); }, poison, [](Database& db) { return insert(db, 2); }});
  CHECK(codes == std::vector<Errc>{kDone, Errc::not_found, kDone});
  CHECK(bench.rows() == std::vector<std::int64_t>{1, 2});
}

ASYNC_TEST_CASE("a full queue refuses at once", "[store][sqlite]") {
  Bench bench({.max_queued = 3, .max_batch = 2});
  std::vector<std::function<Result<void>(Database&)>> works;
  for (std::int64_t i = 0; i < 5; ++i) works.push_back([i](Database& db) { return insert(db, i); });
  auto codes = co_await run_as_group(bench, works);
  CHECK(codes == std::vector<Errc>{kDone, kDone, kDone, Errc::exhausted, Errc::exhausted});
  CHECK(bench.rows().size() == 3);
}

ASYNC_TEST_CASE("a read that takes too long is given up, and the next one has its full time", "[store][sqlite]") {
  Bench bench({.read_time = std::chrono::milliseconds(200)});
  const auto count_to = [](std::int64_t last) {
    return [last](Database& db) {
      return db
          .prepare(
              "with recursive n (i) as (select 1 union all select i + 1 from n where i < ?) "
              "select count(*) from n",
              last)
          .one("count", [](Row row) { return row.integer(); });
    };
  };
  for (int again = 0; again < 2; ++again) {
    auto endless = co_await bench.engine->read(count_to(INT64_MAX));
    REQUIRE(refusal(endless) == Errc::timed_out);
    CHECK(endless.error().message.find("ask for less") != std::string::npos);
    auto quick = must(co_await bench.engine->read(count_to(1'000)));
    CHECK(quick == 1'000);
  }
}

ASYNC_TEST_CASE("work runs on the engine's thread and resumes on the caller's", "[store][sqlite]") {
  Bench bench;
  const auto here = std::this_thread::get_id();
  auto there =
      must(co_await bench.engine->read([](Database&) { return Result<std::thread::id>(std::this_thread::get_id()); }));
  CHECK(there != here);
  CHECK(std::this_thread::get_id() == here);
}

ASYNC_TEST_CASE("reads see one moment, and cannot write", "[store][sqlite]") {
  Bench bench;
  auto refused = co_await bench.engine->read([](Database& db) { return insert(db, 1); });
  CHECK(!refused);
  auto counts = must(co_await bench.engine->read([&](Database& db) -> Result<std::pair<std::int64_t, std::int64_t>> {
    auto count = [&] { return db.prepare("select count(*) from t").one("t", [](Row row) { return row.integer(); }); };
    SP_TRY(auto before, count());
    must(insert(*std::make_unique<Database>(bench.connect(Access::read_write)), 5));
    SP_TRY(auto after, count());
    return std::pair(before, after);
  }));
  CHECK(counts.first == counts.second);
  CHECK(bench.rows().size() == 1);
}

static awaitable<void> write_and_note(Bench& bench, bool& returned) {
  auto outcome = co_await bench.engine->write([](Database& db) { return insert(db, 42); });
  returned = outcome.has_value();
}

ASYNC_TEST_CASE("a write whose caller is cancelled still happens before the caller goes on", "[store][sqlite]") {
  Bench bench;
  bool returned = false;
  TaskGroup holder(co_await boost::asio::this_coro::executor, rethrow);
  TaskGroup callers(co_await boost::asio::this_coro::executor, rethrow);
  holder.spawn("hold", bench.hold());
  co_await boost::asio::post(boost::asio::use_awaitable);
  bench.wait_until_held();
  callers.spawn("write", write_and_note(bench, returned));
  co_await boost::asio::post(boost::asio::use_awaitable);
  callers.stop();
  co_await boost::asio::post(boost::asio::use_awaitable);
  CHECK(callers.size() == 1);
  CHECK(!returned);
  bench.let_go();
  co_await callers.join();
  co_await holder.join();
  CHECK(returned);
  CHECK(bench.rows() == std::vector<std::int64_t>{42});
}

ASYNC_TEST_CASE("closing ends the calls under way and refuses new ones", "[store][sqlite]") {
  Bench bench;
  std::optional<Result<void>> outcome;
  TaskGroup group(co_await boost::asio::this_coro::executor, rethrow);
  group.spawn("write", run_write(bench, [](Database& db) { return insert(db, 7); }, outcome));
  co_await boost::asio::post(boost::asio::use_awaitable);
  bench.engine.reset();
  co_await group.join();
  REQUIRE(outcome);
  CHECK(outcome->has_value());
  CHECK(bench.rows() == std::vector<std::int64_t>{7});
}

TEST_CASE("what SQLite's codes mean to callers", "[store][sqlite]") {
  struct Case {
    int code;
    Errc meaning;
  };
  for (const Case& one :
       {Case{SQLITE_CONSTRAINT_UNIQUE, Errc::conflict}, Case{SQLITE_CONSTRAINT_PRIMARYKEY, Errc::conflict},
        Case{SQLITE_CONSTRAINT_FOREIGNKEY, Errc::not_found}, Case{SQLITE_CONSTRAINT_CHECK, Errc::internal},
        Case{SQLITE_FULL, Errc::unavailable}, Case{SQLITE_INTERRUPT, Errc::timed_out},
        Case{SQLITE_BUSY, Errc::unavailable}, Case{SQLITE_IOERR_WRITE, Errc::unavailable},
        Case{SQLITE_IOERR_FSYNC, Errc::unavailable}, Case{SQLITE_TOOBIG, Errc::too_large},
        Case{SQLITE_CORRUPT_INDEX, Errc::internal}, Case{SQLITE_NOTADB, Errc::internal},
        Case{SQLITE_MISUSE, Errc::internal}}) {
    INFO(sqlite3_errstr(one.code));
    CHECK(store::sqlite::to_error(one.code, "t.x").code == one.meaning);
  }
}

TEST_CASE("values of every kind come back as they were", "[store][sqlite]") {
  Bench bench;
  auto database = bench.connect(Access::read_write);
  must(database.run("create table v (i integer, s text, b blob, n text) strict"));
  const std::string text("a\0b", 3);
  must(database.run("insert into v (i, s, b, n) values (?, ?, ?, ?)", std::int64_t{INT64_MIN}, text, Bytes{},
                    std::nullopt));
  auto back = must(database.prepare("select i, s, b, n, n, n from v").one("row", [&](Row row) {
    CHECK(row.integer() == INT64_MIN);
    CHECK(row.text() == text);
    CHECK(row.bytes().empty());
    CHECK(!row.maybe_time());
    CHECK(!row.maybe_bytes());
    CHECK(!row.maybe_id<AgentId>());
    return true;
  }));
  CHECK(back);
  auto broken = database.run("select nothing from nowhere");
  CHECK(refusal(broken) == Errc::internal);
}
