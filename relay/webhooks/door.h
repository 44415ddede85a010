#pragma once

#include "relay/audit/audit.h"
#include "relay/audit/repeated_refusals.h"
#include "relay/jobs/job_service.h"
#include "relay/keys/envelope.h"
#include "relay/store/webhooks.h"
#include "shared/async/call_buckets.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"
#include "shared/base/secret.h"
#include "shared/http/types.h"
#include "shared/proof/proof.h"

#include <boost/asio/awaitable.hpp>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::webhooks {

// POST /hooks/{webhook}: starts a job for a request whose sender proves who it is. Every other path is another
// handler's. Whoever proves nothing gets the same answer whether there is such a webhook or not. Lives on the relay's
// loop; what it is made of outlives it.
class Door final : public http::Handler {
 public:
  struct Parts {
    store::Webhooks& webhooks;
    keys::Envelope& envelope;
    jobs::JobService& jobs;
    Audit& audit;
    const Clock& clock;
    const Log& log;
    Metrics& metrics;
    http::Handler& others;
  };
  struct Rates {
    BucketTerms sources;   // before anything is looked at
    BucketTerms webhooks;  // of what is proven
  };
  explicit Door(Parts parts) : Door(parts, Rates()) {}
  Door(Parts parts, Rates rates);

  boost::asio::awaitable<http::Admission> admit(const http::RequestHead& head) override;

 private:
  friend class DeliveryExchange;
  boost::asio::awaitable<http::Response> take(http::Request request);
  // The webhook when the request proves to be its sender's.
  boost::asio::awaitable<std::expected<store::Webhook, http::Response>> believed(const http::Request& request);
  boost::asio::awaitable<Result<std::vector<Secret>>> secrets_of(const store::Webhook& webhook);
  boost::asio::awaitable<http::Response> refuse(const http::RequestHead& head, const store::Webhook* known,
                                                std::string_view why);
  boost::asio::awaitable<http::Response> start(store::Webhook webhook, http::Request request);
  store::AuditNote<store::AddedJob> note_of(const store::Webhook& webhook, const http::RequestHead& head) const;
  http::Response failed(const http::RequestHead& head, const store::Webhook* known, const Error& error);

  Parts parts_;
  CallBuckets sources_;
  CallBuckets proven_;
  RepeatedRefusals repeated_;
  Secret decoy_;  // what nobody signs with: for webhooks that there are not
  Counter& started_;
  Counter& repeated_deliveries_;
  Counter& refused_;
  Counter& slowed_;
  Counter& other_;
};

}  // namespace sallyport::webhooks
