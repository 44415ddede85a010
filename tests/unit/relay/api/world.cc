#include "tests/unit/relay/api/world.h"

#include "relay/api/api_token.h"
#include "relay/store/sqlite/database.h"
#include "relay/webhooks/secrets.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/new_id.h"
#include "shared/http/gate.h"
#include "shared/recipe/loader.h"

#include <fmt/format.h>

namespace sallyport::test {
namespace {

identity::Deployment make_deployment(const Clock& clock) {
  auto root = must(crypto::make_root("test", clock));
  auto server = must(crypto::make_server_certificate(root, {"127.0.0.1"}, clock));
  return {"test.example", std::move(root.certificate), std::move(root.key), std::move(server)};
}

}  // namespace

std::vector<Seen> World::news() {
  auto database = must(store::sqlite::Database::open(this->database(), store::sqlite::Access::read_only));
  std::vector<Seen> news;
  std::map<std::int64_t, store::AuditEvent> events;
  must(
      database
          .prepare("select r.rowid, r.org, r.json, coalesce(t.member, ''), coalesce(t.json, '') from audit_rows r left "
                   "join audit_texts t on t.org = r.org and t.seq = r.seq where r.rowid > ? order by r.rowid",
                   last_row_seen_)
          .all([&](store::sqlite::Row row) {
            const auto number = row.integer();
            auto ledger = row.id<OrgId>();
            if (number != std::exchange(last_row_seen_, number)) news.push_back({std::move(ledger), Value()});
            auto& event = events[number];
            event.json = row.text();
            store::AuditText text{.member = row.text(), .person = {}, .salt = {}, .json = row.text()};
            if (!text.member.empty()) event.texts.push_back(std::move(text));
            news.back().event = must(parse_json(store::whole_json(event)));
            return 0;
          }));
  return news;
}

std::optional<jobs::LinkState> TestPresence::link_of(const OrgId&, const AgentId& agent) const {
  const auto it = linked.find(agent);
  return it == linked.end() ? std::nullopt : std::optional(it->second);
}

namespace {

// An archive in memory. What is in it stays while it is out of order.
class MemoryPlace final : public archive::Place {
 public:
  explicit MemoryPlace(const bool& broken) : broken_(broken) {}
  asio::awaitable<Result<void>> put(std::string name, Bytes object) override {
    objects_.insert_or_assign(std::move(name), std::move(object));
    co_return Result<void>();
  }
  asio::awaitable<Result<Bytes>> get(std::string name) override {
    const auto found = objects_.find(name);
    if (found == objects_.end()) co_return fail(Errc::not_found, "no such object");
    co_return found->second;
  }
  asio::awaitable<Result<void>> remove(std::string name) override {
    if (broken_) co_return fail(Errc::unavailable, "planted: the archive is out of order");
    objects_.erase(name);
    co_return Result<void>();
  }
  std::string describe() const override { return "memory"; }

 private:
  const bool& broken_;
  std::map<std::string, Bytes> objects_;
};

}  // namespace

World::World(const asio::any_io_executor& executor, api::ApiOptions options, std::string vfs)
    : store(must(store::SqliteStore::open({.file = database(), .vfs = std::move(vfs)}))),
      stores(store->stores()),
      ring(executor, folder.path(), clock, stores.job_keys),
      envelope(ring.envelope),
      own_keys(executor, {ring.store->keys(), ring.hierarchy, key_places, clock, log, metrics}),
      resealer({ring.store->keys(), stores.standing_records, ring.hierarchy, ring.envelope, own_keys, log}),
      custodian(executor, {ring.store->keys(), ring.provider, ring.hierarchy, own_keys,
                           [this] { return std::optional(clock.wall()); }, log, metrics, nullptr, &resealer}),
      audit(stores.audit_log, clock),
      receipts({stores.erasures, envelope, clock, audit, log}),
      eraser(executor, {stores.erasures,
                        stores.job_keys,
                        ring.store->keys(),
                        ring.hierarchy,
                        receipts,
                        audit,
                        clock,
                        log,
                        metrics,
                        [this](OrgId org) -> asio::awaitable<Result<void>> {
                          quietened.push_back(std::move(org));
                          co_return Result<void>();
                        },
                        {},
                        {},
                        std::chrono::days(7),
                        [this](SteadyTime until) { return archiver.remove_erased(until); },
                        std::chrono::milliseconds(0)}),
      deployment(make_deployment(clock)),
      authority(deployment, stores.issuing_cas, envelope, clock),
      enrolments({stores.enrolment_tokens, stores.groups, stores.agents, authority, envelope, audit, metrics},
                 {"relay.test", 7443, ""}, clock),
      revocations(stores.agents, stores.certificates, clock),
      feed(executor),
      parcels({stores.recipes, stores.history, envelope, memory}),
      outlines(stores.recipes),
      records({stores.jobs, stores.history, outlines, envelope}),
      archiver({stores.archive, stores.jobs, ring.store->keys(), records, ring.hierarchy, places, audit, clock, log,
                metrics, [this] { return std::optional(clock.wall()); }}),
      retention(stores.retentions, clock),
      dispatcher(executor, {stores.jobs, parcels, memory, envelope, feed, clock, log}),
      job_service({stores.jobs, stores.recipes, outlines, retention, stores.history, stores.groups, envelope,
                   fingerprints, memory, parcels, dispatcher, feed, clock, log}),
      recipe_work(executor, {}),
      api(api::Services{stores,
                        envelope,
                        custodian,
                        eraser,
                        receipts,
                        fingerprints,
                        archiver,
                        audit,
                        enrolments,
                        revocations,
                        job_service,
                        retention,
                        feed,
                        presence,
                        desk,
                        authorizations,
                        clock,
                        log,
                        metrics,
                        recipe_work,
                        [this](const OrgId& org, const std::optional<AgentId>& agent) {
                          triggers_changed.push_back(org);
                          triggers_taken_from = agent;
                        },
                        [this](const OrgId& org) { retention_changed.push_back(org); },
                        [this](const std::string& peer) { return take_link(peer); },
                        [this](const OrgId&, const GroupId& group) { system_keys_changed.push_back(group); }},
          options),
      door({stores.webhooks, envelope, job_service, audit, clock, log, metrics, api}) {
  places.emplace("local", std::make_unique<MemoryPlace>(archive_broken));
}

World::~World() = default;

asio::awaitable<std::string> World::add_token(OrgId org, UserId user, domain::ScopeSet scopes) {
  const auto id = crypto::new_id<ApiTokenId>(clock);
  auto secret = api::make_token_secret(id);
  store::ApiToken token{.id = id,
                        .org = org,
                        .user = user,
                        .name = "test",
                        .secret_hash = secret.hash,
                        .scopes = scopes,
                        .created_at = clock.wall(),
                        .expires_at = clock.wall() + std::chrono::hours(24)};
  must(co_await stores.api_tokens.add(org, std::move(token)));
  co_return std::string(secret.text.reveal());
}

asio::awaitable<Tenant> World::settle(std::string name) {
  Tenant tenant{.org = crypto::new_id<OrgId>(clock), .group = crypto::new_id<GroupId>(clock)};
  must(co_await stores.organisations.add({tenant.org, name, clock.wall()}));
  must(co_await stores.groups.add(tenant.org, {tenant.group, tenant.org, "dc1", clock.wall()}));
  for (const auto role : {domain::Role::owner, domain::Role::editor, domain::Role::viewer}) {
    const auto user = crypto::new_id<UserId>(clock);
    const auto email = fmt::format("{}@{}.test", to_string(role), name);
    must(co_await stores.users.add(tenant.org, {.id = user,
                                                .org = tenant.org,
                                                .name = std::string(to_string(role)),
                                                .email = email,
                                                .role = role,
                                                .created_at = clock.wall()}));
    tenant.users[role] = user;
    tenant.tokens[role] = co_await add_token(tenant.org, user, domain::ScopeSet::all());
  }
  co_return tenant;
}

asio::awaitable<std::string> World::platform_token() {
  const auto org = crypto::new_id<OrgId>(clock);
  const auto user = crypto::new_id<UserId>(clock);
  must(co_await stores.organisations.add({org, "platform", clock.wall()}));
  must(co_await stores.users.add(org, {.id = user,
                                       .org = org,
                                       .name = "admin",
                                       .email = "admin@platform.test",
                                       .role = domain::Role::viewer,
                                       .platform = domain::PlatformRights::admin,
                                       .created_at = clock.wall()}));
  co_return co_await add_token(org, user, domain::ScopeSet::all());
}

asio::awaitable<RecipeId> World::apply_recipe(Tenant tenant, std::string name, std::string yaml) {
  const auto loaded = recipe::load_recipe(yaml);
  if (!loaded) throw std::runtime_error(yaml::to_error(loaded.error()).message);
  const auto canonical = recipe::to_canonical(*loaded);
  const auto digest = crypto::sha256(canonical);
  const auto applied =
      must(co_await stores.recipes.apply(tenant.org, {.id_if_new = crypto::new_id<RecipeId>(clock),
                                                      .name = name,
                                                      .run_on = loaded->run_on,
                                                      .trigger = "manual",
                                                      .source_yaml = yaml,
                                                      .canonical_json = canonical,
                                                      .sha256 = Bytes(digest.begin(), digest.end()),
                                                      .created_by = tenant.users.at(domain::Role::owner),
                                                      .created_at = clock.wall()}));
  co_return applied.recipe.id;
}

asio::awaitable<JobId> World::start(Tenant tenant, RecipeId recipe) {
  const auto added = must(co_await job_service.start(
      tenant.org, {.recipe = recipe, .version = std::nullopt, .inputs = Value(ValueMap{}), .event_key = ""}, {"test"}));
  co_return added.job.id;
}

asio::awaitable<TunnelId> World::add_tunnel(Tenant tenant, std::string name, store::TunnelStatus status) {
  const auto id = crypto::new_id<TunnelId>(clock);
  must(co_await stores.tunnels.add(
      tenant.org, {.id = id,
                   .org = tenant.org,
                   .name = std::move(name),
                   .group = tenant.group,
                   .host = "db.internal",
                   .port = 5432,
                   .networks = {"127.0.0.0/8"},
                   .access = {.roles = {domain::Role::owner, domain::Role::editor, domain::Role::viewer}},
                   .status = status,
                   .created_by = tenant.users.at(domain::Role::owner),
                   .created_at = clock.wall()}));
  co_return id;
}

asio::awaitable<WebhookId> World::add_webhook(Tenant tenant, RecipeId recipe, std::string secret) {
  store::Webhook webhook;
  webhook.id = crypto::new_id<WebhookId>(clock);
  webhook.recipe = recipe;
  webhook.proof = "standard-webhooks";
  webhook.created_by = tenant.users.at(domain::Role::owner);
  webhook.secret_set_at = webhook.created_at = clock.wall();
  std::vector<webhooks::HeldSecret> secrets;
  secrets.push_back({.text = Secret::take(secret)});
  const auto text = webhooks::join_secrets(secrets);
  webhook.sealed_secrets =
      must(co_await envelope.seal(webhooks::secrets_identity(tenant.org, webhook.id), as_bytes(text.reveal())));
  must(co_await stores.webhooks.add(tenant.org, webhook));
  co_return webhook.id;
}

asio::awaitable<void> World::archive_job(OrgId org, JobId job, std::string record) {
  const auto hour = store::hour_of(clock.wall());
  auto object = must(co_await archive::seal_object(ring.hierarchy, org, job, 48, hour, as_bytes(record)));
  const store::ArchivedRecord row{.job = job,
                                  .place = "local",
                                  .object = job.value,
                                  .hours = 48,
                                  .hour = object.hour,
                                  .size = object.bytes.size(),
                                  .archived_at = clock.wall()};
  must(co_await stores.archive.intend(org, row));
  must(co_await stores.archive.settle(org, row));
  must(co_await places.at("local")->put(job.value, std::move(object.bytes)));
}

asio::awaitable<Targets> World::make_targets(Tenant tenant) {
  Targets made{.user = crypto::new_id<UserId>(clock),
               .token = crypto::new_id<ApiTokenId>(clock),
               .group = crypto::new_id<GroupId>(clock),
               .agent = crypto::new_id<AgentId>(clock)};
  const auto& org = tenant.org;
  const auto unique = made.user.value.substr(20);
  std::string name = "n";
  for (const char c : unique) name += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  must(co_await stores.users.add(
      org, {.id = made.user, .org = org, .name = name, .email = name + "@x.test", .created_at = clock.wall()}));
  must(co_await stores.api_tokens.add(org, {.id = made.token,
                                            .org = org,
                                            .user = made.user,
                                            .name = name,
                                            .secret_hash = Bytes(32),
                                            .created_at = clock.wall()}));
  must(co_await stores.groups.add(org, {made.group, org, name, clock.wall()}));
  must(co_await stores.agents.add(
      org, {.id = made.agent, .org = org, .group = tenant.group, .name = name, .enrolled_at = clock.wall()}));
  made.enrolment_token = must(co_await enrolments.make_token(
                                  org, {.group = tenant.group, .created_by = tenant.users.at(domain::Role::owner)}))
                             .token.id;
  made.recipe = co_await apply_recipe(tenant, name, recipe_yaml(name));
  co_await apply_recipe(tenant, name, recipe_yaml(name, "dc1", "another"));
  must(co_await stores.recipes.activate(org, made.recipe, {std::nullopt, 1}));
  made.idle_recipe = co_await apply_recipe(tenant, name + "-idle", recipe_yaml(name + "-idle"));
  made.job = co_await start(tenant, made.recipe);
  made.ended_job = co_await start(tenant, made.recipe);
  must(co_await job_service.cancel(org, made.ended_job, {"test"}));
  co_await archive_job(org, made.job, "{}\n");
  made.webhook = co_await add_webhook(tenant, made.recipe, "a secret of sixteen bytes");
  made.tunnel = co_await add_tunnel(tenant, name, store::TunnelStatus::active);
  made.paused_tunnel = co_await add_tunnel(tenant, name + "-paused", store::TunnelStatus::paused);
  made.organisation = crypto::new_id<OrgId>(clock);
  must(co_await stores.organisations.add({made.organisation, made.organisation.value, clock.wall()}));
  const auto gone = crypto::new_id<UserId>(clock);
  must(co_await stores.users.add(
      org, {.id = gone, .org = org, .name = "gone", .email = name + "@gone.test", .created_at = clock.wall()}));
  made.erasure = must(co_await eraser.begin_person(org, gone, {"system"}, {})).id;
  // An organisation has a hundred at most.
  for (const auto& before : must(co_await stores.system_keys.list(org, {})).items)
    must(co_await stores.system_keys.remove(org, before.name));
  made.system_key = name;
  made.authorization = must(co_await authorizations.begin({org, "system", made.agent, "erp-api"})).id;
  must(co_await stores.system_keys.put(org,
                                       {.org = org,
                                        .name = name,
                                        .group = tenant.group,
                                        .version = 1,
                                        .values = {"password"},
                                        .set_by = made.user,
                                        .set_at = clock.wall()},
                                       {}));
  co_return made;
}

asio::awaitable<http::Reply> World::play(Ask ask) {
  std::string block = fmt::format("{} {} HTTP/1.1\r\nHost: relay.test\r\n", ask.method, ask.target);
  if (!ask.token.empty()) block += fmt::format("Authorization: Bearer {}\r\n", ask.token);
  if (!ask.body.empty()) block += fmt::format("Content-Length: {}\r\n", ask.body.size());
  bool typed = false;
  for (const auto& line : ask.headers) {
    block += line + "\r\n";
    typed = typed || line.starts_with("Content-Type");
  }
  if (!ask.body.empty() && !typed) block += "Content-Type: application/json\r\n";
  auto head = http::check_head(block + "\r\n", {});
  if (!head) throw std::runtime_error("the gate refused: " + head.error().code);
  head->request_id = "req-1";
  head->peer = ask.peer;
  auto admission = co_await door.admit(*head);
  if (auto* refused = std::get_if<http::Response>(&admission)) co_return std::move(*refused);
  auto& exchange = std::get<std::unique_ptr<http::Exchange>>(admission);
  if (ask.body.size() > exchange->body_limit()) throw std::runtime_error("the body is over the route's limit");
  co_return co_await exchange->answer({*std::move(head), ask.body});
}

asio::awaitable<http::Response> World::call(Ask ask) {
  auto reply = co_await play(std::move(ask));
  co_return std::get<http::Response>(std::move(reply));
}

std::string recipe_yaml(std::string_view name, std::string_view group, std::string_view message) {
  return fmt::format(
      "recipe: {}\nrun_on: {}\ntrigger: {{uses: manual@1}}\nsteps:\n  - id: done\n    stop: {{status: succeeded, "
      "message: {}}}\n",
      name, group, message);
}

Value json_of(const http::Response& response) { return must(parse_json(response.body)); }

ValueList items_of(const http::Response& response) { return json_of(response).find("items")->as_list(); }

std::string text_of(const Value& value, std::string_view member) {
  const auto* found = value.find(member);
  return found != nullptr && found->is(Value::Kind::string) ? found->as_string() : std::string();
}

}  // namespace sallyport::test
