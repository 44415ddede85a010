#pragma once

#include "agent/findings/finding.h"
#include "agent/policy/config.h"
#include "agent/vault/vault.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace sallyport::app {

// What the configuration names on this machine and around it besides connections, each as the agent would meet it:
// commands have to be programs that this user may run, targets of tunnels have to take a connection, secrets that steps
// may take have to be there.
findings::Findings visit_secrets(const policy::Policy& policy, const vault::Vault& vault);
// Of the system keys that connections.yaml and policy.yaml name, those that cannot be had.
findings::Findings visit_system_keys(const policy::Config& config, const vault::Vault& vault);
findings::Findings visit_commands(const policy::Policy& policy);
boost::asio::awaitable<findings::Findings> visit_tunnel_targets(const policy::Policy& policy,
                                                                std::chrono::milliseconds patience);

}  // namespace sallyport::app
