#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/base/text.h"
#include "tests/contract/store/world.h"

#include <span>

// What holds for the embedded engine's ledger beyond the contract: every tampering with its file is found.
using namespace sallyport;
using namespace sallyport::test;
using store::SqliteStore;
using store::sqlite::Access;
using store::sqlite::Database;

namespace {

struct Tampering {
  const char* what;
  const char* sql;
  std::optional<std::uint64_t> bad_seq;
};

std::unique_ptr<SqliteStore> open_store(const std::filesystem::path& file) {
  return must(SqliteStore::open({.file = file}));
}

awaitable<void> audit_some(SqliteStore& store, OrgId org, int count) {
  for (int i = 0; i < count; ++i) {
    must(co_await store.stores().audit_log.append(org,
                                                  {EventId("evt_" + std::to_string(i)), at_ms(i),
                                                   R"({"action":"job.start","target":")" + std::to_string(i) + "\"}"}));
  }
}

awaitable<void> verify_into(SqliteStore& store, OrgId org, store::AuditVerdict& verdict) {
  verdict = must(co_await store.stores().audit_log.verify(org));
}

// Rows 1 to 600 are cut off, the event of it is row 703.
awaitable<void> cut_some(SqliteStore& store, OrgId org) {
  auto& cuts = store.stores().audit_cuts;
  const auto due = must(co_await cuts.due(org, at_ms(600), 1'000));
  REQUIRE(due);
  CHECK(due->cut.seq == 600);
  CHECK(!due->bad_seq);
  const std::string told = R"({"action":"ledger.cut","detail":{"hash":")" + hex(due->cut.hash) + R"(","seq":600}})";
  store::AuditNote<> note{[=] { return store::AuditEntry{org, {EventId("evt_cut"), at_ms(900), told}}; }, nullptr};
  must(co_await cuts.cut(org, due->cut, std::move(note)));
  must(co_await cuts.remove(org, 1'000));
}

// Each of them on a copy of the database.
void check_each(const TempFolder& folder, const OrgId& org, std::span<const Tampering> rows) {
  for (const Tampering& row : rows) {
    INFO(row.what);
    std::filesystem::copy_file(folder / "relay.db", folder / "copy.db",
                               std::filesystem::copy_options::overwrite_existing);
    {
      auto database = must(Database::open(folder / "copy.db", Access::read_write));
      CHECK(!database.script("delete from audit_rows where seq = 601"));  // the schema itself refuses
      must(database.script("drop trigger audit_rows_are_not_edited; drop trigger audit_rows_are_not_deleted"));
      must(database.script(row.sql));
    }
    store::AuditVerdict verdict;
    run(verify_into(*open_store(folder / "copy.db"), org, verdict));
    INFO(verdict.reason);
    CHECK(verdict.bad_seq == row.bad_seq);
    CHECK(verdict.reason.empty() == !row.bad_seq.has_value());
  }
}

}  // namespace

TEST_CASE("a tampered ledger is found, with its first bad row", "[store][sqlite][audit]") {
  const Tampering rows[] = {
      {"untouched (control)", "select 1", std::nullopt},
      {"edited", "update audit_rows set json = replace(json, '7', '8') where seq = 8", 8},
      {"time moved", "update audit_rows set at = at + 1 where seq = 3", 3},
      {"deleted in the middle", "delete from audit_rows where seq = 600", 601},
      {"deleted at the start", "delete from audit_rows where seq = 1", 2},
      {"cut off at the end", "delete from audit_rows where seq > 700", 701},
      {"all gone", "delete from audit_rows", 1},
      {"two swapped",
       "update audit_rows set seq = 9999 where seq = 5; update audit_rows set seq = 5 where seq = 6; "
       "update audit_rows set seq = 6 where seq = 9999",
       5},
      {"hash rewritten too", "update audit_rows set json = '{}', hash = zeroblob(32) where seq = 700", 700},
      {"head moved back", "update audit_heads set seq = 10", 703},
  };
  TempFolder folder;
  const OrgId org("org_audited");
  run(audit_some(*open_store(folder / "relay.db"), org, 702));
  check_each(folder, org, rows);
}

TEST_CASE("a ledger that was cut off is verified from there, and tampering with the cut is found",
          "[store][sqlite][audit][retention]") {
  const Tampering rows[] = {
      {"untouched (control)", "select 1", std::nullopt},
      {"removed without a cut", "delete from audit_rows where seq = 601", 602},
      {"edited behind the cut", "update audit_rows set json = replace(json, '650', '651') where seq = 651", 651},
      {"cut moved on, rows gone",
       "update audit_heads set cut_seq = 610, cut_hash = (select hash from audit_rows where seq = 610); "
       "delete from audit_rows where seq <= 610",
       611},
      {"cut moved on and all but the head gone",
       "update audit_heads set cut_seq = seq, cut_hash = hash; delete from audit_rows", 704},
      {"cut moved back", "update audit_heads set cut_seq = 599", 601},
      {"cut forgotten", "update audit_heads set cut_seq = 0, cut_hash = zeroblob(32)", 601},
      {"its hash changed", "update audit_heads set cut_hash = zeroblob(32)", 601},
      {"its event changed", "update audit_rows set json = replace(json, '600', '500') where seq = 703", 703},
      {"the end cut off with the event", "delete from audit_rows where seq = 703", 703},
  };
  TempFolder folder;
  const OrgId org("org_audited");
  {
    auto store = open_store(folder / "relay.db");
    run(audit_some(*store, org, 702));
    run(cut_some(*store, org));
  }
  check_each(folder, org, rows);
}

TEST_CASE("the schema itself refuses to edit what is immutable", "[store][sqlite]") {
  TempFolder folder;
  run(audit_some(*open_store(folder / "relay.db"), OrgId("org_a"), 2));
  auto database = must(Database::open(folder / "relay.db", Access::read_write));
  CHECK(!database.script("update audit_rows set at = 0"));
  CHECK(!database.script("delete from audit_rows"));
  CHECK(
      !database.script("insert into audit_rows (org, seq, id, at, json, previous_hash, hash) "
                       "values ('o', 1, 'e', 0, 'no json', zeroblob(32), zeroblob(32))"));
}
