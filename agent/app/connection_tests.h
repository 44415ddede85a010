#pragma once

#include "agent/findings/finding.h"
#include "agent/policy/config.h"
#include "agent/vault/vault.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"

#include <chrono>
#include <string_view>

namespace sallyport::app {

// What connections are tested with; all of it outlives the call. Blocks for about `patience` for each connection.
struct ConnectionTesting {
  const policy::Config& config;
  const vault::Vault& vault;
  const Clock& clock;
  const Log& log;
  std::chrono::milliseconds patience;
};

// Everything between this machine and one system. Errors: not_found, with the names that there are.
Result<findings::Findings> test_connection(const ConnectionTesting& testing, std::string_view name);
// Every connection, in one finding each and what is a note: "connection".
findings::Findings test_connections(const ConnectionTesting& testing);

}  // namespace sallyport::app
