#pragma once

#include "relay/api/call.h"
#include "relay/api/schema.h"
#include "relay/domain/roles.h"
#include "relay/domain/scopes.h"
#include "shared/http/types.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::api {

struct Services;

// Who may call a route at all, before role and scope.
enum class Reach {
  open,           // everybody: health and documents
  authenticated,  // every valid token; no scope needed
  organisation,   // sees and changes the caller's own organisation only
  platform,       // platform admin; never an organisation's payloads
};

enum class Body {
  none,    // a body is refused
  json,    // application/json that fits Route::request
  recipe,  // the same, or the recipe itself as application/yaml; then Call::body is {"yaml": ...}
};

enum class Repeat {
  safe,        // changes nothing
  idempotent,  // the same call again changes nothing more
  keyed,       // Idempotency-Key is honoured
  once,        // every call makes something new and tells a secret once; Idempotency-Key is refused
};

// What becomes of parameters of a query that a route does not declare.
enum class OtherQuery {
  refused,
  ignored,  // others than this project say what stands in the query
};

// Whether the audit ledger hears of a call that changes nothing.
enum class SafeCall {
  untold,
  told_as_session,  // its refusal for want of a role or scope, bounded in rate; the rest is the handler's
                    // (SessionLedger)
};

using RouteHandler = boost::asio::awaitable<Result<Answer>> (*)(Services&, Call);

// The one declaration of a route. Routing, authentication, RBAC, request validation, idempotency, audit, the check of
// docs/api/openapi.yaml and the route x role x organisation test are made from it.
struct Route {
  std::string_view id;  // operationId in the document: "list_agents"
  http::Method method = http::Method::get;
  std::string_view pattern;  // "/v1/agents/{agent}"
  Reach reach = Reach::organisation;
  std::optional<domain::Role> least_role = std::nullopt;  // exactly for Reach::organisation
  std::optional<domain::Scope> scope = std::nullopt;      // exactly for Reach::organisation and Reach::platform
  std::span<const Field> path = {};                       // each {name} of the pattern, in order
  std::span<const Field> query = {};
  OtherQuery other_query = OtherQuery::refused;
  Body body = Body::none;
  const Schema* request = nullptr;  // of the JSON body
  std::string_view response = {};   // schema name in the document; "" when the answer is not one JSON object
  Repeat repeat = Repeat::safe;
  std::string_view audited = {};  // noun.verb; "" exactly for Repeat::safe
  SafeCall ledger = SafeCall::untold;
  std::size_t body_limit = 64u << 10;
  RouteHandler handler = nullptr;
};

// Every route there is. Two of them never have the same method and shape of path.
const std::vector<Route>& routes();

// Why a declaration cannot stand; "" when it can: a mutation without an audited action, a scope that the least role
// lacks or that a lesser role has, parameters that differ from the pattern's. The Api refuses to start with such a one.
std::string fault_in(const Route& route);

// The names in braces of a pattern, in order.
std::vector<std::string_view> parameters_of(std::string_view pattern);

}  // namespace sallyport::api
