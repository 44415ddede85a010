#include "agent/app/agent.h"

#include "agent/app/agent_status.h"
#include "agent/app/authorizations.h"
#include "agent/app/engine_on_link.h"
#include "agent/app/jobs_and_tunnels.h"
#include "agent/app/link_settings.h"
#include "agent/app/toolbox.h"
#include "agent/app/watchdog.h"
#include "agent/connectors/recipe_secrets.h"
#include "agent/journal/journal_writer.h"
#include "agent/journal/local_key.h"
#include "agent/journal/spool.h"
#include "agent/link/supervisor.h"
#include "agent/platform/boot_clock.h"
#include "agent/platform/heap.h"
#include "agent/platform/host_name.h"
#include "agent/platform/local_socket.h"
#include "agent/platform/secret_file.h"
#include "agent/platform/service_host.h"
#include "agent/platform/state_lock.h"
#include "agent/runner/engine.h"
#include "agent/system_keys/key_channel.h"
#include "agent/system_keys/system_key_vault.h"
#include "agent/vault/redacting_vault.h"
#include "shared/async/run.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/base/utf8.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <csignal>
#include <filesystem>
#include <set>

namespace sallyport::app {
namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace {

constexpr auto kDrainTime = std::chrono::seconds(25);
constexpr auto kFarewell = std::chrono::seconds(3);  // for the relay to confirm the last reports
constexpr auto kBetweenJobs = std::chrono::seconds(20);
constexpr auto kTick = std::chrono::milliseconds(50);

std::set<std::string, std::less<>> names_of(const policy::Connections& connections) {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, connection] : connections) names.insert(name);
  return names;
}

link::SessionOptions session_options() {
  link::SessionOptions options;
  options.side = mux::Side::agent;
  options.self.software = kSoftware;
  options.self.hostname = with_valid_utf8(platform::host_name());
  options.self.capabilities = {"jobs",
                               "renewal",
                               "health",
                               "dry-runs",
                               std::string(tunnel::kCapability),
                               std::string(link::kLinks),
                               std::string(agent::kSystemKeysCapability),
                               std::string(kAuthorizationsCapability),
                               std::string(agent::kClock)};
  options.serves = tunnel::services();
  options.serves.emplace_back(agent::kSystemKeysPurpose);
  options.serves.emplace_back(kAuthorizationPurpose);
  options.self.boot_id.resize(16);
  crypto::fill_random(options.self.boot_id);
  return options;
}

runner::EngineOptions engine_options(const policy::AgentLimits& limits) {
  runner::EngineOptions options{.agent = {platform::host_name()}};
  options.slots = limits.slots;
  options.workers = limits.worker_threads;
  return options;
}

agent::SupervisorOptions supervisor_options(const policy::Config& config, const agent::Identity& identity) {
  return {.relay = relay_address(config, identity),
          .session = session_options(),
          .backoff = {},
          .links = config.agent.link.count};
}

// They are written on `files`.
void serve_system_keys(tunnel::TunnelServer& server, agent::SystemKeys& keys, asio::thread_pool& files,
                       const Log& log) {
  server.also_serve(std::string(agent::kSystemKeysPurpose), [&](link::Channel channel) {
    return agent::take_system_keys(keys, files, log, std::move(channel));
  });
}

// Of an agent that has been revoked.
void forget_credentials(agent::SystemKeys& keys, const vault::RefreshTokens& tokens, const Log& log) {
  keys.forget_all();
  if (const auto forgotten = tokens.forget_all(); !forgotten)
    log.error("refresh_tokens.not_forgotten", {{"why", forgotten.error().message}});
}

void serve_authorizations(tunnel::TunnelServer& server, Authorizations& authorizations) {
  server.also_serve(std::string(kAuthorizationPurpose),
                    [&](link::Channel channel) { return authorizations.serve(std::move(channel)); });
}

struct Durable {
  platform::StateLock lock;
  agent::FileIdentityStore identities;
  agent::Identity identity;
  std::unique_ptr<journal::Journal> journal;
  std::unique_ptr<journal::Spool> spool;
};

Result<Durable> open_durable(const policy::Config& config) {
  const fs::path state = config.agent.state_dir;
  SP_CHECK(platform::prepare_private_directory(state.string()));
  SP_TRY(auto lock, platform::StateLock::take(state.string()));
  agent::FileIdentityStore identities(identity_file(config).string());
  auto identity = identities.load();
  if (!identity && identity.error().code == Errc::not_found) {
    return fail(Errc::not_found,
                "this agent is not enrolled yet; give its enrolment string to the standard input of: "
                "sallyport-agent enrol -");
  }
  if (!identity) return std::unexpected(identity.error());
  SP_TRY(auto key, journal::load_or_create_local_key(state / "local.key", state / "journal.db"));
  journal::JournalOptions options{.file = state / "journal.db", .key = key.duplicate(), .vfs = {}};
  options.max_outbox_bytes = config.agent.limits.outbox_bytes;
  SP_TRY(auto journal, journal::Journal::open(std::move(options)));
  SP_TRY(const auto unfinished, journal->unfinished());
  SP_TRY(auto spool, journal::Spool::open(
                         state / "spool", std::move(key), {unfinished.begin(), unfinished.end()},
                         {.max_total = config.agent.limits.spool_bytes, .max_body = config.agent.limits.spool_bytes}));
  return Durable{std::move(lock), std::move(identities), std::move(*identity), std::move(journal), std::move(spool)};
}

// What a large job needed is not kept for the rest of the agent's life.
asio::awaitable<void> give_memory_back(const runner::Engine& engine) {
  for (;;) {
    co_await sleep_for(kBetweenJobs);
    const auto now = engine.status();
    if (now.relay_jobs + now.local_jobs == 0) platform::give_back_heap();
  }
}

// An agent that cannot be asked works all the same.
asio::awaitable<void> tell_status(std::string path, std::function<std::string()> tell, const Log& log) {
  auto teller = platform::LocalTeller::listen(co_await asio::this_coro::executor, path);
  if (!teller) co_return log.warn("status.not_served", {{"message", teller.error().message}});
  co_await teller->run(std::move(tell));
}

// What `status` tells of.
struct Told {
  const policy::Config& config;
  const Clock& clock;
  const Durable& durable;
  WallTime started;
  const agent::Supervisor& supervisor;
  const agent::Ways& ways;
  const runner::Engine& engine;
  const tunnel::TunnelServer& tunnels;
  const agent::SystemKeys& system_keys;
};

std::string status_json(const Told& told) {
  const auto current = told.durable.identities.load();  // it may have been renewed
  return to_json(status_of({.process = platform::process_id(),
                            .started = told.started,
                            .clock = told.clock,
                            .identity = current ? *current : told.durable.identity,
                            .link = told.supervisor.status(),
                            .links = told.supervisor.links(),
                            .way = told.ways.facts(),
                            .engine = told.engine.status(),
                            .tunnel_connections = told.tunnels.open(),
                            .connections = told.config.connections,
                            .uses = told.engine.connection_uses(),
                            .system_keys = told.system_keys.facts()}));
}

struct Runs {
  runner::Engine& engine;
  agent::Supervisor& supervisor;
  tunnel::TunnelServer& tunnels;
  const platform::ServiceHost& host;
  std::string status_socket;
  std::function<std::string()> status;
  const Log& log;
};

asio::awaitable<Result<void>> run_until_stopped(const Runs& runs) {
  auto& [engine, supervisor, tunnels, host, status_socket, status, log] = runs;
  if (auto started = co_await engine.start(); !started) {
    co_await engine.stop();
    co_return started;
  }
  TaskGroup link(co_await asio::this_coro::executor,
                 [&log = runs.log](const std::string& task, const std::string& why) {
                   log.error("agent.fault", {{"task", task}, {"why", why}});
                   std::raise(SIGTERM);
                 });
  TaskGroup housekeeping(co_await asio::this_coro::executor,
                         [&log = runs.log](const std::string& task, const std::string& why) {
                           log.error("agent.fault", {{"task", task}, {"why", why}});
                         });
  link.spawn("link", supervisor.run());
  housekeeping.spawn("memory", give_memory_back(engine));
  housekeeping.spawn("watchdog", feed_watchdog([&runs] { return runs.engine.prove_alive(); }, host));
  housekeeping.spawn("status", tell_status(status_socket, status, log));
  log.info("agent.started");

  const auto signal = co_await platform::wait_for_stop_signal();
  log.info("agent.stopping", {{"signal", signal}});
  host.stopping(signal);
  supervisor.drain("the agent stops", kDrainTime + kFarewell);
  co_await engine.drain(std::chrono::steady_clock::now() + kDrainTime);
  const auto farewell = std::chrono::steady_clock::now() + kFarewell;
  while (engine.status().outbox.rows > 0 && std::chrono::steady_clock::now() < farewell) co_await sleep_for(kTick);
  supervisor.stop("the agent stops");
  co_await link.join();
  co_await tunnels.finish();
  housekeeping.stop();
  co_await housekeeping.join();
  log.info("agent.stopped");
  co_return Result<void>();
}

}  // namespace

Result<void> run_agent(const policy::Config& config, const Clock& clock, const Log& log, Redactor& redactor) {
  const auto host = platform::ServiceHost::from_environment();
  SP_TRY(auto durable, open_durable(config));
  SP_TRY(const auto proxy, proxy_text(config.agent.proxy));

  asio::io_context loop(1);
  asio::thread_pool files(1);
  SP_TRY(const auto system_keys, agent::SystemKeys::open(config.agent.state_dir, durable.identities, clock, log));
  asio::thread_pool key_files(1);
  const agent::SystemKeyVault sources(*system_keys);
  const vault::RedactingVault vault(sources, redactor);
  const vault::RefreshTokens refresh_tokens(config.agent.state_dir);
  const connectors::Site site{config.connections, config.policy, vault, clock, log, &refresh_tokens};
  Toolbox toolbox(site, files);
  Authorizations authorizations(site);
  const platform::SystemBootClock boot_clock;
  const connectors::RecipeSecrets secrets(config.policy, vault, log);
  journal::JournalWriter journal(loop.get_executor(), std::move(durable.journal));
  runner::EngineParts parts{.journal = journal,
                            .spool = *durable.spool,
                            .actions = toolbox.actions(),
                            .triggers = toolbox.triggers(),
                            .openers = toolbox.openers(),
                            .secret = [&secrets](const policy::SecretUse& use) { return secrets.take(use); },
                            .clock = clock,
                            .boot_clock = boot_clock,
                            .log = log,
                            .redactor = &redactor,
                            .connections = names_of(config.connections)};
  runner::Engine engine(loop.get_executor(), std::move(parts), engine_options(config.agent.limits));
  EngineOnLink jobs(loop.get_executor(), engine, config, host, log);
  tunnel::TunnelServer tunnels(loop.get_executor(), config.policy, log);
  serve_system_keys(tunnels, *system_keys, key_files, log);
  serve_authorizations(tunnels, authorizations);
  JobsAndTunnels work(jobs, tunnels,
                      [&] { asio::post(key_files, [&] { forget_credentials(*system_keys, refresh_tokens, log); }); });
  const agent::Dialer dialer(loop.get_executor(), proxy, agent::process_environment);
  SP_TRY(auto web, web_address(config, durable.identity));
  agent::Ways ways({dialer, clock, log}, via_of(config.agent.link), {}, random_fraction);
  agent::WayTransport transport(ways, durable.identities, clock, std::move(web));
  agent::Renewer renewer(durable.identities, {}, random_fraction, clock, log);
  agent::OwnClock own_clock(clock, boot_clock);
  agent::Supervisor supervisor(loop.get_executor(), supervisor_options(config, durable.identity),
                               {transport, work, &renewer, clock, log, &own_clock}, random_fraction);

  const Told told{config, clock, durable, clock.wall(), supervisor, ways, engine, tunnels, *system_keys};
  const Runs runs{engine,
                  supervisor,
                  tunnels,
                  host,
                  (fs::path(config.agent.state_dir) / kStatusSocket).string(),
                  [&told] { return status_json(told); },
                  log};
  auto outcome = run_to_end(loop, run_until_stopped(runs), "the agent");
  files.join();
  key_files.join();
  return outcome;
}

}  // namespace sallyport::app
