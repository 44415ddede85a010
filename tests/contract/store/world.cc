#include "tests/contract/store/world.h"

#include "relay/store/sqlite/sqlite_store.h"

#include <unistd.h>
#include <array>
#include <atomic>

namespace sallyport::test {
namespace {

class SqliteEngine final : public StoreEngine {
 public:
  SqliteEngine() : store_(must(store::SqliteStore::open({.file = folder_ / "relay.db"}))) {}
  store::Stores stores() override { return store_->stores(); }

 private:
  TempFolder folder_;
  std::unique_ptr<store::SqliteStore> store_;
};

awaitable<void> furnish_and_run(World& world, awaitable<void> (*body)(World&)) {
  co_await world.furnish();
  co_await body(world);
}

}  // namespace

std::span<const EngineFactory> engines() {
  static const std::array<EngineFactory, 1> all = {{{"sqlite", [] { return std::make_unique<SqliteEngine>(); }}}};
  return all;
}

void run_store_test(awaitable<void> (*body)(World&)) {
  for (const EngineFactory& factory : engines()) {
    INFO("engine " << factory.name);
    World world(factory.make());
    run(furnish_and_run(world, body));
  }
}

TempFolder::TempFolder() {
  static std::atomic<int> count = 0;
  path_ = std::filesystem::temp_directory_path() /
          ("sallyport-store-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  std::filesystem::create_directories(path_);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

awaitable<void> World::furnish() {
  ours = co_await settle("ours");
  theirs = co_await settle("theirs");
}

awaitable<Tenant> World::settle(std::string name) {
  Tenant tenant{.org = id<OrgId>("org_"),
                .owner = id<UserId>("usr_"),
                .group = id<GroupId>("grp_"),
                .agent = id<AgentId>("agt_"),
                .recipe = id<RecipeId>("rcp_")};
  must(co_await stores.organisations.add({tenant.org, name, at_ms(0)}));
  must(co_await stores.users.add(tenant.org, {.id = tenant.owner,
                                              .org = tenant.org,
                                              .name = "Olga",
                                              .email = "olga@example.com",
                                              .role = domain::Role::owner,
                                              .created_at = at_ms(0)}));
  must(co_await stores.groups.add(tenant.org, {tenant.group, tenant.org, "dc1", at_ms(0)}));
  must(co_await stores.agents.add(tenant.org, {.id = tenant.agent,
                                               .group = tenant.group,
                                               .name = "edge",
                                               .hostname = "edge.local",
                                               .software = "sallyport-agent/0.1.0",
                                               .enrolled_at = at_ms(0)}));
  must(co_await stores.recipes.apply(tenant.org, {.id_if_new = tenant.recipe,
                                                  .name = "orders",
                                                  .run_on = "dc1",
                                                  .trigger = "manual",
                                                  .source_yaml = "recipe: orders",
                                                  .canonical_json = R"({"recipe":"orders"})",
                                                  .sha256 = Bytes(32, std::byte{1}),
                                                  .created_by = tenant.owner,
                                                  .created_at = at_ms(0)}));
  co_return tenant;
}

store::NewJob World::new_job(const Tenant& tenant, std::string event_key) {
  const JobId job = id<JobId>("job_");
  return {.job = {.id = job,
                  .org = tenant.org,
                  .recipe = tenant.recipe,
                  .version = 1,
                  .group = tenant.group,
                  .trigger_kind = "api",
                  .event_key = std::move(event_key),
                  .created_at = at_ms(made)},
          .sealed_trigger = bytes_of("sealed " + job.value)};
}

awaitable<store::Job> World::queue_job(Tenant tenant, std::string event_key) {
  store::NewJob fresh = new_job(tenant, std::move(event_key));
  auto added = must(co_await stores.jobs.add(tenant.org, std::move(fresh)));
  co_return added.job;
}

awaitable<store::Job> World::held_job(Tenant tenant) {
  auto job = co_await queue_job(tenant);
  auto claimed = must(co_await stores.jobs.claim(tenant.org, job.id,
                                                 {.agent = tenant.agent, .at = at_ms(10), .lease_until = at_ms(99)}));
  co_return claimed.job;
}

awaitable<store::Job> World::running_job(Tenant tenant) {
  const auto held = co_await held_job(tenant);
  store::HistoryEntry started{.job_seq = 1'000'000, .at = at_ms(20), .what = store::JobStarted{}};
  auto appended = must(co_await stores.history.append(tenant.org, held.id, 1, {std::move(started)}));
  co_return appended.job;
}

}  // namespace sallyport::test
