#pragma once

#include "relay/api/registry.h"
#include "relay/api/router.h"
#include "shared/base/secret.h"
#include "shared/http/problem.h"
#include "shared/http/types.h"

#include <expected>
#include <memory>

// From the parts of a request to the checked values of a Call, by the route's declaration. No IO.
namespace sallyport::api {

struct Inputs {
  ValueMap path;
  ValueMap query;
};

// Parameters of path and query, and whether the announced body may come at all. A path parameter of a wrong form is the
// same 404 as something that does not exist; a repeated or unknown query parameter is 400; a wrong media type 415.
std::expected<Inputs, http::Problem> read_inputs(const http::RequestHead& head, const Match& match);

struct ReadBody {
  Value value;
  std::shared_ptr<const Secret> secret;  // the member of Format::secret, which is not in `value`; null: none
};

// The JSON or YAML body. 400 when it is not JSON at all, or empty where something is to be set (PUT, PATCH; elsewhere
// it counts as {}), 422 with every violation of the schema. A secret is wiped from the request.
std::expected<ReadBody, http::Problem> read_body(const Route& route, http::Request& request);

}  // namespace sallyport::api
