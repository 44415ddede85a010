#include "agent/app/doctor.h"

#include "agent/app/agent_status.h"
#include "agent/app/ask_status.h"
#include "agent/app/connection_tests.h"
#include "agent/app/engine_on_link.h"
#include "agent/app/link_settings.h"
#include "agent/app/link_visit.h"
#include "agent/app/private_vault.h"
#include "agent/app/system_visits.h"
#include "agent/doctor/host.h"
#include "agent/doctor/network.h"
#include "agent/doctor/second_way.h"
#include "agent/link/dialer.h"
#include "agent/link/transport.h"
#include "agent/link/ways.h"
#include "agent/platform/host_name.h"
#include "agent/platform/state_lock.h"
#include "agent/system_keys/system_key_vault.h"
#include "shared/async/run.h"
#include "shared/base/json.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <filesystem>

namespace sallyport::app {
namespace asio = boost::asio;
using findings::Finding;
using findings::Verdict;
namespace {

constexpr int kStandardError = 2;
constexpr std::chrono::seconds kForSystem{5};
constexpr std::chrono::seconds kForLink{15};
constexpr std::chrono::seconds kForConnection{30};

// Runs one question on a loop of its own.
template <class T>
T ask(asio::awaitable<T> question) {
  asio::io_context loop(1);
  const auto answered = [](asio::awaitable<T> asked) -> asio::awaitable<Result<T>> {
    co_return co_await std::move(asked);
  };
  auto answer = run_to_end(loop, answered(std::move(question)), "the examination");
  if (answer) return *std::move(answer);
  throw std::runtime_error(answer.error().message);
}

Result<std::unique_ptr<agent::SystemKeys>> open_system_keys(const policy::Config& config,
                                                            const agent::IdentityStore& identities, const Clock& clock,
                                                            const Log& log) {
  return agent::SystemKeys::open(config.agent.state_dir, identities, clock, log, agent::SystemKeys::WhenAbsent::leave);
}

class Examination {
 public:
  Examination(policy::Config config, const Clock& clock)
      : config_(std::move(config)),
        clock_(clock),
        identities_(identity_file(config_).string()),
        identity_(identities_.load()) {}

  findings::Report run() {
    add({"configuration", Verdict::good, "agent.yaml, connections.yaml and policy.yaml are good"});
    add(doctor::examine_state(config_.agent.state_dir));
    add(doctor::examine_identity(identity_, identity_file(config_).string()));
    if (identity_) add(doctor::examine_certificate(identity_->chain.front(), clock_));
    look_at_network();
    look_at_connections();
    add_all(visit_commands(config_.policy));
    add_all(ask(visit_tunnel_targets(config_.policy, kForSystem)));
    return std::move(report_);
  }

 private:
  void add(Finding finding) { report_.findings.push_back(std::move(finding)); }
  void add_all(findings::Findings findings) {
    for (auto& finding : findings) add(std::move(finding));
  }
  void look_at_connections();
  void look_with(const vault::Vault& vault, const Log& log);
  void look_at_network();
  std::optional<agent::Via> look_at_ways(const doctor::Journey& journey, const agent::WebAddress& web);
  void look_at_link(agent::Via via, const doctor::Journey& journey, const agent::WebAddress& web);
  asio::awaitable<Result<LinkVisit>> visit_by(agent::Via via, const doctor::Journey& journey,
                                              const agent::WebAddress& web);
  void tell_of_running(const Value& status);

  policy::Config config_;
  const Clock& clock_;
  agent::FileIdentityStore identities_;
  Result<agent::Identity> identity_;
  findings::Report report_;
};

// What is sealed to this agent is opened as the agent would.
void Examination::look_at_connections() {
  FdSink sink(kStandardError);
  const Log log(sink, clock_, LogLevel::warn);
  const auto keys = open_system_keys(config_, identities_, clock_, log);
  if (!keys) {
    if (identity_) add({"system keys", Verdict::bad, keys.error().message});
    return look_with(vault::LocalVault(), log);
  }
  for (const auto& fact : (*keys)->facts()) {
    if (fact.opens) {
      add({"system key", Verdict::good, fmt::format("{} opens (version {})", fact.name, fact.version)});
    } else {
      add({"system key", Verdict::bad, fmt::format("{} does not open with this agent's sealing keys", fact.name),
           fmt::format("set it again: sallyport system-keys set {} --group GROUP", fact.name)});
    }
  }
  look_with(agent::SystemKeyVault(**keys), log);
}

void Examination::look_with(const vault::Vault& vault, const Log& log) {
  add_all(test_connections({config_, vault, clock_, log, kForSystem}));
  add_all(visit_secrets(config_.policy, vault));
}

void Examination::look_at_network() {
  if (!identity_)
    return add({"network", Verdict::skipped, "not looked at: without an identity the relay's address is not known"});
  const auto proxy = proxy_text(config_.agent.proxy);
  if (!proxy) return add({"proxy", Verdict::bad, proxy.error().message});
  const auto relay = relay_address(config_, *identity_);
  const auto web = web_address(config_, *identity_);
  if (!web) return add({"configuration", Verdict::bad, web.error().message, "correct `link.web` in agent.yaml"});
  const doctor::Journey journey{.relay = relay,
                                .proxy = *proxy,
                                .environment = agent::process_environment,
                                .root_pin = identity_->root.key_pin(),
                                .host_name = with_valid_utf8(platform::host_name())};
  const auto via = look_at_ways(journey, *web);
  const auto status = ask_status(config_.agent);
  if (status) return tell_of_running(*status);
  if (!via) return add({"link", Verdict::skipped, "not looked at: the relay was not reached"});
  look_at_link(*via, journey, *web);
}

// The way that leads to the relay; nothing: none does.
std::optional<agent::Via> Examination::look_at_ways(const doctor::Journey& journey, const agent::WebAddress& web) {
  doctor::NetworkReport direct;
  std::optional<Finding> second;
  const auto via = via_of(config_.agent.link);
  if (via != agent::Via::websocket) direct = ask(doctor::examine_network(journey, clock_));
  if (via != agent::Via::direct) second = ask(doctor::examine_websocket(journey, web, clock_));
  if (second && via == agent::Via::automatic) doctor::weigh_ways(direct, *second);
  const bool has_second = second && second->verdict == Verdict::good;
  const bool has_direct = via != agent::Via::websocket && direct.reached;
  if (second) direct.findings.push_back(*std::move(second));
  add_all(std::move(direct.findings));
  report_.request = std::move(direct.request);
  if (has_direct) return agent::Via::direct;
  return has_second ? std::optional(agent::Via::websocket) : std::nullopt;
}

asio::awaitable<Result<LinkVisit>> Examination::visit_by(agent::Via via, const doctor::Journey& journey,
                                                         const agent::WebAddress& web) {
  const agent::Dialer dialer(co_await asio::this_coro::executor, journey.proxy, journey.environment);
  FdSink sink(kStandardError);
  const Log log(sink, clock_, LogLevel::error);
  agent::Ways ways({dialer, clock_, log}, via, {}, [] { return 0.5; });
  agent::WayTransport transport(ways, identities_, clock_, web);
  co_return co_await visit_relay(transport, journey.relay, to_json(connection_summary(config_.connections, {})), clock_,
                                 std::chrono::steady_clock::now() + kForLink);
}

void Examination::look_at_link(agent::Via via, const doctor::Journey& journey, const agent::WebAddress& web) {
  const auto lock = platform::StateLock::take(config_.agent.state_dir);
  if (!lock) return add({"link", Verdict::note, lock.error().message});
  const auto visit = ask(visit_by(via, journey, web));
  if (!visit)
    return add({"link", Verdict::bad, visit.error().message,
                "ask whoever runs the relay for the reason in its log (link.refused)"});
  add({"link", Verdict::good,
       fmt::format("the relay takes this agent's link ({}, round trip {} ms)", visit->relay_software,
                   visit->round_trip.count())});
  add(doctor::examine_clock(visit->clock_ahead));
}

void Examination::tell_of_running(const Value& status) {
  if (is_linked(status)) {
    add({"link", Verdict::good, "the agent that runs here is linked"});
    const auto* ahead = status.find("link")->find("clock_ahead_ms");
    if (ahead != nullptr && ahead->is(Value::Kind::int64))
      add(doctor::examine_clock(std::chrono::milliseconds(ahead->as_int())));
    return;
  }
  add({"link", Verdict::bad, "the agent that runs here has no link", "see: sallyport-agent status"});
}

}  // namespace

findings::Report examine(const std::string& directory, const Clock& clock) {
  auto config = policy::load_config(directory);
  if (config) return Examination(*std::move(config), clock).run();
  return {
      {{"configuration", Verdict::bad, yaml::to_error(config.error()).message, "see: sallyport-agent config check"}}};
}

Result<findings::Report> examine_connection(const policy::Config& config, const std::string& name, const Clock& clock) {
  FdSink sink(kStandardError);
  const Log log(sink, clock, LogLevel::error);
  const PrivateVault vault(config, clock, log);
  SP_TRY(auto findings, test_connection({config, vault.vault(), clock, log, kForConnection}, name));
  return findings::Report{std::move(findings)};
}

findings::Findings examine_system_keys(const policy::Config& config, const Clock& clock) {
  FdSink sink(kStandardError);
  const Log log(sink, clock, LogLevel::warn);
  const agent::FileIdentityStore identities(identity_file(config).string());
  const auto keys = open_system_keys(config, identities, clock, log);
  if (keys) return visit_system_keys(config, agent::SystemKeyVault(**keys));
  if (visit_system_keys(config, vault::LocalVault()).empty()) return {};
  return {{"system keys", Verdict::bad, "cannot be looked at: " + keys.error().message}};
}

}  // namespace sallyport::app
