#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/crypto/new_id.h"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <string_view>

namespace sallyport::authorizations {
using AuthorizationId = Id<struct AuthorizationTag>;  // aut_
}

template <>
struct sallyport::crypto::IdPrefix<sallyport::authorizations::AuthorizationId> {
  static constexpr std::string_view text = "aut_";
};

namespace sallyport::authorizations {

enum class State { waiting, exchanging, authorized, failed };
std::string_view to_string(State state);

// Who wants what to be authorized.
struct Order {
  OrgId org;
  std::string actor;  // for the ledger: "token:tok_..."
  AgentId agent;
  std::string connection;
};

struct Facts {
  AuthorizationId id;
  Order order;
  State state = State::waiting;
  std::string message;  // why it failed
  WallTime expires_at{};
  std::string url;  // to be opened in a browser; told to whoever begins it, once
};

// What a browser brought; "" for what was not there.
struct Answer {
  std::string state, code, issuer, error;
};

// Authorizations that wait for a browser to come back. Lives on the relay's loop.
class Desk {
 public:
  virtual ~Desk() = default;
  // Errc::exhausted: as many as may be are there already. unavailable, timed_out: the agent. conflict: the agent says
  // why it does not begin.
  virtual boost::asio::awaitable<Result<Facts>> begin(Order order) = 0;
  // Without the url. Of another organisation: not_found.
  virtual Result<Facts> find(const OrgId& org, const AuthorizationId& id) = 0;
  // Takes a state once, and gives what came of it; nobody else hears of the code than the agent that made the state.
  // not_found: no authorization waits for it.
  virtual boost::asio::awaitable<Result<Facts>> take(Answer answer) = 0;
};

}  // namespace sallyport::authorizations
