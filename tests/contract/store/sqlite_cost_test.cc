#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "tests/contract/store/tunnels.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>
#include <map>

// What the questions that are asked all day cost the embedded engine, counted in steps of SQLite's machine: time would
// depend on the computer. None may grow with the jobs that are over, or with those that other agents hold; nor with
// tunnels that were removed or are another organisation's, or with connections that are over or are another tunnel's.
using namespace sallyport;
using namespace sallyport::test;
using store::SqliteStore;
using store::sqlite::Access;
using store::sqlite::Database;
using store::sqlite::Row;

namespace {

// The steps of every statement of every connection that is opened while it lives.
class StepCounter {
 public:
  StepCounter() { sqlite3_auto_extension(entry()); }
  ~StepCounter() { sqlite3_cancel_auto_extension(entry()); }
  StepCounter(const StepCounter&) = delete;
  StepCounter& operator=(const StepCounter&) = delete;

  std::uint64_t take() { return steps.exchange(0); }

 private:
  using Entry = void (*)();
  static Entry entry() { return reinterpret_cast<Entry>(&on_open); }
  static int on_open(sqlite3* handle, char**, const void*) {
    return sqlite3_trace_v2(handle, SQLITE_TRACE_PROFILE, on_done, nullptr);
  }
  static int on_done(unsigned, void*, void* statement, void*) {
    steps += static_cast<std::uint64_t>(
        sqlite3_stmt_status(static_cast<sqlite3_stmt*>(statement), SQLITE_STMTSTATUS_VM_STEP, 1));
    return 0;
  }
  static inline std::atomic<std::uint64_t> steps = 0;
};

class FileEngine final : public StoreEngine {
 public:
  explicit FileEngine(const std::filesystem::path& file) : store_(must(SqliteStore::open({.file = file}))) {}
  store::Stores stores() override { return store_->stores(); }

 private:
  std::unique_ptr<SqliteStore> store_;
};

// `count` more jobs like this one, behind the store's back.
void multiply(Database& database, const store::Job& job, std::string_view name, std::string_view agent, int count) {
  std::string script = fmt::format("begin; create temp table one as select * from jobs where org = '{}' and id = '{}';",
                                   job.org.value, job.id.value);
  for (int i = 0; i < count; ++i) {
    script += fmt::format("update one set id = 'job_{}{}', agent = '{}'; insert into jobs select * from one;", name, i,
                          agent);
  }
  must(database.script(script + "drop table one; commit"));
}

awaitable<RecipeId> idle_recipe(World& world, std::string name) {
  const auto id = world.id<RecipeId>("rcp_");
  must(co_await world.stores.recipes.apply(world.ours.org, {.id_if_new = id,
                                                            .name = std::move(name),
                                                            .run_on = "dc1",
                                                            .trigger = "manual",
                                                            .source_yaml = "recipe: x",
                                                            .canonical_json = "{}",
                                                            .sha256 = Bytes(32),
                                                            .created_by = world.ours.owner,
                                                            .created_at = at_ms(1)}));
  co_return id;
}

using Costs = std::map<std::string, std::uint64_t>;

awaitable<void> ask_all(World& world, Database& database, StepCounter& counter, Costs& costs) {
  auto& jobs = world.stores.jobs;
  const auto& [org, owner, group, agent, recipe] = world.ours;
  const auto idle = co_await idle_recipe(world, "idle");
  counter.take();
  const auto note = [&](const char* what) { costs[what] = counter.take(); };
  CHECK(must(co_await jobs.holding(org, agent)).size() == 1);
  note("what an agent holds");
  CHECK(must(co_await jobs.list(org, {.state = domain::JobState::running, .agent = agent}, {})).items.size() == 1);
  note("what runs on an agent");
  must(co_await world.stores.recipes.remove(org, idle, {.at = at_ms(9)}));
  note("removing a recipe");
  must(co_await jobs.list(org, {}, {.limit = 20}));
  note("the newest jobs");
  must(co_await jobs.list(org, {.state = domain::JobState::queued}, {}));
  note("what waits");
  must(co_await jobs.next_queued({}, 32));
  note("what starts next");
  must(co_await jobs.queues());
  note("how long groups wait");
  const auto walk = "select count(*) from jobs where recipe = '" + recipe.value + "'";
  must(database.prepare(walk).one("number", [](Row row) { return row.integer(); }));
  note("a walk through all jobs (control)");
}

void check_growth(const Costs& few, Costs& many) {
  for (const auto& [what, steps] : few) {
    INFO(what << ": " << steps << " steps with few rows, " << many[what] << " with many");
    const bool control = what.find("control") != std::string::npos;
    // A page of 20 is whole only where there are so many.
    const bool grew = many[what] > steps * 2 + 20 * 60;
    CHECK(grew == control);
  }
}

awaitable<void> grow(World& world, const std::filesystem::path& file, StepCounter& counter) {
  co_await world.furnish();
  const auto held = co_await world.running_job(world.ours);
  const auto over = co_await world.running_job(world.ours);
  must(co_await world.stores.jobs.finish(over.org, over.id, 1, {domain::JobState::failed, at_ms(5), {}}));
  co_await world.queue_job(world.ours);
  auto database = must(Database::open(file, Access::read_write));
  Costs few, many;
  co_await ask_all(world, database, counter, few);
  multiply(database, over, "over", world.ours.agent.value, 1'000);
  multiply(database, held, "held", "agt_another", 1'000);
  co_await ask_all(world, database, counter, many);
  check_growth(few, many);
}

store::Tunnel listening(World& world, const Tenant& tenant, const std::string& name, std::uint16_t port) {
  auto tunnel = new_tunnel(world, tenant, name);
  tunnel.listener = {{"127.0.0.1", port}};
  return tunnel;
}

store::TunnelConnection opened(World& world, const TunnelId& tunnel) {
  return {.id = world.id<TunnelConnectionId>("tcn_"), .tunnel = tunnel, .source = "::1", .opened_at = at_ms(1)};
}

// Behind the store's back: removed tunnels of ours that had the same listener, living ones of theirs, and closed
// connections of ours and of another tunnel.
void multiply_tunnels(Database& database, const World& world, std::string_view tunnel, std::string_view other) {
  std::string script =
      "begin; create temp table one as select * from tunnels where id = '" + std::string(tunnel) + "';";
  for (int i = 0; i < 1'000; ++i) {
    script += fmt::format("update one set org = '{}', group_id = '{}', id = 'tun_0{}', name = 'old', removed_at = 1;",
                          world.ours.org.value, world.ours.group.value, i) +
              "insert into tunnels select * from one;" +
              fmt::format(
                  "update one set org = '{}', group_id = '{}', name = 'theirs{}', removed_at = null, "
                  "listen_address = null, listen_port = null; ",
                  world.theirs.org.value, world.theirs.group.value, i) +
              "insert into tunnels select * from one; update one set listen_address = '127.0.0.1', listen_port = 5432;";
  }
  for (const auto& of : {tunnel, other}) {  // as many closed ones as are kept
    script += fmt::format(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {}) insert into tunnel_connections "
        "select '{}', '{}', 'tcn_0' || i, null, 's', 1, 2, 0, 0, 'x', '', null, null from n;",
        store::kMostClosedConnections, world.ours.org.value, of);
  }
  must(database.script(script + "drop table one; commit"));
}

awaitable<void> ask_for_tunnels(World& world, Database& database, StepCounter& counter, Costs& costs, TunnelId tunnel) {
  using store::TunnelStatus;
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const auto fresh = listening(world, world.ours, "fresh", 6000);
  counter.take();
  const auto note = [&](const char* what) { costs[what] = counter.take(); };
  CHECK(must(co_await tunnels.list(org, {}, {})).items.size() == 2);
  note("the tunnels of an organisation");
  CHECK(must(co_await tunnels.list(org, {.name = "db"}, {})).items.size() == 1);
  note("a tunnel by its name");
  CHECK(must(co_await tunnels.list(org, {.status = TunnelStatus::paused}, {})).items.size() == 1);
  note("the paused tunnels");
  must(co_await tunnels.list_connections(org, tunnel, {.limit = 20}));
  note("the newest connections");
  must(co_await tunnels.add(org, fresh));
  note("adding a tunnel");
  must(co_await tunnels.remove(org, fresh.id, at_ms(9)));
  note("removing a tunnel");
  CHECK(refusal(co_await tunnels.add(org, listening(world, world.ours, "second", 5432))) == Errc::conflict);
  note("a listener that is taken");
  const auto connection = opened(world, tunnel);
  must(co_await tunnels.note_connections(org, {connection}));
  note("an access record");
  CHECK(must(co_await tunnels.close_open_connections(at_ms(9), "x", "")) == 1);
  note("closing what was left open");
  auto over = opened(world, tunnel);
  over.closed_at = at_ms(2);
  must(co_await tunnels.note_connections(org, {over}));
  note("the record of one that is over");
  must(database.prepare("select count(*) from tunnels where host = 'x'").one("n", [](Row row) {
    return row.integer();
  }));
  note("a walk through all tunnels (control)");
}

awaitable<void> grow_tunnels(World& world, const std::filesystem::path& file, StepCounter& counter) {
  co_await world.furnish();
  const auto db = listening(world, world.ours, "db", 5432);
  auto paused = new_tunnel(world, world.ours, "paused");
  paused.status = store::TunnelStatus::paused;
  must(co_await world.stores.tunnels.add(world.ours.org, db));
  must(co_await world.stores.tunnels.add(world.ours.org, paused));
  auto database = must(Database::open(file, Access::read_write));
  Costs few, many;
  co_await ask_for_tunnels(world, database, counter, few, db.id);
  multiply_tunnels(database, world, db.id.value, paused.id.value);
  co_await ask_for_tunnels(world, database, counter, many, db.id);
  check_growth(few, many);
}

}  // namespace

TEST_CASE("what is asked all day costs the same however many jobs there are", "[store][sqlite][scale]") {
  StepCounter counter;
  TempFolder folder;
  World world(std::make_unique<FileEngine>(folder / "relay.db"));
  run(grow(world, folder / "relay.db", counter));
}

TEST_CASE("what tunnels ask all day costs the same however many there were", "[store][sqlite][tunnels][scale]") {
  StepCounter counter;
  TempFolder folder;
  World world(std::make_unique<FileEngine>(folder / "relay.db"));
  run(grow_tunnels(world, folder / "relay.db", counter));
}
