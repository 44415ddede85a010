#include "tests/unit/relay/jobs/world.h"

#include "relay/jobs/sealing.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "shared/recipe/loader.h"

#include <fmt/format.h>

namespace sallyport::test {
namespace {

std::string label_of(const keys::RecordIdentity& identity) {
  return fmt::format("{}|{}|{}|{}|", identity.org.value, identity.table, identity.column, identity.record);
}

}  // namespace

awaitable<Result<keys::NewJobKeys>> PlainEnvelope::make_job_keys(OrgId org, JobId job, domain::JobRetention retention) {
  if (real != nullptr) co_return co_await real->make_job_keys(std::move(org), std::move(job), retention);
  co_return keys::NewJobKeys{.org = std::move(org), .job = std::move(job), .wrapped = {}, .payload = {}, .logs = {}};
}

awaitable<Result<Bytes>> PlainEnvelope::seal_new(const keys::NewJobKeys& keys, keys::RecordIdentity identity,
                                                 std::span<const std::byte> plaintext) {
  if (real != nullptr) return real->seal_new(keys, std::move(identity), plaintext);
  return seal(std::move(identity), plaintext);
}

awaitable<Result<Bytes>> PlainEnvelope::seal(keys::RecordIdentity identity, std::span<const std::byte> plaintext) {
  if (real != nullptr) co_return co_await real->seal(std::move(identity), plaintext);
  if (broken) co_return fail(*broken, "planted: no key");
  const auto text = label_of(identity) + std::string(as_text(plaintext)) + ".";
  co_return Bytes(as_bytes(text).begin(), as_bytes(text).end());
}

awaitable<Result<Secret>> PlainEnvelope::open(keys::RecordIdentity identity, std::span<const std::byte> sealed) {
  if (real != nullptr) co_return co_await real->open(std::move(identity), sealed);
  if (broken) co_return fail(*broken, "planted: no key");
  const auto label = label_of(identity);
  const auto text = as_text(sealed);
  if (!text.starts_with(label) || !text.ends_with('.')) co_return fail(Errc::invalid, "not sealed for this record");
  co_return Secret::take(std::string(text.substr(label.size(), text.size() - label.size() - 1)));
}

Result<void> FakeLink::post(jobs::ToAgent message) {
  if (refuses) return std::unexpected(*refuses);
  if (std::holds_alternative<jobs::Dispatch>(message)) {
    if (room == 0) return fail(Errc::unavailable, "no room");
    --room;
  }
  posted.push_back(std::move(message));
  return {};
}

JobsWorld::JobsWorld(asio::any_io_executor executor)
    : engine(must(store::SqliteStore::open({.file = folder.path("relay.db")}))),
      stores(engine->stores()),
      agents(stores.agents, faults),
      jobs(stores.jobs, faults),
      history(stores.history, faults),
      assignments(stores.assignments, faults),
      groups(stores.groups, faults),
      audit_log(stores.audit_log, faults),
      audit(audit_log, clock),
      feed(executor),
      parcels({stores.recipes, history, envelope, memory}),
      outlines(stores.recipes),
      retention(stores.retentions, clock),
      dispatcher(executor, {jobs, parcels, memory, envelope, feed, clock, log,
                            [this](const OrgId& org) { return !unreadable.contains(org); }}),
      journals({agents, dispatcher, audit, log}),
      assigner(executor, {stores.organisations, stores.recipes, groups, stores.agents, assignments, parcels,
                          stores.retentions, log}),
      recorder(executor, {agents, jobs, history, outlines, retention, assignments, envelope, fingerprints, audit,
                          dispatcher, feed, clock, log}),
      service({jobs, stores.recipes, outlines, retention, history, stores.groups, envelope, fingerprints, memory,
               parcels, dispatcher, feed, clock, log}),
      tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
      probe_({OrgId("org_probe"), AgentId("agt_probe"), GroupId("grp_probe")}) {}

awaitable<Tenant> JobsWorld::settle(std::string name) {
  Tenant tenant{.org = crypto::new_id<OrgId>(clock),
                .owner = crypto::new_id<UserId>(clock),
                .group = {},
                .agent = {},
                .recipe = {}};
  must(co_await stores.organisations.add({tenant.org, name, clock.wall()}));
  must(co_await stores.users.add(tenant.org, {.id = tenant.owner,
                                              .org = tenant.org,
                                              .name = "Olga",
                                              .email = "olga@" + name,
                                              .role = domain::Role::owner,
                                              .created_at = clock.wall()}));
  tenant.group = co_await add_group(tenant, "dc1");
  tenant.agent = co_await add_agent(tenant, tenant.group);
  tenant.recipe = co_await add_recipe(tenant, manual_recipe("orders"));
  co_return tenant;
}

awaitable<GroupId> JobsWorld::add_group(Tenant tenant, std::string name) {
  const auto group = crypto::new_id<GroupId>(clock);
  must(co_await stores.groups.add(tenant.org, {group, tenant.org, std::move(name), clock.wall()}));
  co_return group;
}

awaitable<AgentId> JobsWorld::add_agent(Tenant tenant, GroupId group) {
  clock.advance(std::chrono::milliseconds(1));  // ids are in the order of enrolment
  const auto agent = crypto::new_id<AgentId>(clock);
  must(co_await stores.agents.add(
      tenant.org, {.id = agent, .org = tenant.org, .group = group, .name = agent.value, .enrolled_at = clock.wall()}));
  co_return agent;
}

awaitable<RecipeId> JobsWorld::add_recipe(Tenant tenant, std::string yaml) {
  const auto loaded = recipe::load_recipe(yaml);
  if (!loaded) throw std::runtime_error(yaml::to_error(loaded.error()).message);
  const auto canonical = recipe::to_canonical(*loaded);
  const auto digest = crypto::sha256(canonical);
  const auto applied = must(co_await stores.recipes.apply(tenant.org, {.id_if_new = crypto::new_id<RecipeId>(clock),
                                                                       .name = loaded->name,
                                                                       .run_on = loaded->run_on,
                                                                       .trigger = loaded->trigger.uses,
                                                                       .source_yaml = yaml,
                                                                       .canonical_json = canonical,
                                                                       .sha256 = Bytes(digest.begin(), digest.end()),
                                                                       .created_by = tenant.owner,
                                                                       .created_at = clock.wall()}));
  must(co_await stores.recipes.activate(tenant.org, applied.recipe.id,
                                        {applied.recipe.active_version, applied.version}));
  co_return applied.recipe.id;
}

awaitable<JobId> JobsWorld::queue(Tenant tenant, std::optional<RecipeId> recipe, std::string inputs) {
  const auto added = must(co_await service.start(tenant.org,
                                                 {.recipe = recipe.value_or(tenant.recipe),
                                                  .version = std::nullopt,
                                                  .inputs = must(parse_json(inputs)),
                                                  .event_key = ""},
                                                 {"user:test"}));
  co_return added.job.id;
}

awaitable<JobId> JobsWorld::local_job(Tenant tenant, RecipeId recipe) {
  store::NewJob fresh;
  fresh.job = {.id = crypto::new_id<JobId>(clock),
               .org = tenant.org,
               .recipe = recipe,
               .version = 1,
               .group = tenant.group,
               .agent = tenant.agent,
               .state = domain::JobState::running,
               .created_at = clock.wall()};
  auto id = fresh.job.id;
  must(co_await stores.jobs.add(tenant.org, std::move(fresh)));
  co_return id;
}

awaitable<std::string> JobsWorld::why(store::Job job) {
  if (!job.error.sealed_message) co_return "";
  auto identity = sallyport::jobs::error_identity(job.org, job.id);
  const auto message = must(co_await envelope.open(std::move(identity), *job.error.sealed_message));
  co_return std::string(message.reveal());
}

awaitable<store::Job> JobsWorld::job(Tenant tenant, JobId id) {
  co_return must(co_await stores.jobs.find(tenant.org, std::move(id)));
}

std::unique_ptr<FakeLink> JobsWorld::link(const Tenant& tenant, const AgentId& agent, const GroupId& group) {
  return std::make_unique<FakeLink>(sallyport::jobs::LinkedAgent{tenant.org, agent, group});
}

void JobsWorld::run() {
  dispatcher.link_up(probe_);
  tasks.spawn("dispatcher", dispatcher.run());
}

awaitable<void> JobsWorld::rounds() {
  for (int i = 0; i < 2; ++i) {  // pings are answered at the beginning of a round
    dispatcher.wake();
    dispatcher.ping(probe_, ++nonce_);
    const bool answered = co_await until([&] { return probe_.ponged == nonce_; });
    REQUIRE(answered);
  }
}

awaitable<void> JobsWorld::finish() {
  tasks.stop();
  co_await tasks.join();
}

awaitable<bool> JobsWorld::until(std::function<bool()> holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(std::chrono::milliseconds(1));
  co_return holds();
}

void JobsWorld::connect(FakeLink& to, std::uint32_t slots) {
  dispatcher.link_up(to);
  dispatcher.ready(to, slots);
}

std::string manual_recipe(std::string_view name, std::string_view more) {
  return fmt::format(
      "recipe: {}\nrun_on: dc1\ntrigger: {{uses: manual@1}}\ninputs: {{key: {{type: text, default: \"\"}}}}\n{}"
      "steps:\n  - {{id: a, uses: log.write@1, with: {{text: a}}}}\n  - {{id: b, uses: log.write@1, with: {{text: "
      "b}}}}\n"
      "  - {{id: c, uses: log.write@1, with: {{text: c}}}}\n",
      name, more);
}

std::string watching_recipe(std::string_view name, std::string_view group) {
  return fmt::format(
      "recipe: {}\nrun_on: {}\ntrigger: {{uses: schedule@1, with: {{cron: \"0 3 * * *\"}}}}\nsteps:\n"
      "  - {{id: a, uses: log.write@1, with: {{text: a}}}}\n",
      name, group);
}

}  // namespace sallyport::test
