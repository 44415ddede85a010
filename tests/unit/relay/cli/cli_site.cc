#include "tests/unit/relay/cli/cli_site.h"

#include "relay/jobs/sealing.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

namespace sallyport::test {
namespace {
using namespace std::chrono_literals;

asio::awaitable<AgentId> enrol(World& world, Tenant tenant) {
  const store::Agent agent{.id = crypto::new_id<AgentId>(world.clock),
                           .org = tenant.org,
                           .group = tenant.group,
                           .name = "erp-host",
                           .enrolled_at = world.clock.wall()};
  must(co_await world.stores.agents.add(tenant.org, agent));
  co_return agent.id;
}

asio::awaitable<JobId> start_named(World& world, Tenant tenant, std::string name) {
  const auto recipe = must(co_await world.stores.recipes.find_by_name(tenant.org, name));
  co_return co_await world.start(tenant, recipe.id);
}

asio::awaitable<void> play_run(World& world, Tenant tenant, AgentId agent, JobId job, domain::JobState state) {
  const auto now = world.clock.wall();
  must(co_await world.stores.jobs.claim(tenant.org, job, {agent, 0, now, now + 1min}));
  store::JobError error;
  store::StepFinished end{.path = "rows", .attempt = 1};
  if (state == domain::JobState::failed) {
    const auto seal = [&](keys::RecordIdentity identity) {
      return jobs::seal_error(world.envelope, std::move(identity), "no route to erp");
    };
    auto message = must(co_await seal(jobs::error_identity(tenant.org, job)));
    error = {.error_class = "connection", .sealed_message = std::move(message), .failed_step = "rows"};
    end.status = domain::StepStatus::failed;
    end.error_class = "connection";
    end.sealed_message = must(co_await seal(jobs::step_identity(tenant.org, "message", job, "rows", 1)));
  }
  std::vector<store::HistoryEntry> entries;
  entries.push_back({1, now, store::JobStarted{}});
  entries.push_back({2, now, store::StepStarted{"rows", 1, "sql.query@1", std::nullopt}});
  entries.push_back({3, now, std::move(end)});
  entries.push_back({4, now, store::JobFinished{state, error}});
  must(co_await world.stores.history.append(tenant.org, job, 1, std::move(entries)));
  const auto ended = must(co_await world.stores.jobs.find(tenant.org, job));
  world.feed.publish(tenant.org, ended.recipe, {job, 4});
}

}  // namespace

CliSite::CliSite() : server(api), world(server.loop().get_executor()) {
  api.target = &world.api;
  tenant = on_loop(world.settle("acme"));
  agent = on_loop(enrol(world, tenant));
}

CliSite::~CliSite() {
  server.ask_to_stop();
  server.join();
}

std::string CliSite::url() const { return fmt::format("https://127.0.0.1:{}", server.port()); }

Surroundings CliSite::machine(std::string in) const {
  return {.in = std::move(in), .environment = {{"XDG_CONFIG_HOME", folder.path("config")}}, .tune = {}};
}

Ran CliSite::login(domain::Role role) const {
  return run({"login", "--relay", url(), "--root", server.root()}, tenant.token(role) + "\n");
}

Value CliSite::json(std::vector<std::string> words, std::string in) const {
  words.insert(words.end(), {"-o", "json"});
  const auto ran = run(words, std::move(in));
  INFO(words[0] << " " << words[1] << "\n" << ran.out << ran.err);
  REQUIRE(ran.code == cli::kDone);
  const auto value = parse_json(ran.out);
  REQUIRE(value);
  return *value;
}

void CliSite::settle_recipe(std::string_view name) const {
  const auto ran = run({"recipes", "apply", "-f", "-", "--activate"}, recipe_yaml(std::string(name)));
  INFO(ran.err);
  REQUIRE(ran.code == cli::kDone);
}

JobId CliSite::start(std::string_view recipe) { return on_loop(start_named(world, tenant, std::string(recipe))); }

void CliSite::finish(const JobId& job, domain::JobState state) { on_loop(play_run(world, tenant, agent, job, state)); }

std::string only_line(const std::string& text) {
  CHECK(text.ends_with('\n'));
  return text.substr(0, text.find('\n'));
}

}  // namespace sallyport::test
