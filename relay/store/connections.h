#pragma once

#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <optional>

namespace sallyport::store {

enum class ConnectionHealth { unknown, healthy, failing };

// A configured system behind an agent: its name and health, never its settings or secrets.
struct Connection {
  OrgId org;
  AgentId agent;
  std::string name;
  std::string kind;  // "sql", "file"
  ConnectionHealth health = ConnectionHealth::unknown;
  std::optional<Bytes> sealed_detail;  // why it fails, for people: table "connections", column "detail",
                                       // record = connection_record()
  std::optional<WallTime> checked_at;
};

// What the last use of a connection told.
struct ConnectionUse {
  std::string name;
  ConnectionHealth health = ConnectionHealth::unknown;
  std::optional<Bytes> sealed_detail;  // as in Connection
  WallTime at{};
};

// The `record` part of the sealed detail's identity.
std::string connection_record(const AgentId& agent, std::string_view name);

struct ConnectionFilter {
  std::optional<AgentId> agent;
};

class Connections {
 public:
  virtual ~Connections() = default;
  // What the agent says now takes the place of everything it said before. too_large: more than 1,000.
  virtual awaitable<Result<void>> replace(OrgId org, AgentId agent, std::vector<Connection> connections) = 0;
  // For those of these that are connections of this agent; other names are ignored. too_large: more than 1,000.
  virtual awaitable<Result<void>> note_uses(OrgId org, AgentId agent, std::vector<ConnectionUse> uses) = 0;
  virtual awaitable<Result<Page<Connection>>> list(OrgId org, ConnectionFilter filter,
                                                   PageQuery page) = 0;  // by agent, then name
};

}  // namespace sallyport::store
