#include "relay/app/relay.h"

#include "relay/api/api.h"
#include "relay/api/session_ledger.h"
#include "relay/app/archive_places.h"
#include "relay/app/ballast.h"
#include "relay/app/believed_clock.h"
#include "relay/app/data_lock.h"
#include "relay/app/database.h"
#include "relay/app/key_ring.h"
#include "relay/app/open_files.h"
#include "relay/app/own_key_places.h"
#include "relay/app/private_data.h"
#include "relay/app/quieten.h"
#include "relay/app/revoked_jobs.h"
#include "relay/archive/archiver.h"
#include "relay/audit/ledger_cutter.h"
#include "relay/erasure/eraser.h"
#include "relay/gateway/gateway.h"
#include "relay/http/server.h"
#include "relay/identity/root_rotation.h"
#include "relay/identity/upkeep.h"
#include "relay/jobs/journals.h"
#include "relay/jobs/service.h"
#include "relay/keys/backups.h"
#include "relay/keys/custodian.h"
#include "relay/keys/layered_envelope.h"
#include "relay/keys/own_keys.h"
#include "relay/keys/shredder.h"
#include "relay/keys/sound_clock.h"
#include "relay/keys/tenant_fingerprints.h"
#include "relay/tunnels/carrier.h"
#include "shared/async/fair_pool.h"
#include "shared/async/run.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>

namespace sallyport::app {
namespace asio = boost::asio;
namespace {

// What a relay is built on; outlives it.
struct Ground {
  const DataDirectory& data;
  const Settings& settings;
  std::size_t open_files;  // that the process may have
  const ConnectionLimits& limits;
  store::SqliteStore& database;
  identity::Deployment& deployment;
  KeyRing& keys;
  const std::filesystem::path& key_backups;
  archive::Places& archives;
  const Clock& clock;
  const Log& log;
  LogFiles& log_files;
};

// Everything of a running relay, in the order it is built; later members use earlier ones.
struct Graph {
  Graph(const asio::any_io_executor& loop, const Ground& on, tls::ServerContext context);

  store::Stores stores;
  Metrics metrics;
  BelievedClock believed;
  keys::SoundClock clock;
  keys::Backups backups;
  keys::Hierarchy hierarchy;
  keys::LayeredEnvelope envelope;
  keys::TenantFingerprints fingerprints;
  Ballast ballast;
  keys::Shredder shredder;
  Audit audit;
  OwnKeyPlaces own_key_places;
  keys::OwnKeys own_keys;
  keys::Custodian custodian;
  FairPool recipe_work;
  identity::AgentAuthority authority;
  identity::Enrolments enrolments;
  identity::Renewals renewals;
  identity::Revocations revocations;
  identity::Admissions admissions;
  jobs::VolatilePayloads memory;
  jobs::ParcelMaker parcels;
  jobs::RecipeOutlines outlines;
  jobs::RetentionRules retention;
  LedgerCutter ledger_cutter;
  archive::RecordMaker records;
  archive::Archiver archiver;
  jobs::LocalJobFeed feed;
  jobs::Dispatcher dispatcher;
  jobs::Journals journals;
  jobs::Assigner assigner;
  jobs::Recorder recorder;
  jobs::StoredJobService job_service;
  gateway::Links links;
  gateway::KeyCourier courier;
  gateway::Gateway gateway;
  tunnels::Carrier carrier;
  erasure::Receipts receipts;
  erasure::Eraser eraser;
  api::Api api;
  http::Server server;
  identity::Upkeep upkeep;

 private:
  Result<void> serve_anew(const identity::Deployment& deployed, const Clock& time);
};

Result<tls::ServerContext> link_context(const identity::Deployment& deployed, const Clock& clock) {
  return tls::make_server_context(
      {deployed.server.certificate, deployed.server.key, deployed.root, deployed.trust_domain, deployed.predecessor},
      clock);
}

// When the relay stops, connections through tunnels are cut after the drain time, by the relay itself: then what
// carried them may go.
constexpr std::uintmax_t kMiB = 1u << 20;
constexpr std::chrono::seconds kLinksLonger{1};
constexpr std::chrono::seconds kUpgradedLonger{3};  // links and sessions that came over HTTPS, with their farewells

http::ServerOptions server_options(const DataDirectory& data, const Settings& settings, const http::Limits& limits) {
  http::ServerOptions options;
  options.address = settings.api_listen.host;
  options.port = settings.api_listen.port;
  options.certificate_file = (data.deployment() / "server.pem").string();  // holds the key too
  options.key_file = options.certificate_file;
  options.limits = limits;
  options.limits.upgraded_drain = settings.link_drain + kUpgradedLonger;
  return options;
}

tunnels::CarrierLimits tunnel_limits(const ConnectionLimits& limits, const Settings& settings) {
  auto tunnels = limits.tunnels;
  tunnels.drain = settings.link_drain;
  return tunnels;
}

tunnels::CarrierPlaces tunnel_places(const Settings& settings) {
  return {settings.tunnel_networks, {settings.api_listen.port, settings.link_listen.port}, settings.tunnel_ports};
}

gateway::GatewayLimits gateway_limits(const ConnectionLimits& limits, const Settings& settings) {
  auto links = limits.links;
  links.drain = settings.link_drain + kLinksLonger;
  links.session.links = settings.links_per_agent;
  for (const auto& address : settings.link_addresses) links.session.addresses.push_back(to_string(address));
  return links;
}

// A lane's length now: an organisation may have shortened what it was made with.
asio::awaitable<Result<std::uint32_t>> hours_now(jobs::RetentionRules& rules, OrgId org, store::RetentionLane lane) {
  const auto kind = domain::parse_retention_class(lane.kind);
  if (!kind) co_return lane.hours;
  SP_CO_TRY(const auto levels, co_await rules.levels(std::move(org)));
  co_return static_cast<std::uint32_t>(domain::effective(*kind, levels).count());
}

// How long a ledger is kept; what is left of an erased organisation as long as the platform says.
asio::awaitable<Result<domain::Hours>> ledger_hours(store::Retentions& retentions, OrgId ledger) {
  if (ledger != store::system_ledger()) {
    const auto levels = co_await retentions.find(std::move(ledger));
    if (levels) co_return domain::effective(domain::RetentionClass::audit, *levels);
    if (levels.error().code != Errc::not_found) co_return std::unexpected(levels.error());
  }
  SP_CO_TRY(const auto platform, co_await retentions.find_platform());
  co_return domain::allowed_by(platform, domain::RetentionClass::audit);
}

struct OwnKeyListeners {
  Audit& audit;
  jobs::Dispatcher& dispatcher;
  const Log& log;
};

// That an organisation's own key was refused, or is there again, stands in its ledger.
asio::awaitable<void> tell_of_own_key(OwnKeyListeners to, OrgId org, keys::OwnKeys::Came came, std::string reason) {
  const bool refused = came == keys::OwnKeys::Came::refused;
  if (!refused) to.dispatcher.readable_again(org);
  AuditRecord record{
      .actor = "system", .action = refused ? "keys.refused" : "keys.restored", .target = "organisation:" + org.value};
  if (refused) record.detail.emplace(Value("reason"), Value(std::move(reason)));
  const auto recorded = co_await to.audit.record(std::move(org), std::move(record));
  if (!recorded) to.log.error("audit.failed", {{"reason", recorded.error().message}});
}

Graph::Graph(const asio::any_io_executor& loop, const Ground& on, tls::ServerContext context)
    : stores(on.database.stores()),
      believed(on.data.clock(), on.log),
      clock(on.clock, [this] { return believed.since_last(); }),
      backups(loop, {on.keys.store->copies(), on.clock, on.log, metrics, [this] { return believed.now(); }},
              {on.key_backups, on.settings.key_backups.keep, on.settings.key_backups.every}),
      hierarchy(loop,
                {on.keys.store->keys(), *on.keys.provider, on.keys.anchor, *on.keys.memory, clock,
                 [this] { return clock.earliest(); }, [this] { return backups.catch_up(); }, on.settings.key_cache}),
      envelope(hierarchy, stores.job_keys),
      fingerprints(hierarchy),
      ballast(
          {{"keys", on.data.key_database(), 4 * kMiB, 64 * kMiB}, {"data", on.data.database(), 20 * kMiB, 20 * kMiB}},
          on.log, metrics),
      shredder({on.keys.store->keys(), stores.job_keys, hierarchy, on.clock, on.log, [this] { return believed.now(); },
                [this](OrgId org, store::RetentionLane lane) {
                  return hours_now(retention, std::move(org), std::move(lane));
                },
                &ballast}),
      audit(stores.audit_log, on.clock),
      own_key_places(on.settings.organisation_keys, on.clock),
      own_keys(loop, {on.keys.store->keys(), hierarchy, own_key_places, on.clock, on.log, metrics,
                      [this, &log = on.log](OrgId org, keys::OwnKeys::Came came, std::string reason) {
                        return tell_of_own_key({audit, dispatcher, log}, std::move(org), came, std::move(reason));
                      }}),
      custodian({on.keys.store->keys(), *on.keys.provider, hierarchy, own_keys,
                 [this] { return believed.since_last(); }, on.log, metrics, &ballast}),
      recipe_work(loop, {}),
      authority(on.deployment, stores.issuing_cas, envelope, on.clock),
      enrolments({stores.enrolment_tokens, stores.groups, stores.agents, authority, envelope, audit, metrics},
                 {on.settings.link_address.host, on.settings.link_address.port, on.settings.api_url}, on.clock),
      renewals(authority, stores.certificates, audit, on.clock),
      revocations(stores.agents, stores.certificates, on.clock),
      admissions(stores.agents, stores.certificates, audit, on.clock),
      parcels({stores.recipes, stores.history, envelope, memory}),
      outlines(stores.recipes),
      retention(stores.retentions, on.clock),
      ledger_cutter({stores.audit_cuts, stores.job_keys, audit, on.log, [this] { return believed.now(); },
                     [this](OrgId ledger) { return ledger_hours(stores.retentions, std::move(ledger)); }}),
      records({stores.jobs, stores.history, outlines, envelope}),
      archiver({stores.archive, stores.jobs, on.keys.store->keys(), records, hierarchy, on.archives, audit, on.clock,
                on.log, metrics, [this] { return believed.now(); }}),
      feed(loop),
      dispatcher(loop,
                 {stores.jobs, parcels, memory, envelope, feed, clock, on.log,
                  [this](const OrgId& org) { return own_keys.usable(org); }},
                 {on.settings.lease, on.settings.failover}),
      journals({stores.agents, dispatcher, audit, on.log}),
      assigner(loop, {stores.organisations, stores.recipes, stores.groups, stores.agents, stores.assignments, parcels,
                      stores.retentions, on.log}),
      recorder(loop, {stores.agents, stores.jobs, stores.history, outlines, retention, stores.assignments, envelope,
                      fingerprints, audit, dispatcher, feed, clock, on.log}),
      job_service({stores.jobs, stores.recipes, outlines, retention, stores.history, stores.groups, envelope,
                   fingerprints, memory, parcels, dispatcher, feed, clock, on.log}),
      courier(loop, {links, stores.system_keys, envelope, on.clock, on.log}),
      gateway(loop,
              {{links, admissions, renewals, dispatcher, journals, recorder, assigner, stores.agents,
                stores.connections, envelope, courier, on.clock, on.log},
               enrolments,
               revocations,
               metrics},
              std::move(context), gateway_limits(on.limits, on.settings)),
      carrier(loop, {stores.tunnels, links, on.clock, on.log, metrics}, tunnel_places(on.settings),
              tunnel_limits(on.limits, on.settings)),
      receipts(stores.erasures, envelope, on.clock),
      eraser(loop, {stores.erasures, stores.job_keys, hierarchy, receipts, audit, on.clock, on.log,
                    [this](OrgId org) {
                      own_keys.leave(org);
                      return quieten({stores.agents, stores.tunnels, revocations, dispatcher, memory, carrier},
                                     std::move(org));
                    },
                    [this] { return backups.renew(); }}),
      api({stores,
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
           links,
           carrier,
           on.clock,
           on.log,
           metrics,
           recipe_work,
           [this](const OrgId& org, const std::optional<AgentId>& changed) { assigner.reconsider(org, changed); },
           [this](const OrgId& org) { assigner.tell_all(org); },
           [this](const std::string& peer) { return gateway.take_carried(peer); },
           [this](const OrgId& org, const GroupId& group) { courier.visit_group(org, group); }}),
      server(loop, server_options(on.data, on.settings, on.limits.api), api, {on.log, on.clock, metrics}),
      upkeep(on.deployment,
             {on.data.deployment(), stores.issuing_cas, authority, audit, on.log, metrics, on.clock,
              [this, &clock = on.clock](const identity::Deployment& renewed) { return serve_anew(renewed, clock); },
              [this] { gateway.lead_agents_to_root(); }}) {
  if (share_one_port(on.settings)) gateway.share_port([this](auto socket) { server.adopt(std::move(socket)); });
}

Result<void> Graph::serve_anew(const identity::Deployment& deployed, const Clock& time) {
  SP_TRY(auto context, link_context(deployed, time));
  SP_CHECK(server.reload_certificate());
  gateway.use(std::move(context));
  return {};
}

asio::awaitable<std::string> stop_signal() {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM, SIGINT);
  auto [ec, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return number == SIGINT ? "SIGINT" : "SIGTERM";
}

// SIGHUP: somebody changed the deployment's files.
asio::awaitable<void> look_on_signal(asio::signal_set& changed, identity::Upkeep& upkeep) {
  for (;;) {
    auto [ec, number] = co_await changed.async_wait(asio::as_tuple(asio::use_awaitable));
    if (ec) co_return;
    upkeep.look_now();
  }
}

ConnectionLimits usual_limits(const Settings& settings) {
  ConnectionLimits limits;
  limits.tunnels.connections = settings.tunnel_connections;
  return limits;
}

// What one line says of how many people and agents may be connected at once.
void tell_ready(const Ground& on) {
  const auto& [api, links, tunnels] = on.limits;
  if (const auto needed = usual_limits(on.settings).files(); on.open_files < needed)
    on.log.warn("connections.limited", {{"open_files", on.open_files}, {"needed", needed}});
  on.log.info("relay.ready", {{"api", to_string(on.settings.api_listen)},
                              {"link", to_string(on.settings.link_listen)},
                              {"open_files", on.open_files},
                              {"api_connections", api.max_connections},
                              {"agent_connections", links.connections},
                              {"tunnel_connections", tunnels.connections},
                              {"tunnel_listeners", tunnels.listeners}});
}

// As before the relay waited for it (main): who is told to look again meanwhile must not be ended by that.
struct DeafAgain {
  ~DeafAgain() { std::signal(SIGHUP, SIG_IGN); }
};

asio::awaitable<Result<domain::Hours>> server_log_hours(store::Retentions& retentions) {
  SP_CO_TRY(const auto platform, co_await retentions.find_platform());
  co_return domain::allowed_by(platform, domain::RetentionClass::server_logs);
}

LogKeeping log_keeping(Graph& graph, const Ground& on) {
  return {on.log_files, on.log, graph.metrics, [&graph] { return graph.believed.now(); },
          [&graph] { return server_log_hours(graph.stores.retentions); }};
}

constexpr std::chrono::seconds kOwnKeysPatience{2};  // so that as a rule no organisation has to wait for its own key

// Where every organisation's own key is away, the global key alone is proof that the master key is the right one.
asio::awaitable<Result<void>> prove_keys(Graph& graph) {
  SP_CO_TRY(const bool proven,
            co_await graph.authority.prove_keys([&graph](const OrgId& org) { return graph.own_keys.usable(org); }));
  if (!proven) SP_CO_CHECK(co_await graph.hierarchy.global());
  co_return Result<void>();
}

// Everything before somebody is let in.
asio::awaitable<Result<void>> make_ready(Graph& graph, const Ground& on) {
  SP_CO_CHECK(co_await check_inhabited(graph.stores.organisations, on.data));
  SP_CO_CHECK(co_await prove_anchor(on.keys, on.data));
  SP_CO_CHECK(co_await graph.own_keys.load());
  co_await graph.own_keys.meet(kOwnKeysPatience);
  SP_CO_CHECK(co_await prove_keys(graph));
  static_cast<void>(graph.believed.now());  // before anything is written by it
  SP_CO_CHECK(co_await graph.revocations.load());
  SP_CO_CHECK(co_await graph.dispatcher.restore());
  co_return co_await graph.carrier.load();
}

// What goes on beside the edges.
void spawn_work(TaskGroup& work, Graph& graph, const Ground& on) {
  work.spawn("dispatcher", graph.dispatcher.run());
  work.spawn("assigner", graph.assigner.run());
  work.spawn("key backups", graph.backups.run());
  work.spawn("shredder", graph.shredder.run());
  work.spawn("log files", keep_logs_in_time(log_keeping(graph, on)));
  work.spawn("archiver", graph.archiver.run());
  work.spawn("ledger cutter", graph.ledger_cutter.run());
  work.spawn("system keys", graph.courier.run());
  work.spawn("custodian", graph.custodian.run());
  work.spawn("eraser", graph.eraser.run());
  work.spawn("own keys", graph.own_keys.run());
  work.spawn("expired keys", api::sweep_expired_keys(graph.stores.idempotency_keys, on.clock, on.log));
}

asio::awaitable<Result<void>> run(Graph& graph, const Ground& on) {
  const auto& log = on.log;
  SP_CO_CHECK(co_await make_ready(graph, on));
  // Before the first look: whatever is changed after it is looked at again.
  const DeafAgain to_hang_ups;
  asio::signal_set changed(co_await asio::this_coro::executor, SIGHUP);
  const auto next_upkeep = co_await graph.upkeep.check();
  SP_CO_CHECK(graph.gateway.listen(on.settings.link_listen.host, on.settings.link_listen.port));
  SP_CO_CHECK(share_one_port(on.settings) ? graph.server.reload_certificate() : graph.server.listen());
  const auto loop = co_await asio::this_coro::executor;
  std::string faulty;
  const auto fault = [&](const std::string& task, const std::string& why) {
    log.error("relay.fault", {{"task", task}, {"why", why}});
    faulty = task;
    std::raise(SIGTERM);
  };
  RevokedJobs revoked(loop, {graph.stores.organisations, graph.stores.agents, graph.dispatcher, graph.assigner, log},
                      graph.revocations);
  TaskGroup work(loop, fault), edges(loop, fault), web(loop, fault), carrying(loop, fault), telling(loop, fault);
  spawn_work(work, graph, on);
  work.spawn("revoked jobs", revoked.run());
  work.spawn("upkeep", graph.upkeep.run(next_upkeep));
  work.spawn("changes", look_on_signal(changed, graph.upkeep));
  telling.spawn("session ledger", graph.api.sessions().run());
  edges.spawn("gateway", graph.gateway.run());
  carrying.spawn("tunnels", graph.carrier.run());
  web.spawn("web API", graph.server.run());
  tell_ready(on);

  const auto signal = co_await stop_signal();
  log.info("relay.stopping", {{"signal", signal}});
  graph.server.stop();
  edges.stop();
  carrying.stop();
  co_await carrying.join();
  co_await edges.join();
  co_await web.join();
  graph.api.sessions().stop();
  co_await telling.join();
  work.stop();
  co_await work.join();
  if (!faulty.empty()) co_return fail(Errc::internal, "the " + faulty + " broke off; the log says more");
  co_return Result<void>();
}

}  // namespace

Result<void> serve(const DataDirectory& data, const Settings& settings, const Clock& clock, const Log& log,
                   LogFiles& files) {
  SP_TRY(const auto lock, DataLock::take(data, Reload::offered));  // main ignores SIGHUP until run() waits for it
  SP_CHECK(check_private(data));
  SP_TRY(const auto open_files, raise_open_files());
  SP_TRY(const auto limits, fit_connections(open_files, usual_limits(settings)));
  SP_CHECK(identity::settle_deployment(data.deployment()));
  SP_TRY(auto deployment, identity::load_deployment(data.deployment()));
  SP_TRY(auto context, link_context(deployment, clock));
  asio::io_context loop(1);  // outlives the database, whose threads post to it
  SP_TRY(const auto key_backups, open_key_backups(data, settings));
  SP_TRY(auto keys, open_keys(data, settings.keys, clock));
  SP_TRY(auto archives, make_archives(settings.archives, clock));
  SP_TRY(auto database, open_database(data));
  std::signal(SIGPIPE, SIG_IGN);

  const auto outcome = [&] {
    const Ground ground{data, settings,    open_files, limits, *database, deployment,
                        keys, key_backups, archives,   clock,  log,       files};
    Graph graph(loop.get_executor(), ground, std::move(context));
    return run_to_end(loop, run(graph, ground), "the relay");
  }();
  log.info("relay.stopped");
  return outcome;
}

}  // namespace sallyport::app
