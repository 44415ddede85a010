#pragma once

#include "relay/domain/tunnel.h"
#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::store {

enum class TunnelStatus { active, paused };

struct Tunnel {
  TunnelId id;
  OrgId org;
  std::string name;  // unique in the organisation among those that are not removed
  GroupId group;
  // Nothing: whichever of the group is linked. It was in the group when the tunnel was added, and is kept when it
  // leaves or is revoked: whoever opens a connection looks at its link only.
  std::optional<AgentId> agent = {};
  std::string host;  // of the target, as the agent's policy names it
  std::uint16_t port = 0;
  std::optional<domain::TunnelListener> listener = {};  // canonical; nothing that add() looks at clashes with it
  std::vector<std::string> networks;                    // from which a connection may come; canonical, never empty
  domain::TunnelAccess access = {};
  domain::TunnelLimits limits = {};
  std::optional<WallTime> expires_at = {};
  TunnelStatus status = TunnelStatus::active;
  UserId created_by;
  WallTime created_at;
  std::optional<WallTime> removed_at = {};
};

// What people change of a tunnel that is there.
struct TunnelState {
  std::vector<std::string> networks;
  domain::TunnelAccess access;
  domain::TunnelLimits limits;
  std::optional<WallTime> expires_at;
  TunnelStatus status = TunnelStatus::active;

  friend bool operator==(const TunnelState&, const TunnelState&) = default;
};
inline TunnelState state_of(const Tunnel& tunnel) {
  return {tunnel.networks, tunnel.access, tunnel.limits, tunnel.expires_at, tunnel.status};
}

// What is given is changed, each by itself; the rest stays.
struct TunnelChange {
  std::optional<std::vector<std::string>> networks = {};  // canonical, not empty
  std::optional<std::vector<domain::Role>> roles = {};    // as in TunnelAccess
  std::optional<std::vector<ApiTokenId>> tokens = {};
  std::optional<std::uint32_t> connections = {};
  std::optional<std::uint64_t> bytes_per_second = {};
  std::optional<std::chrono::seconds> idle = {};
  std::optional<std::optional<WallTime>> expires_at = {};  // given as nothing: no end
  std::optional<TunnelState> only_if = {};                 // compare-and-set
};
TunnelState changed(TunnelState state, const TunnelChange& change);

struct ChangedTunnel {
  Tunnel now;
  TunnelState before;  // the same as now: there was nothing to change
};

struct TunnelFilter {
  std::optional<std::string> name;
  std::optional<TunnelStatus> status;
};

// The access record of one connection through a tunnel (TN6). Nobody changes it once it is closed.
struct TunnelConnection {
  TunnelConnectionId id;
  TunnelId tunnel;
  std::optional<AgentId> agent = {};     // that carried it; nothing: none did (none was linked, or it was not let in)
  std::string source;                    // address of the client or its workstation, without its port
  std::optional<UserId> user = {};       // whose session it came through; nothing: through the listener
  std::optional<ApiTokenId> token = {};  // that opened that session
  WallTime opened_at;
  std::optional<WallTime> closed_at = {};  // nothing: it is open
  std::uint64_t to_target = 0;             // bytes
  std::uint64_t from_target = 0;
  std::string end;     // why it ended, one word of docs/operations/tunnels.md; "" while it is open
  std::string detail;  // for people; "" when there is nothing to say
};

inline constexpr std::size_t kMostTunnels = 500;               // of an organisation that are not removed
inline constexpr std::size_t kMostNotedConnections = 1000;     // access records of one call
inline constexpr std::size_t kMostClosedConnections = 10'000;  // access records of one tunnel that are kept
inline constexpr std::chrono::hours kListenerClaim{24};        // of an organisation on what its tunnel listened on

class Tunnels {
 public:
  virtual ~Tunnels() = default;
  // conflict: the name is taken, or a tunnel of any organisation has a listener that clashes (domain::clash); what the
  // message says of another organisation's is that there is one. So does a listener that clashes with that of another
  // organisation's tunnel removed less than kListenerClaim before `tunnel.created_at`: its clients may still come. And
  // when there are kMostTunnels. not_found: no such group, no agent of it that is not revoked, or no
  // such API token.
  virtual awaitable<Result<void>> add(OrgId org, Tunnel tunnel, AuditNote<> note = {}) = 0;
  virtual awaitable<Result<Tunnel>> find(OrgId org, TunnelId id) = 0;                                // not removed
  virtual awaitable<Result<Page<Tunnel>>> list(OrgId org, TunnelFilter filter, PageQuery page) = 0;  // oldest first
  // Gives the tunnel as it is now. Again: no change, and no note.
  virtual awaitable<Result<Tunnel>> set_status(OrgId org, TunnelId id, TunnelStatus status, AuditNote<> note = {}) = 0;
  // Without anything to change there is no note. conflict: it is not in the state that the caller expected. not_found:
  // no such tunnel, or a token that it did not let in before is none of the organisation's.
  virtual awaitable<Result<ChangedTunnel>> change(OrgId org, TunnelId id, TunnelChange change,
                                                  AuditNote<ChangedTunnel> note = {}) = 0;
  // Its access records stay. not_found: removed already.
  virtual awaitable<Result<void>> remove(OrgId org, TunnelId id, WallTime now, AuditNote<> note = {}) = 0;
  // System-wide, for the relay's start: every tunnel that is not removed, page by page.
  virtual awaitable<Result<Page<Tunnel>>> list_everywhere(PageQuery page) = 0;

  // Inserts access records, or brings those that are open up to date, all in one transaction; of tunnels of the
  // organisation (removed ones too). Tunnel, source, user, token and opened_at stay as they came first, and a record
  // that is closed stays as it is. Of each of these tunnels the newest kMostClosedConnections closed ones, by their
  // ids, are kept and older closed ones deleted. too_large: more than kMostNotedConnections. not_found: one is of no
  // such tunnel; none is stored.
  virtual awaitable<Result<void>> note_connections(OrgId org, std::vector<TunnelConnection> connections) = 0;
  // Newest first, by their ids; of a removed tunnel too. not_found: no such tunnel.
  virtual awaitable<Result<Page<TunnelConnection>>> list_connections(OrgId org, TunnelId id, PageQuery page) = 0;
  // System-wide, at the relay's start: what an earlier process left open ends now (not before it began, if the clock
  // was set back), with these words. Gives how many.
  virtual awaitable<Result<std::uint64_t>> close_open_connections(WallTime now, std::string end,
                                                                  std::string detail) = 0;
};

}  // namespace sallyport::store
