#pragma once

#include "relay/api/call.h"
#include "relay/api/services.h"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <variant>

namespace sallyport::api {

// 1 to 128 visible ASCII characters.
bool is_idempotency_key(std::string_view text);

// One keyed call: who sent which key with which request.
struct KeyedRequest {
  OrgId org;
  std::string key;     // of this token alone: "tok_...:" and what the caller sent
  Bytes request_hash;  // of method, path and body; only its fingerprint is stored, for a body may be easy to guess
};
KeyedRequest keyed_request(const Caller& caller, std::string_view key, const http::Request& request);

// Go on; or answer with this instead: the first call's answer, or why the key cannot be used (conflict: for another
// request, or while the first call is still under way).
using Claimed = std::variant<std::monostate, http::Response>;

// Remembers the answers of keyed calls for store::kIdempotencyLife, sealed. Holds no state.
class Idempotency {
 public:
  explicit Idempotency(Services& services) : services_(services) {}
  boost::asio::awaitable<Result<Claimed>> claim(KeyedRequest request);
  boost::asio::awaitable<Result<void>> complete(KeyedRequest request, http::Response response);
  boost::asio::awaitable<Result<void>> abandon(KeyedRequest request);

 private:
  Services& services_;
};

// Removes the keys whose time is over, now and every ten minutes, until cancelled.
boost::asio::awaitable<void> sweep_expired_keys(store::IdempotencyKeys& keys, const Clock& clock, const Log& log);

}  // namespace sallyport::api
