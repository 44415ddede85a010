#include "relay/app/relay.h"

#include "relay/api/session_ledger.h"
#include "relay/app/archive_places.h"
#include "relay/app/ballast.h"
#include "relay/app/data_lock.h"
#include "relay/app/graph.h"
#include "relay/app/key_restore.h"
#include "relay/app/log_files.h"
#include "relay/app/private_data.h"
#include "relay/app/restore_ledger.h"
#include "relay/app/revoked_jobs.h"
#include "relay/identity/root_rotation.h"
#include "shared/async/run.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>

namespace sallyport::app {
namespace asio = boost::asio;
namespace {

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

// The global key proves the master key; what is sealed, that keys.db belongs to this database.
asio::awaitable<Result<void>> prove_keys(Graph& graph) {
  SP_CO_CHECK(co_await graph.hierarchy.global());
  SP_CO_TRY([[maybe_unused]] const bool proven,
            co_await graph.authority.prove_keys([&graph](const OrgId& org) { return graph.own_keys.usable(org); }));
  co_return Result<void>();
}

// Everything before somebody is let in.
asio::awaitable<Result<void>> make_ready(Graph& graph, const Ground& on) {
  SP_CO_CHECK(co_await check_inhabited(graph.stores.organisations, on.data));
  SP_CO_CHECK(co_await prove_anchor(on.keys, on.data));
  SP_CO_CHECK(co_await graph.own_keys.load());
  co_await graph.own_keys.meet(kOwnKeysPatience);
  SP_CO_CHECK(co_await prove_keys(graph));
  graph.discreet_master_key->begin_to_serve();
  static_cast<void>(graph.believed.now());  // before anything is written by it
  SP_CO_CHECK(co_await tell_of_restores(on.keys.store->keys(), graph.audit, on.log));
  SP_CO_CHECK(co_await graph.revocations.load());
  SP_CO_CHECK(co_await graph.dispatcher.restore());
  co_return co_await graph.carrier.load();
}

// What goes on beside the edges.
void spawn_work(TaskGroup& work, Graph& graph, const Ground& on) {
  work.spawn("dispatcher", graph.dispatcher.run());
  work.spawn("clock electorate", graph.electorate.run());
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
  SP_TRY(auto keys, open_on_full_disk(data, log, [&] { return open_keys(data, settings.keys, clock); }));
  SP_TRY(auto archives, make_archives(data, settings.archives, clock));
  SP_TRY(auto database, open_on_full_disk(data, log, [&] { return open_database(data); }));
  std::signal(SIGPIPE, SIG_IGN);
  for (const auto& left : left_by_restore(data)) log.warn("keys.copy_left", {{"path", left.string()}});

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
