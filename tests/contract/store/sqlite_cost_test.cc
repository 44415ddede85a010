#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "tests/contract/store/world.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>
#include <map>

// What the questions that are asked all day cost the embedded engine, counted in steps of SQLite's machine: time would
// depend on the computer. None may grow with the jobs that are over, or with those that other agents hold.
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
  for (const auto& [what, steps] : few) {
    INFO(what << ": " << steps << " steps with few jobs, " << many[what] << " with many");
    const bool control = what.find("control") != std::string::npos;
    // A page of 20 is whole only where there are so many.
    const bool grew = many[what] > steps * 2 + 20 * 60;
    CHECK(grew == control);
  }
}

}  // namespace

TEST_CASE("what is asked all day costs the same however many jobs there are", "[store][sqlite][scale]") {
  StepCounter counter;
  TempFolder folder;
  World world(std::make_unique<FileEngine>(folder / "relay.db"));
  run(grow(world, folder / "relay.db", counter));
}
