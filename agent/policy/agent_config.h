#pragma once

#include "agent/vault/vault.h"
#include "shared/base/log.h"
#include "shared/recipe/problem.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::policy {

struct RelayAddress {
  std::string host;
  std::uint16_t port = 443;
  friend bool operator==(const RelayAddress&, const RelayAddress&) = default;
};

struct ProxyConfig {
  enum class Mode { environment, direct, fixed };
  Mode mode = Mode::environment;  // HTTPS_PROXY and NO_PROXY, in either case
  std::string host;               // fixed
  std::uint16_t port = 0;
  std::string user;
  vault::SecretRef password;
};

// How links get to the relay (docs/operations/agent-configuration.md).
struct LinkConfig {
  enum class Via { automatic, direct, websocket };
  Via via = Via::automatic;
  std::string web;          // overrides the URL of the web API learnt at enrolment; "" for that one
  std::uint32_t count = 2;  // links at the same time, if the relay wants as many
};

struct AgentLimits {
  std::uint32_t slots = 8;           // jobs at the same time
  std::uint32_t worker_threads = 4;  // blocking calls at the same time
  std::uint64_t spool_bytes = 10ULL << 30;
  std::uint64_t outbox_bytes = 1ULL << 30;  // reports that wait for the relay
};

// agent.yaml: how this agent runs. Nothing in it widens what a recipe may do.
struct AgentConfig {
  std::optional<RelayAddress> relay;  // overrides the address learnt at enrolment
  std::string state_dir = "/var/lib/sallyport-agent";
  ProxyConfig proxy;
  LinkConfig link;
  AgentLimits limits;
  LogLevel log_level = LogLevel::info;
};

// `directory` is where the file lives: relative paths in it are taken from there.
std::expected<AgentConfig, yaml::Problems> parse_agent_config(std::string_view text, std::string_view file,
                                                              std::string_view directory);

// "host", "host:443", "[::1]:8443"; nullopt for anything else.
std::optional<RelayAddress> parse_relay_address(std::string_view text, std::uint16_t default_port = 443);

}  // namespace sallyport::policy
