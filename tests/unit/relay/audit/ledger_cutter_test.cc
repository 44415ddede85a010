#include "relay/audit/ledger_cutter.h"

#include "relay/store/sqlite/sqlite_store.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/support/temp_dir.h"

using namespace sallyport;
using namespace std::chrono_literals;
using boost::asio::awaitable;

namespace {

class SetClock final : public Clock {
 public:
  SteadyTime steady() const override { return {}; }
  WallTime wall() const override { return at; }
  WallTime at = WallTime(std::chrono::hours(490'000));  // on the hour
};

class Deaf final : public LogSink {
 public:
  void write(std::string_view) override {}
};

struct Bench {
  std::unique_ptr<store::SqliteStore> open() {
    auto opened = store::SqliteStore::open({.file = folder / "relay.db"});
    REQUIRE(opened);
    return *std::move(opened);
  }
  LedgerCutter cutter() {
    return LedgerCutter({stores.audit_cuts, stores.job_keys, audit, log, [this] { return std::optional(clock.at); },
                         [this](OrgId ledger) { return kept_of(std::move(ledger)); }});
  }
  awaitable<Result<std::chrono::hours>> kept_of(OrgId ledger) {
    if (ledger.value == "org_troubled") co_return fail(Errc::unavailable, "planted");
    co_return kept;
  }
  awaitable<void> note(OrgId ledger, int count) {
    for (int i = 0; i < count; ++i) {
      const auto noted = co_await audit.record(ledger, {.actor = "system", .action = "job.start", .target = ""});
      REQUIRE(noted);
    }
  }
  awaitable<std::uint64_t> first_of(OrgId ledger) {
    const auto verdict = co_await stores.audit_log.verify(ledger);
    REQUIRE(verdict);
    CHECK(verdict->reason == "");
    co_return verdict->first_seq;
  }

  test::TempDir folder;
  SetClock clock;
  Deaf deaf;
  Log log{deaf, clock};
  std::unique_ptr<store::SqliteStore> store = open();
  store::Stores stores = store->stores();
  Audit audit{stores.audit_log, clock};
  std::chrono::hours kept = 24h;
};

}  // namespace

ASYNC_TEST_CASE("ledgers are cut off at the hour, each by its own event", "[audit][retention]") {
  Bench bench;
  auto cutter = bench.cutter();
  const OrgId ours("org_a"), system = store::system_ledger();
  bench.clock.at += 10min;
  co_await bench.note(ours, 3);
  co_await bench.note(system, 1);
  bench.clock.at += 1h;
  co_await bench.note(ours, 2);
  bench.clock.at += 23h + 49min + 59s;
  auto gone = co_await cutter.pass(bench.clock.at);
  REQUIRE(gone);
  CHECK(*gone == 0);
  bench.clock.at += 1s;
  gone = co_await cutter.pass(bench.clock.at);
  REQUIRE(gone);
  CHECK(*gone == 4);
  auto first = co_await bench.first_of(ours);
  CHECK(first == 4);
  first = co_await bench.first_of(system);
  CHECK(first == 2);
  const auto rows = co_await bench.stores.audit_log.list(ours, {.action = "ledger.cut"}, {});
  REQUIRE(rows);
  REQUIRE(rows->items.size() == 1);
  const auto told = parse_json(rows->items[0].event.json, {});
  REQUIRE(told);
  const auto* detail = told->find("detail");
  REQUIRE(detail != nullptr);
  CHECK(*detail->find("seq") == Value(3));
  CHECK(*detail->find("rows") == Value(3));
  CHECK(detail->find("bad_seq") == nullptr);
  gone = co_await cutter.pass(bench.clock.at);
  REQUIRE(gone);
  CHECK(*gone == 0);
}

ASYNC_TEST_CASE("one ledger's trouble is not another's", "[audit][retention]") {
  Bench bench;
  auto cutter = bench.cutter();
  const OrgId ours("org_z"), troubled("org_troubled");
  co_await bench.note(troubled, 2);
  co_await bench.note(ours, 2);
  bench.clock.at += 100h;
  const auto gone = co_await cutter.pass(bench.clock.at);
  REQUIRE(!gone);
  CHECK(gone.error().code == Errc::unavailable);
  CHECK(gone.error().message.find("org_troubled") != std::string::npos);
  auto first = co_await bench.first_of(ours);
  CHECK(first == 3);
  first = co_await bench.first_of(troubled);
  CHECK(first == 1);
}

ASYNC_TEST_CASE("a long end goes in several passes, and space comes back", "[audit][retention]") {
  Bench bench;
  auto cutter = bench.cutter();
  const OrgId ours("org_a");
  co_await bench.note(ours, 1'200);
  const auto size = [&] {
    return std::filesystem::file_size(bench.folder / "relay.db") +
           std::filesystem::file_size(bench.folder / "relay.db-wal");
  };
  bench.clock.at += 100h;
  const auto gone = co_await cutter.pass(bench.clock.at);
  REQUIRE(gone);
  CHECK(*gone == 1'200);
  const auto first = co_await bench.first_of(ours);
  CHECK(first == 1'201);
  co_await bench.note(ours, 1);
  CHECK(size() < 700'000);
}
