#include "relay/app/graph.h"

#include "relay/app/key_restore.h"
#include "relay/app/quieten.h"

namespace sallyport::app {
namespace asio = boost::asio;
namespace {

// When the relay stops, connections through tunnels are cut after the drain time, by the relay itself: then what
// carried them may go.
constexpr std::chrono::seconds kLinksLonger{1};
constexpr std::chrono::seconds kUpgradedLonger{3};  // links and sessions that came over HTTPS, with their farewells

http::ServerOptions server_options(const DataDirectory& data, const Settings& settings, const http::Limits& limits) {
  http::ServerOptions options;
  options.address = settings.api_listen.host;
  options.port = settings.api_listen.port;
  options.tls.certificate_file = (data.deployment() / "server.pem").string();  // holds the key too
  options.tls.key_file = options.tls.certificate_file;
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
};

// That an organisation's own key was refused, or is there again, stands in its ledger.
asio::awaitable<Result<void>> tell_of_own_key(OwnKeyListeners to, OrgId org, keys::OwnKeys::Came came,
                                              std::string reason) {
  const bool refused = came == keys::OwnKeys::Came::refused;
  if (!refused) to.dispatcher.readable_again(org);
  AuditRecord record{
      .actor = "system", .action = refused ? "keys.refused" : "keys.restored", .target = "organisation:" + org.value};
  if (refused) record.detail.emplace(Value("reason"), Value(std::move(reason)));
  co_return co_await to.audit.record(std::move(org), std::move(record));
}

}  // namespace

Result<tls::ServerContext> link_context(const identity::Deployment& deployed, const Clock& clock) {
  return tls::make_server_context(
      {deployed.server.certificate, deployed.server.key, deployed.root, deployed.trust_domain, deployed.predecessor},
      clock);
}

Graph::Graph(const asio::any_io_executor& loop, const Ground& on, tls::ServerContext context)
    : stores(on.database.stores()),
      agent_clocks(on.clock),
      believed(on.data.clock(), {on.log, metrics, [this] { return agent_clocks.now(); }}),
      electorate({stores.organisations, stores.agents, agent_clocks, [this] { return believed.since_last(); }, on.log}),
      clock(on.clock, [this] { return believed.since_last(); }),
      backups(loop, {on.keys.store->copies(), on.clock, on.log, metrics, [this] { return believed.now(); }},
              {on.key_backups, on.settings.key_backups.keep, on.settings.key_backups.every}),
      master_key_calls(metrics, keys::WhoseKey::master),
      discreet_master_key(std::make_shared<keys::DiscreetProvider>(on.keys.provider, on.log)),
      master_key(discreet_master_key, master_key_calls, on.clock),
      hierarchy(loop, {on.keys.store->keys(), master_key, on.keys.anchor, *on.keys.memory, clock,
                       [this] { return clock.earliest(); }, [this] { return back_up_keys(); }, on.settings.key_cache,
                       &metrics, [this] { return back_up_keys(); }, &stores.key_witnesses}),
      envelope(hierarchy, stores.job_keys),
      fingerprints(hierarchy),
      ballast(Ballast::places_of(on.data), on.log, metrics),
      shredder({on.keys.store->keys(), stores.job_keys, hierarchy, on.clock, on.log, metrics,
                [this] { return believed.now(); },
                [this](OrgId org, store::RetentionLane lane) {
                  return retention.hours_now(std::move(org), std::move(lane));
                },
                &ballast}),
      audit(stores.audit_log, on.clock),
      own_key_places(on.settings.organisation_keys, on.clock, on.log),
      own_keys(loop, {on.keys.store->keys(), hierarchy, own_key_places, on.clock, on.log, metrics,
                      [this](OrgId org, keys::OwnKeys::Came came, std::string reason) {
                        return tell_of_own_key({audit, dispatcher}, std::move(org), came, std::move(reason));
                      }}),
      resealer({on.keys.store->keys(), stores.standing_records, hierarchy, envelope, own_keys, on.log,
                [this] { return backups.catch_up(); }}),
      custodian(loop, {on.keys.store->keys(), master_key, hierarchy, own_keys, [this] { return believed.since_last(); },
                       on.log, metrics, &ballast, &resealer, &discreet_master_key->trouble()}),
      recipe_work(loop, {}),
      authority(on.deployment, stores.issuing_cas, envelope, on.clock,
                identity::AgentAuthority::Reports{audit, on.log}),
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
                stores.connections, envelope, courier, agent_clocks, clock, on.log},
               enrolments,
               revocations,
               metrics},
              std::move(context), gateway_limits(on.limits, on.settings)),
      carrier(loop, {stores.tunnels, links, on.clock, on.log, metrics}, tunnel_places(on.settings),
              tunnel_limits(on.limits, on.settings)),
      authorizations(links, on.clock),
      receipts({stores.erasures, envelope, on.clock, audit, on.log}),
      eraser(loop, {stores.erasures, stores.job_keys, on.keys.store->keys(), hierarchy, receipts, audit, on.clock,
                    on.log, metrics,
                    [this](OrgId org) {
                      own_keys.leave(org);
                      return quieten({stores.agents, stores.tunnels, revocations, dispatcher, memory, carrier},
                                     std::move(org));
                    },
                    [this, &on] { return renew_key_backups(on.keys.store->copies(), left_by_restore(on.data)); },
                    [this](std::uint64_t epoch) { return backups.end_before(epoch); }, on.settings.key_backups.keep,
                    [this](SteadyTime until) { return archiver.remove_erased(until); }}),
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
           authorizations,
           on.clock,
           on.log,
           metrics,
           recipe_work,
           [this](const OrgId& org, const std::optional<AgentId>& changed) { assigner.reconsider(org, changed); },
           [this](const OrgId& org) { assigner.tell_all(org); },
           [this](const std::string& peer) { return gateway.take_carried(peer); },
           [this](const OrgId& org, const GroupId& group) { courier.visit_group(org, group); }}),
      webhooks({stores.webhooks, envelope, job_service, audit, on.clock, on.log, metrics, api}),
      server(loop, server_options(on.data, on.settings, on.limits.api), webhooks, {on.log, on.clock, metrics}),
      upkeep(on.deployment,
             {on.data.deployment(), stores.issuing_cas, authority, audit, on.log, metrics, on.clock,
              [this, &clock = on.clock](const identity::Deployment& renewed) { return serve_anew(renewed, clock); },
              [this] { gateway.lead_agents_to_root(); }}) {
  if (share_one_port(on.settings)) gateway.share_port([this](auto socket) { server.adopt(std::move(socket)); });
}

asio::awaitable<void> Graph::back_up_keys() { co_await backups.catch_up(); }

// None of the copies that there are holds what was erased.
asio::awaitable<Result<void>> Graph::renew_key_backups(store::KeyCopies& copies,
                                                       std::vector<std::filesystem::path> left) {
  for (auto& file : left) SP_CO_CHECK(co_await copies.discard(std::move(file)));
  co_return co_await backups.renew();
}

Result<void> Graph::serve_anew(const identity::Deployment& deployed, const Clock& time) {
  SP_TRY(auto context, link_context(deployed, time));
  SP_CHECK(server.reload_certificate());
  gateway.use(std::move(context));
  return {};
}

}  // namespace sallyport::app
