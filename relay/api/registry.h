#pragma once

#include "relay/api/call.h"
#include "relay/api/schema.h"
#include "relay/domain/roles.h"
#include "relay/domain/scopes.h"
#include "relay/http/types.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace sallyport::api {

struct Services;

// Who may call a route at all, before scope and role.
enum class Reach {
  open,           // everybody: health, metrics, documents
  authenticated,  // every valid token; no scope needed
  organisation,   // sees and changes the caller's own organisation only
  platform,       // platform admin; never an organisation's payloads
};

enum class Body {
  none,    // a body is refused
  json,    // application/json
  recipe,  // application/json {"yaml": ...}, or the YAML itself as application/yaml, text/yaml
};

enum class Repeat {
  safe,        // changes nothing
  idempotent,  // the same call again changes nothing more
  keyed,       // Idempotency-Key is honoured
};

using RouteHandler = boost::asio::awaitable<Result<Answer>> (*)(Services&, Call);

// The one declaration of a route. Routing, authentication, RBAC, request validation, idempotency, audit, the check of
// docs/api/openapi.yaml and the route x role x organisation test are made from it.
struct Route {
  std::string_view id;  // operationId in the document: "list_agents"
  http::Method method = http::Method::get;
  std::string_view pattern;  // "/v1/agents/{agent}"
  Reach reach = Reach::organisation;
  std::optional<domain::Role> least_role;  // Reach::organisation only
  std::optional<domain::Scope> scope;      // none for Reach::open and Reach::authenticated
  std::span<const Field> path = {};        // each {name} of the pattern, in order
  std::span<const Field> query = {};
  Body body = Body::none;
  const Schema* request = nullptr;  // of a JSON body
  std::string_view response;        // schema name in the document; "" when the answer is not JSON
  Repeat repeat = Repeat::safe;
  std::string_view audited;  // noun.verb; "" only for Repeat::safe
  std::size_t body_limit = 1u << 20;
  RouteHandler handler = nullptr;
};

// Every route there is.
std::span<const Route> routes();

// Why this declaration cannot stand ("" when it can): a mutation without an audited action, a scope that its least role
// does not have or that a lower role has, a parameter that the pattern does not name. The relay refuses to start with
// one.
std::string fault_in(const Route& route);

}  // namespace sallyport::api
