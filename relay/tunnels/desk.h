#pragma once

#include "relay/store/tunnels.h"
#include "relay/tunnels/ended_connections.h"
#include "shared/async/byte_stream.h"
#include "shared/tunnel/purpose.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::tunnels {

// What an agent says of a target, or why none could be asked.
struct Reach {
  bool asked = false;    // false: no agent that could be asked is linked; `detail` says so
  AgentId agent;         // that was asked
  bool allowed = false;  // by its local policy
  std::string rule;      // of the policy that refused, as that agent names it
  bool answers = false;  // the target took a connection
  std::string detail;    // why not, for people
  std::uint32_t connect_ms = 0;
};

// A tunnel as it stands on this relay.
enum class EntranceState {
  none,  // it has no listener
  listening,
  paused,
  expired,
  failed,  // see `problem`
};

struct Standing {
  EntranceState entrance = EntranceState::none;
  std::string problem;  // why it does not listen, and what to do
  std::size_t open_connections = 0;
  std::uint64_t to_target = 0;  // bytes of the open ones and of all that ended since this relay started
  std::uint64_t from_target = 0;
};

// Who opens a tunnel from a workstation.
struct Opener {
  std::string source;  // address of the workstation
  UserId user;
  ApiTokenId token;
  std::optional<WallTime> until = {};  // when the token expires, as known now
};

// Why a session may not go on, as the workstation is told: "revoked", "forbidden", "paused", "expired", "removed",
// "stopping", "unavailable".
struct Denial {
  std::string code;
  std::string message;
};
// Asks once more; nothing: it may. An error: that cannot be told now.
using StillAllowed = std::function<store::awaitable<Result<std::optional<Denial>>>()>;

// Serves one workstation's session over its connection, until that ends or must end; gives why it had to. Holds the
// session's place from when it was given on, and as long as a copy of it lives; to be called once.
using ServeSession = std::function<store::awaitable<std::optional<Denial>>(std::unique_ptr<ByteStream>)>;

// What the web API asks of the part that carries tunnels. Used on the relay's loop.
class Desk {
 public:
  virtual ~Desk() = default;
  // A tunnel was created or changed: opens its listener, or closes it and cuts what is open, and cuts connections of
  // those who may use it no longer (`access_ended`); of sessions that is asked at once. Changed limits hold for
  // connections that begin later. A listener
  // that cannot be opened is Errc::conflict (the address is in use) or Errc::invalid (not an address of this machine,
  // or one that the deployment does not allow) or Errc::exhausted (see check_listener), and is tried again while the
  // tunnel stays active.
  virtual Result<void> put(const store::Tunnel& tunnel) = 0;
  // It was removed: closes its listener and cuts what is open.
  virtual void drop(const TunnelId& tunnel) = 0;
  virtual Standing standing(const store::Tunnel& tunnel) const = 0;
  // Open connections, newest first, as their access records would be written now.
  virtual std::vector<store::TunnelConnection> open_connections(const TunnelId& tunnel) const = 0;
  // Gets each connection that ends from now on, for as long as somebody holds it; the same for all who watch a tunnel.
  virtual std::shared_ptr<EndedConnections> watch(const TunnelId& tunnel) = 0;
  // Whether a further listener may be bound there, for asking before a tunnel is stored. Errc::forbidden names what the
  // deployment allows. Errc::exhausted: this relay has no room for another listener, and waiting does not help; the
  // message says what to raise.
  virtual Result<void> check_listener(const domain::TunnelListener& listener) const = 0;
  // A place for a session of a workstation that may open the tunnel. `still_allowed` is asked every two seconds from
  // then on. Errc::conflict: it is paused or expired. Errc::exhausted: the user, the organisation or the relay has as
  // many sessions as it may. Errc::unavailable: the relay is stopping.
  virtual Result<ServeSession> session(const store::Tunnel& tunnel, Opener opener, StillAllowed still_allowed) = 0;
  // Asks a linked agent; takes at most 10 s. Never fails: a question without an answer is one too.
  virtual store::awaitable<Reach> reach(OrgId org, GroupId group, std::optional<AgentId> agent,
                                        tunnel::Target target) = 0;
};

}  // namespace sallyport::tunnels
