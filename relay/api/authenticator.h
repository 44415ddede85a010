#pragma once

#include "relay/api/caller.h"
#include "relay/api/services.h"
#include "shared/async/call_buckets.h"
#include "shared/http/types.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <expected>
#include <variant>

namespace sallyport::api {

// Unknown, malformed, expired, revoked, wrong secret, no token at all: never told apart.
struct NotAuthenticated {};
struct Blocked {
  std::chrono::seconds retry_after;
};
using AuthFailure = std::variant<NotAuthenticated, Blocked, Error>;  // Error: the store could not be asked

// Is the token still neither revoked nor expired? For live streams, which outlast their authentication. True while the
// store cannot be asked.
boost::asio::awaitable<bool> is_still_good(store::ApiTokens& tokens, ApiTokenId token, const Clock& clock);

// From the Authorization header to a caller. Failures are counted by source, logged, and audited in the system ledger
// once per block. Lives on the relay's loop.
class Authenticator {
 public:
  Authenticator(Services& services, BackOffTerms terms);
  boost::asio::awaitable<std::expected<Caller, AuthFailure>> authenticate(const http::RequestHead& head);

 private:
  boost::asio::awaitable<std::expected<Caller, AuthFailure>> verify(ApiTokenId id, Bytes hash);
  boost::asio::awaitable<void> count_failure(std::string source, std::string request_id);

  Services& services_;
  SourceBackOff back_off_;
  Counter& failures_;
  Counter& blocks_;
};

}  // namespace sallyport::api
