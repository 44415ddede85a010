#include "tests/link/jobs/working_agent.h"

#include "shared/async/timeout.h"
#include "shared/crypto/digest.h"
#include "shared/recipe/loader.h"

#include <set>

namespace sallyport::test {
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kRecipe = R"(recipe: orders
run_on: dc1
trigger: {uses: manual@1}
steps:
  - {id: a, uses: command.run@1, on_in_doubt: retry, with: {template: t}}
  - {id: b, uses: command.run@1, on_in_doubt: retry, with: {template: t}}
)";

agent::SupervisorOptions options(agent::Endpoint relay, const WorkingAgent::Bend& bend) {
  agent::SupervisorOptions options;
  options.relay = std::move(relay);
  options.session.side = mux::Side::agent;
  options.session.self.capabilities = {"jobs", "renewal", "health"};
  options.session.self.software = "sallyport-agent/test";
  options.session.self.boot_id = crypto::random_bytes(16);
  options.backoff = {20ms, 200ms, 10s, 200ms};
  options.connect = 5s;
  bend(options);
  return options;
}

}  // namespace

WorkingAgent::WorkingAgent(GatewayRig& rig, runner::test::EngineBench& bench, agent::IdentityStore& identities,
                           agent::Endpoint relay, Bend bend)
    : rig_(rig),
      bench_(bench),
      log_(lines, rig.world.clock, LogLevel::debug),
      channel_(rig.loop, *bench.engine),
      dialer_(rig.loop, "none", agent::process_environment),
      transport_(dialer_, identities, rig.world.clock),
      time_(rig.world.clock),
      renewer_(
          identities, {10ms, 5s, 30ms, 100ms, 0ms, 0ms, 0ms}, [] { return 0.5; }, time_, log_),
      tasks_(rig.loop, [](const auto& task, const auto&) { FAIL_CHECK("a fault in " << task); }),
      supervisor_(rig.loop, options(std::move(relay), bend), {transport_, *this, &renewer_, rig.world.clock, log_},
                  [] { return 0.5; }) {}

awaitable<void> WorkingAgent::finish() {
  supervisor_.stop("test is over");
  co_await tasks_.join();
}

awaitable<void> WorkingAgent::leave() {
  supervisor_.drain("the agent stops", 30s);
  co_await bench_.engine->drain(std::chrono::steady_clock::now() + 30s);
  co_await tasks_.join();
}

awaitable<bool> WorkingAgent::until_ready() {
  return rig_.until([this] { return status().state == agent::LinkState::ready; });
}

awaitable<void> WorkingAgent::on_jobs(link::Session& session) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  ++links;
  const auto ended = co_await channel_.run(session);
  if (ended) ++in_order;
  log_.info("jobs.channel_ended", {{"message", ended ? "in order" : ended.error().message}});
}

awaitable<void> WorkingAgent::answer(link::Session& session, std::uint64_t nonce) {
  if (co_await bench_.engine->prove_alive()) session.pong(nonce);
}

Orders::Orders(GatewayRig& rig)
    : rig_(rig),
      service_({rig.world.stores.jobs, rig.world.stores.recipes, rig.outlines, rig.retention, rig.history,
                rig.world.stores.groups, rig.world.envelope, rig.fingerprints, rig.memory, rig.parcels, rig.dispatcher,
                rig.feed, rig.world.clock, rig.log}) {}

awaitable<void> Orders::prepare() {
  const auto canonical = recipe::to_canonical(recipe::load_recipe(std::string(kRecipe)).value());
  const auto digest = crypto::sha256(canonical);
  auto& recipes = rig_.world.stores.recipes;
  const auto applied =
      must(co_await recipes.apply(rig_.tenant.org, {.id_if_new = crypto::new_id<RecipeId>(rig_.world.clock),
                                                    .name = "orders",
                                                    .run_on = "dc1",
                                                    .trigger = "manual@1",
                                                    .source_yaml = std::string(kRecipe),
                                                    .canonical_json = canonical,
                                                    .sha256 = Bytes(digest.begin(), digest.end()),
                                                    .created_by = rig_.tenant.owner,
                                                    .created_at = rig_.world.clock.wall()}));
  must(co_await recipes.activate(rig_.tenant.org, applied.recipe.id, {applied.recipe.active_version, applied.version}));
  recipe_ = applied.recipe.id;
}

awaitable<void> Orders::start(int count) {
  for (int i = 0; i < count; ++i) {
    jobs::StartJob job{.recipe = recipe_, .version = std::nullopt, .inputs = Value(ValueMap()), .event_key = ""};
    const auto added = must(co_await service_.start(rig_.tenant.org, std::move(job), {"user:test"}));
    jobs_.push_back(added.job.id);
  }
}

awaitable<bool> Orders::all_succeeded() {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  for (const auto& id : jobs_) {
    for (;;) {
      const auto job = must(co_await rig_.world.stores.jobs.find(rig_.tenant.org, id));
      if (job.state == domain::JobState::succeeded) break;
      if (std::chrono::steady_clock::now() > deadline) co_return false;
      co_await sleep_for(5ms);
    }
  }
  co_return true;
}

Runs runs_of(const runner::test::EngineBench& bench) {
  const auto keys = bench.command.keys();
  const std::set<std::string> different(keys.begin(), keys.end());
  return {different.size(), keys.size() - different.size()};
}

bool each_step_once(const runner::test::EngineBench& bench, const Orders& orders) {
  return runs_of(bench) == Runs{kStepsOfOrder * orders.jobs(), 0};
}

}  // namespace sallyport::test
