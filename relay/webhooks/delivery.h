#pragma once

#include "relay/store/webhooks.h"
#include "shared/base/value.h"
#include "shared/http/problem.h"
#include "shared/http/types.h"

#include <expected>
#include <string>

namespace sallyport::webhooks {

// What a request whose sender is known starts a job with.
struct Delivery {
  // What it is known by when it comes again: the signed `webhook-id`, else the body, for nothing else is signed.
  std::string natural_key;
  Value data;
};

// Problems: a `webhook-id` that is no visible ASCII; more than the data of a trigger may have.
std::expected<Delivery, http::Problem> make_delivery(const store::Webhook& webhook, http::Request request);

}  // namespace sallyport::webhooks
