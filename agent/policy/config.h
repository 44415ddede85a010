#pragma once

#include "agent/policy/agent_config.h"
#include "agent/policy/connections.h"
#include "agent/policy/policy.h"
#include "shared/base/value.h"

#include <expected>
#include <string>

namespace sallyport::policy {

struct Config {
  AgentConfig agent;
  Connections connections;
  Policy policy;
};

// Loads and checks agent.yaml, connections.yaml and policy.yaml of `directory`: either all of them without a fault, or
// every fault of every file, with line and column. Besides each file's own rules: a policy for a connection that does
// not exist or is of another kind, secret files that are missing or open to others, roots that do not exist. A folder
// that others may write to is the only fault told: whatever lies in it may be another's.
// A missing policy.yaml is a fault, not an empty policy.
std::expected<Config, yaml::Problems> load_config(const std::string& directory);

}  // namespace sallyport::policy
