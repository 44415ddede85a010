#pragma once

#include "agent/link/identity.h"
#include "agent/link/supervisor.h"
#include "agent/link/ways.h"
#include "agent/policy/connections.h"
#include "agent/runner/engine.h"
#include "agent/system_keys/system_keys.h"

#include <string>
#include <vector>

namespace sallyport::app {

inline constexpr std::string_view kStatusSocket = "agent.sock";  // in the state directory
inline constexpr std::size_t kMostStatus = 1u << 20;

// How a running agent is, for whoever may enter its state directory: no secret, no setting, no payload.
struct AgentFigures {
  std::int64_t process = 0;
  WallTime started{};
  const Clock& clock;
  const agent::Identity& identity;
  const agent::LinkStatus& link;
  std::vector<agent::LinkFacts> links;
  agent::WayFacts way;
  runner::Engine::Status engine;
  std::size_t tunnel_connections = 0;
  const policy::Connections& connections;
  std::vector<runner::ConnectionUse> uses;
  std::vector<agent::SystemKeyFact> system_keys = {};
};

// One JSON object; its members are in docs/operations/agent-configuration.md.
Value status_of(const AgentFigures& figures);
// The same for people; `status` as status_of made it, perhaps by another version: what is missing is left out.
std::string status_text(const Value& status);
// A link is ready and the relay has not disowned the agent.
bool is_linked(const Value& status);

}  // namespace sallyport::app
