#pragma once

#include "agent/connectors/connector.h"
#include "agent/policy/connections.h"
#include "agent/policy/policy.h"
#include "agent/vault/refresh_tokens.h"
#include "agent/vault/vault.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"

namespace sallyport::connectors {

// What every action is built with. Everything outlives the actions and is thread-safe.
struct Site {
  const policy::Connections& connections;
  const policy::Policy& policy;
  const vault::Vault& vault;
  const Clock& clock;
  const Log& log;
  const vault::RefreshTokens* refresh_tokens = nullptr;  // nullptr: none are kept here
};

// For an error that names settings of a connection (host, user, file, directory). They stay on this machine: the
// agent's log gets the error as it is (`connection.failed`), the step its classes and `what`, which names the
// connection, and in general words why. Class "cancelled" is left alone.
StepError without_settings(const Log& log, std::string_view connection, std::string_view what, StepError error);

// Class "cancelled" or "timeout" when the step has to end; asked between pieces of work.
StepResult<void> check_going_on(const Site& site, const StepContext& context);

// The connection of the step and its settings, or class "not_found" / "invalid" for a wrong kind.
StepResult<const policy::Connection*> find_connection(const Site& site, std::string_view name, std::string_view kind);

// The first thing every action does: may this action run on this connection at all?
StepResult<void> check_allowed(const Site& site, const StepContext& context, std::string_view action);

}  // namespace sallyport::connectors
