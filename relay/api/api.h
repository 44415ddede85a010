#pragma once

#include "relay/api/authenticator.h"
#include "relay/api/idempotency.h"
#include "relay/api/inputs.h"
#include "relay/api/router.h"
#include "relay/api/services.h"
#include "shared/async/call_buckets.h"
#include "shared/http/types.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace sallyport::api {

// A call that was let in by its head.
struct Admitted {
  const Route* route = nullptr;
  Caller caller;
  BucketVerdict bucket;
  Inputs inputs;
};

struct ApiOptions {
  BucketTerms calls;  // per API token
  BackOffTerms auth_failures;
  std::chrono::seconds read_time{20};  // what a call that changes nothing may take
};

// The web API: what the HTTP edge serves. Every rule that holds for all routes is here and in ApiExchange; handlers see
// authorised, validated calls only. Lives on the relay's loop; `services` outlives it.
//
//   admit:   route -> token -> rate -> role and scope -> path, query, media type
//   answer:  body -> idempotency key -> handler (change and audit row in one transaction) -> reply
class Api final : public http::Handler {
 public:
  // Throws std::logic_error when a route's declaration cannot stand (registry.h).
  Api(Services services, ApiOptions options = {});

  boost::asio::awaitable<http::Admission> admit(const http::RequestHead& head) override;
  SessionLedger& sessions() { return *services_.sessions; }  // its run() is the relay's to run

 private:
  friend class ApiExchange;
  boost::asio::awaitable<http::Admission> admit_call(const http::RequestHead& head, Match match);
  http::Response signed_for(const Admitted& admitted, http::Response response) const;
  boost::asio::awaitable<std::optional<http::Response>> authorise(const http::RequestHead& head,
                                                                  const Admitted& admitted);
  boost::asio::awaitable<void> audit_refusal(const http::RequestHead& head, const Route& route, const Caller& caller);

  Services services_;
  ApiOptions options_;
  Router router_;
  Authenticator authenticator_;
  CallBuckets buckets_;
  Idempotency idempotency_;
  Counter& refused_;
  Counter& slowed_;
};

}  // namespace sallyport::api
