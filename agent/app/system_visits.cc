#include "agent/app/system_visits.h"

#include "agent/link/dialer.h"
#include "agent/platform/process.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>

#include <optional>

namespace sallyport::app {
namespace asio = boost::asio;
using findings::Finding;
using findings::Verdict;
using vault::SecretRef;
namespace {

constexpr std::string_view kConnection = "connection";

std::optional<Finding> lack_of(std::string_view what, const std::string& name, const SecretRef& ref,
                               const vault::Vault& vault) {
  const auto kept = vault.resolve(ref);
  if (kept) return std::nullopt;
  // The service may have variables that this shell has not.
  const bool elsewhere = ref.source == SecretRef::Source::environment;
  return Finding{std::string(what), elsewhere ? Verdict::note : Verdict::bad,
                 fmt::format("{}: {}", name, kept.error().message), "steps that take it fail until it is there"};
}

asio::awaitable<Finding> visit_target(policy::TunnelTarget target, const agent::Dialer& dialer,
                                      std::chrono::milliseconds patience) {
  const agent::Endpoint at{target.host, target.port};
  const auto socket = co_await dialer.dial(at, std::chrono::steady_clock::now() + patience);
  if (socket) co_return Finding{"tunnel", Verdict::good, fmt::format("{} takes connections", to_string(at))};
  co_return Finding{"tunnel", Verdict::note,
                    fmt::format("{} does not answer: {}", to_string(at), socket.error().message),
                    fmt::format("connections through a tunnel to it are refused as unreachable ({})", target.rule)};
}

}  // namespace

findings::Findings visit_secrets(const policy::Policy& policy, const vault::Vault& vault) {
  findings::Findings findings;
  for (const auto& [name, secret] : policy.secrets()) {
    if (auto lacking = lack_of("secret", name, secret.source, vault)) {
      findings.push_back(*std::move(lacking));
    } else {
      findings.push_back({"secret", Verdict::good, fmt::format("{} is there ({})", name, to_string(secret.source))});
    }
  }
  return findings;
}

findings::Findings visit_system_keys(const policy::Config& config, const vault::Vault& vault) {
  findings::Findings findings;
  const auto look_for = [&](std::string_view what, const std::string& name, const SecretRef& ref) {
    if (ref.source != SecretRef::Source::system_key) return;
    if (auto lacking = lack_of(what, name, ref, vault)) findings.push_back(*std::move(lacking));
  };
  for (const auto& [name, connection] : config.connections) {
    for (const auto& secret : connection.secrets()) look_for(kConnection, name, secret);
  }
  for (const auto& [name, secret] : config.policy.secrets()) look_for("secret", name, secret.source);
  return findings;
}

findings::Findings visit_commands(const policy::Policy& policy) {
  findings::Findings findings;
  for (const auto& [name, command] : policy.commands()) {
    const auto& program = command.argv.front();
    if (platform::is_runnable(program)) {
      findings.push_back({"command", Verdict::good, fmt::format("{} runs {}", name, program)});
    } else {
      findings.push_back({"command", Verdict::bad,
                          fmt::format("{}: {} is no program that this user may run", name, program),
                          fmt::format("install it, or correct {}", command.rule)});
    }
  }
  return findings;
}

asio::awaitable<findings::Findings> visit_tunnel_targets(const policy::Policy& policy,
                                                         std::chrono::milliseconds patience) {
  findings::Findings findings;
  const agent::Dialer directly(co_await asio::this_coro::executor, "none", agent::process_environment);
  for (const auto& target : policy.tunnels()) findings.push_back(co_await visit_target(target, directly, patience));
  co_return findings;
}

}  // namespace sallyport::app
