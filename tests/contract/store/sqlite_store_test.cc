#include "relay/store/sqlite/sqlite_store.h"
#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/migrate.h"
#include "tests/contract/store/tunnels.h"
#include "tests/support/failing_vfs.h"

#include <sys/stat.h>
#include <fstream>

// What holds for the embedded engine beyond the contract: its file, its schema, kills, full disks, tampering.
using namespace sallyport;
using namespace sallyport::test;
using store::SqliteStore;
using store::sqlite::Access;
using store::sqlite::Database;
using store::sqlite::Row;

namespace {

// A store over files that the test keeps.
class BorrowedEngine final : public StoreEngine {
 public:
  explicit BorrowedEngine(SqliteStore& store) : store_(store) {}
  store::Stores stores() override { return store_.stores(); }

 private:
  SqliteStore& store_;
};

std::unique_ptr<SqliteStore> open_store(const std::filesystem::path& file, std::uint32_t max_pages = 0) {
  return must(SqliteStore::open({.file = file, .max_pages = max_pages}));
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What a power cut would leave: the files as they are while the store is open.
void copy_files(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(from.string() + suffix, to.string() + suffix,
                               std::filesystem::copy_options::overwrite_existing);
  }
}

std::int64_t number(Database& database, const std::string& sql) {
  return must(database.prepare(sql).one("number", [](Row row) { return row.integer(); }));
}

}  // namespace

TEST_CASE("the database file is private, and opens again", "[store][sqlite]") {
  TempFolder folder;
  {
    auto store = open_store(folder / "relay.db");
  }
  struct stat status{};
  REQUIRE(::stat((folder / "relay.db").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  auto again = open_store(folder / "relay.db");
  CHECK(::stat((folder / "relay.db-wal").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a file that cannot be the relay's database is refused with its name", "[store][sqlite]") {
  TempFolder folder;
  auto no_folder = SqliteStore::open({.file = folder / "absent/relay.db"});
  CHECK(refusal(no_folder) == Errc::invalid);
  CHECK(no_folder.error().message.find("absent/relay.db") != std::string::npos);
  std::ofstream(folder / "text.db") << std::string(4096, 'x');
  auto not_sqlite = SqliteStore::open({.file = folder / "text.db"});
  CHECK(refusal(not_sqlite) == Errc::internal);
  CHECK(not_sqlite.error().message.find("text.db") != std::string::npos);
}

TEST_CASE("a database of a newer program is refused and left alone", "[store][sqlite][migrations]") {
  TempFolder folder;
  {
    auto store = open_store(folder / "relay.db");
  }
  {
    auto database = must(Database::open(folder / "relay.db", Access::read_write));
    must(database.run("insert into schema_migrations (number, name) values (99, 'future')"));
  }
  auto refused = SqliteStore::open({.file = folder / "relay.db"});
  CHECK(refusal(refused) == Errc::invalid);
  CHECK(refused.error().message.find("schema 99") != std::string::npos);
  CHECK(refused.error().message.find("newer program") != std::string::npos);
  auto database = must(Database::open(folder / "relay.db", Access::read_only));
  CHECK(number(database, "select count(*) from schema_migrations") ==
        1 + std::int64_t(store::sqlite_migrations().size()));
}

TEST_CASE("a migration that fails leaves nothing of itself", "[store][sqlite][migrations]") {
  TempFolder folder;
  std::ofstream(folder / "m.db");
  auto database = must(Database::open(folder / "m.db", Access::read_write));
  const store::Migration good[] = {{1, "first", "create table a (x integer) strict"}};
  must(store::sqlite::migrate(database, good));
  must(store::sqlite::migrate(database, good));
  const store::Migration bad[] = {good[0], {2, "second", "create table b (x integer) strict; create tabel c (x)"}};
  auto failed = store::sqlite::migrate(database, bad);
  CHECK(refusal(failed) == Errc::internal);
  CHECK(failed.error().message.find("migration 2 (second)") != std::string::npos);
  CHECK(number(database, "select count(*) from sqlite_master where name = 'b'") == 0);
  const store::Migration other[] = {{1, "another program's", ""}};
  auto foreign = store::sqlite::migrate(database, other);
  CHECK(refusal(foreign) == Errc::invalid);
}

// The database of a relay before it sealed errors, as a kill leaves it: the log is not in the file yet.
static void leave_schema_1(const std::filesystem::path& file, const std::string& canary) {
  const auto live = std::filesystem::path(file).concat(".live");
  std::ofstream(live).close();
  auto database = must(Database::open(live, Access::read_write));
  must(database.script("pragma journal_mode = wal"));
  must(store::sqlite::migrate(database, store::sqlite_migrations().first(1)));
  must(database.script("pragma wal_checkpoint(truncate)"));
  must(database.script(R"(insert into organisations values ('org_a', 'a', 1);
    insert into agent_groups values ('org_a', 'grp_a', 'dc1', 1);
    insert into agents values ('org_a', 'agt_a', 'grp_a', 'a', 'h', 's', 'active', 1, 1, null);
    insert into recipes values ('org_a', 'rcp_a', 'r', 1, null, 1, null);
    insert into recipe_versions values ('org_a', 'rcp_a', 1, 'dc1', 'manual', zeroblob(32), 'u', 1, 'y', '{}'))"));
  must(database.run("insert into connections values ('org_a', 'agt_a', 'erp', 'sql', 'failing', ?, 1)", canary));
  must(
      database.run("insert into jobs (org, id, recipe, version, group_id, state, trigger_kind, event_key, priority, "
                   "lease_epoch, run_number, concurrency_key, concurrency_limit, created_at, finished_at, error_class, "
                   "error_message, failed_step) values ('org_a', 'job_a', 'rcp_a', 1, 'grp_a', 'failed', 'manual', '', "
                   "0, 1, 1, '', 0, 1, 2, 'connection', ?, 'rows')",
                   canary));
  for (int attempt = 1; attempt <= 200; ++attempt) {
    must(
        database.run("insert into steps (org, job, path, attempt, first_seq, status, uses, error_class, message, "
                     "sealed_output) values ('org_a', 'job_a', 'rows', ?, 1, 'failed', 'x', 'connection', ?, ?)",
                     attempt, canary + std::string(300, 'x'), bytes_of("sealed")));
  }
  copy_files(live, file);
}

static awaitable<void> read_schema_1(SqliteStore& store) {
  const OrgId org("org_a");
  auto job = must(co_await store.stores().jobs.find(org, JobId("job_a")));
  CHECK(job.error.error_class == "connection");
  CHECK(job.error.failed_step == "rows");
  CHECK(!job.error.sealed_message);
  CHECK(job.retention == domain::JobRetention{});
  auto steps = must(co_await store.stores().history.steps(org, job.id, {}, {.limit = 1'000})).items;
  REQUIRE(steps.size() == 200);
  CHECK(steps[7].error_class == "connection");
  CHECK(!steps[7].sealed_message);
  CHECK(steps[7].payload_bytes == 6);
  auto group = must(co_await store.stores().groups.find_by_name(org, "dc1"));
  CHECK(group.id == GroupId("grp_a"));
  CHECK(!group.removed_at);
  auto connections = must(co_await store.stores().connections.list(org, {AgentId("agt_a")}, {})).items;
  REQUIRE(connections.size() == 1);
  CHECK(connections[0].health == store::ConnectionHealth::failing);
}

TEST_CASE("errors that lie in clear in an older database are gone once it is opened", "[store][sqlite][migrations]") {
  TempFolder folder;
  const auto file = folder / "relay.db";
  const std::string canary = "canary-5b0d77c1-in-clear";
  leave_schema_1(file, canary);
  const auto both = [&] { return content_of(file) + content_of(file.string() + "-wal"); };
  CHECK(both().find(canary) != std::string::npos);  // the search finds what is there
  auto store = open_store(file);
  run(read_schema_1(*store));
  CHECK(both().find(canary) == std::string::npos);
  store.reset();
  CHECK(content_of(file).find(canary) == std::string::npos);
}

// The database of a relay that had no tunnels, with a token of every scope that there was.
static void leave_schema_7(const std::filesystem::path& file) {
  std::ofstream(file).close();
  auto database = must(Database::open(file, Access::read_write));
  must(store::sqlite::migrate(database, store::sqlite_migrations().first(7)));
  must(database.script(R"(insert into organisations values ('org_a', 'a', 1);
    insert into users values ('org_a', 'usr_a', 'A', 'a@x.test', 'owner', 'admin', 1);
    insert into api_tokens values ('tok_a', 'org_a', 'usr_a', 't', zeroblob(32), 65535, 1, null, null, null);
    insert into agent_groups values ('org_a', 'grp_a', 'dc1', 1, null);
    insert into agents (org, id, group_id, name, hostname, software, status, generation, enrolled_at)
      values ('org_a', 'agt_a', 'grp_a', 'a', 'h', 's', 'active', 1, 1))"));
}

static awaitable<void> use_schema_7(SqliteStore& store) {
  const OrgId org("org_a");
  auto stores = store.stores();
  const auto found = must(co_await stores.api_tokens.find_for_authentication(ApiTokenId("tok_a")));
  CHECK(found.token.scopes.contains(domain::Scope::platform_write));
  CHECK_FALSE(found.token.scopes.contains(domain::Scope::tunnels_read));
  CHECK_FALSE(found.token.scopes.contains(domain::Scope::tunnels_write));
  CHECK_FALSE(found.token.scopes.contains(domain::Scope::tunnels_use));
  const store::Tunnel tunnel{.id = TunnelId("tun_a"),
                             .org = org,
                             .name = "db",
                             .group = GroupId("grp_a"),
                             .agent = AgentId("agt_a"),
                             .host = "db",
                             .port = 5432,
                             .networks = {"127.0.0.0/8"},
                             .created_by = UserId("usr_a"),
                             .created_at = at_ms(1)};
  must(co_await stores.tunnels.add(org, tunnel));
  must(co_await stores.tunnels.note_connections(
      org, {{.id = TunnelConnectionId("tcn_a"), .tunnel = tunnel.id, .source = "127.0.0.1", .opened_at = at_ms(1)}}));
  const auto records = must(co_await stores.tunnels.list_connections(org, tunnel.id, {}));
  CHECK(records.items.size() == 1);
}

TEST_CASE("a database of before tunnels takes them, and no old token may use them", "[store][sqlite][migrations]") {
  TempFolder folder;
  leave_schema_7(folder / "relay.db");
  run(use_schema_7(*open_store(folder / "relay.db")));
  auto database = must(Database::open(folder / "relay.db", Access::read_write));
  CHECK(number(database, "select count(*) from pragma_foreign_key_check") == 0);
  CHECK(number(database, "select max(number) from schema_migrations") ==
        std::int64_t(store::sqlite_migrations().size()));
}

static awaitable<void> use_schema_8(SqliteStore& store) {
  const auto found = must(co_await store.stores().tunnels.find(OrgId("org_a"), TunnelId("tun_a")));
  CHECK(found.access == domain::TunnelAccess{});
  const auto records = must(co_await store.stores().tunnels.list_connections(OrgId("org_a"), found.id, {}));
  REQUIRE(records.items.size() == 1);
  CHECK_FALSE(records.items[0].user);
  CHECK_FALSE(records.items[0].token);
}

TEST_CASE("tunnels of before access are for those who may change them", "[store][sqlite][migrations]") {
  TempFolder folder;
  leave_schema_7(folder / "relay.db");
  {
    auto database = must(Database::open(folder / "relay.db", Access::read_write));
    must(store::sqlite::migrate(database, store::sqlite_migrations().first(8)));
    must(database.run(
        "insert into tunnels (org, id, name, group_id, host, port, networks, most_connections, bytes_per_second, "
        "idle_ms, status, created_by, created_at) values ('org_a', 'tun_a', 'db', 'grp_a', 'db', 5432, '10.0.0.0/8', "
        "1, 0, 0, 'active', 'usr_a', 1)"));
    must(database.run(
        "insert into tunnel_connections (org, tunnel, id, source, opened_at, to_target, from_target, end_reason, "
        "detail) values ('org_a', 'tun_a', 'tcn_a', '127.0.0.1', 1, 0, 0, '', '')"));
  }
  run(use_schema_8(*open_store(folder / "relay.db")));
}

static awaitable<void> everything_acknowledged_survives(SqliteStore& store, std::filesystem::path file,
                                                        std::filesystem::path copy) {
  World world(std::make_unique<BorrowedEngine>(store));
  co_await world.furnish();
  for (int i = 0; i < 10; ++i) {
    auto job = co_await world.running_job(world.ours);
    must(co_await world.stores.history.append(
        world.ours.org, job.id, 1,
        {{.job_seq = 1, .at = at_ms(1), .what = store::StepStarted{"a", 1, "sql.query@1", {}}}}));
    copy_files(file, copy);
    auto survivor = open_store(copy);
    auto found = must(co_await survivor->stores().jobs.find(world.ours.org, job.id));
    CHECK(found.state == domain::JobState::running);
    auto steps = must(co_await survivor->stores().history.steps(world.ours.org, job.id, {}, {})).items;
    CHECK(steps.size() == 1);
  }
}

TEST_CASE("whatever was acknowledged survives a kill at once", "[store][sqlite][crash]") {
  TempFolder folder;
  auto store = open_store(folder / "relay.db");
  run(everything_acknowledged_survives(*store, folder / "relay.db", folder / "copy.db"));
}

static awaitable<void> fill_disk(SqliteStore& store, Tenant& tenant, std::vector<JobId>& acknowledged) {
  World world(std::make_unique<BorrowedEngine>(store));
  co_await world.furnish();
  tenant = world.ours;
  for (int i = 0; i < 5000; ++i) {
    auto fresh = world.new_job(world.ours);
    fresh.sealed_trigger = Bytes(2000);
    auto added = co_await world.stores.jobs.add(world.ours.org, fresh);
    if (!added) {
      CHECK(added.error().code == Errc::unavailable);
      CHECK(added.error().message.find("free disk space") != std::string::npos);
      auto absent = co_await world.stores.jobs.find(world.ours.org, fresh.job.id);
      CHECK(refusal(absent) == Errc::not_found);
      co_return;
    }
    acknowledged.push_back(fresh.job.id);
  }
  FAIL("the disk never was full");
}

static awaitable<void> find_all(SqliteStore& store, Tenant tenant, std::vector<JobId> jobs) {
  for (const JobId& job : jobs) {
    must(co_await store.stores().jobs.find(tenant.org, job));
    auto trigger = must(co_await store.stores().jobs.sealed_trigger(tenant.org, job));
    CHECK(trigger.size() == 2000);
  }
  auto fresh = must(co_await store.stores().jobs.request_cancel(tenant.org, jobs.front(), {at_ms(1)}));
  CHECK(fresh.state == domain::JobState::cancelled);
}

static awaitable<void> probe(SqliteStore& store, FailingVfs& vfs) {
  auto& health = store.stores().health;
  vfs.fail_at(1, FailingVfs::Kind::crash);
  auto broken = co_await health.check_write();
  CHECK(refusal(broken) == Errc::unavailable);
  CHECK(vfs.has_failed());  // it did write
  broken = co_await health.check_write();
  CHECK(refusal(broken) == Errc::unavailable);
  vfs.heal();
  must(co_await health.check_write());
  vfs.fail_at(1, FailingVfs::Kind::crash);
  must(co_await health.check_write());  // soon after a good one: nothing is written
  CHECK_FALSE(vfs.has_failed());
  vfs.heal();
}

TEST_CASE("whether the file can be written is tried, and not for every asker", "[store][sqlite][disk]") {
  FailingVfs vfs;
  TempFolder folder;
  auto store = must(SqliteStore::open({.file = folder / "relay.db", .vfs = vfs.name()}));
  run(probe(*store, vfs));
}

TEST_CASE("a database that must be there is not made", "[store][sqlite]") {
  TempFolder folder;
  const auto open_old = [](const std::filesystem::path& file) {
    return SqliteStore::open({.file = file, .when_absent = store::WhenAbsent::refuse});
  };
  auto absent = open_old(folder / "relay.db");
  CHECK(refusal(absent) == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(folder / "relay.db"));
  std::ofstream(folder / "relay.db").close();
  auto empty = open_old(folder / "relay.db");
  CHECK(refusal(empty) == Errc::not_found);
  CHECK(std::filesystem::file_size(folder / "relay.db") == 0);
  open_store(folder / "relay.db");
  CHECK(open_old(folder / "relay.db"));
}

TEST_CASE("a full disk is a clear error, loses nothing, and heals", "[store][sqlite][disk]") {
  TempFolder folder;
  Tenant tenant;
  std::vector<JobId> acknowledged;
  {
    auto store = open_store(folder / "relay.db", 160);
    run(fill_disk(*store, tenant, acknowledged));
    CHECK(acknowledged.size() > 10);
  }
  auto store = open_store(folder / "relay.db");
  run(find_all(*store, tenant, acknowledged));
}

static awaitable<void> write_and_replace(SqliteStore& store, std::string canary) {
  World world(std::make_unique<BorrowedEngine>(store));
  co_await world.furnish();
  std::vector<store::Connection> connections(1);
  connections[0].name = "erp";
  connections[0].sealed_detail = bytes_of(canary);
  must(co_await world.stores.connections.replace(world.ours.org, world.ours.agent, connections));
  must(co_await world.stores.connections.replace(world.ours.org, world.ours.agent, {}));
}

TEST_CASE("deleted rows are overwritten in the file", "[store][sqlite]") {
  TempFolder folder;
  const std::string canary = "canary-8d1f6e0a-deleted";
  run(write_and_replace(*open_store(folder / "relay.db"), canary));
  CHECK(content_of(folder / "relay.db").find(canary) == std::string::npos);
  CHECK(!std::filesystem::exists((folder / "relay.db").string() + "-wal"));
}

static awaitable<void> close_one_connection(SqliteStore& store) {
  World world(std::make_unique<BorrowedEngine>(store));
  co_await world.furnish();
  const auto tunnel = new_tunnel(world, world.ours);
  auto& tunnels = world.stores.tunnels;
  must(co_await tunnels.add(world.ours.org, tunnel));
  for (const auto* id : {"tcn_open", "tcn_closed"}) {
    store::TunnelConnection one{
        .id = TunnelConnectionId(id), .tunnel = tunnel.id, .source = "127.0.0.1", .opened_at = at_ms(1)};
    if (one.id.value == "tcn_closed") one.closed_at = at_ms(2);
    must(co_await tunnels.note_connections(world.ours.org, {one}));
  }
}

TEST_CASE("the schema itself refuses to edit a closed access record", "[store][sqlite][tunnels]") {
  TempFolder folder;
  run(close_one_connection(*open_store(folder / "relay.db")));
  auto database = must(Database::open(folder / "relay.db", Access::read_write));
  CHECK(database.script("update tunnel_connections set to_target = 9 where id = 'tcn_open'"));
  for (const char* edit : {"to_target = 9", "closed_at = null", "source = ''"}) {
    INFO(edit);
    CHECK(!database.script("update tunnel_connections set " + std::string(edit) + " where id = 'tcn_closed'"));
  }
}
