#include "relay/api/api.h"

#include "relay/api/exchange.h"
#include "relay/api/job_figures.h"
#include "relay/api/problems.h"
#include "relay/api/session_ledger.h"
#include "relay/api/tunnel_lookout.h"

#include <stdexcept>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

http::Response with_header(http::Response response, std::string_view name, std::string_view value) {
  response.headers.set(name, value);
  return response;
}

http::Response too_many(std::string detail, std::chrono::seconds wait) {
  return with_header(http::to_response({429, "exhausted", std::move(detail), {}}), "Retry-After",
                     std::to_string(wait.count()));
}

http::Response to_response(const AuthFailure& failure) {
  if (const auto* blocked = std::get_if<Blocked>(&failure)) {
    return too_many("Authentication failed too often from your address; check the token, then try again.",
                    blocked->retry_after);
  }
  if (const auto* error = std::get_if<Error>(&failure)) return http::to_response(to_problem(*error));
  return with_header(http::to_response(to_problem({Errc::unauthenticated, {}})), "WWW-Authenticate",
                     "Bearer realm=\"sallyport\"");
}

// Role and scope; the matrix of roles has been applied to the scopes by authentication already.
bool is_allowed(const Route& route, const Caller& caller) {
  if (route.least_role && caller.role > *route.least_role) return false;
  if (route.reach == Reach::platform && caller.platform != domain::PlatformRights::admin) return false;
  return !route.scope || caller.scopes.contains(*route.scope);
}

http::Response forbidden(const Route& route) {
  std::string detail = "Your role or your token does not allow this.";
  if (route.scope) detail += " It needs the scope " + std::string(to_string(*route.scope)) + ".";
  return http::to_response({403, "forbidden", std::move(detail), {}});
}

}  // namespace

Api::Api(Services services, ApiOptions options)
    : services_(std::move(services)),
      options_(options),
      router_(routes()),
      authenticator_(services_, options.auth_failures),
      buckets_(options.calls),
      idempotency_(services_),
      refused_(services_.metrics.counter("sallyport_api_forbidden_total", "Calls that role or scope did not allow.")),
      slowed_(services_.metrics.counter("sallyport_api_rate_limited_total", "Calls over a token's rate.")) {
  services_.lookouts = std::make_shared<TunnelLookouts>();
  services_.sessions = std::make_shared<SessionLedger>(services_.audit, services_.clock, services_.log);
  make_job_gauges(services_.metrics);
  for (const auto& route : routes()) {
    if (const auto fault = fault_in(route); !fault.empty()) throw std::logic_error(fault);
  }
}

asio::awaitable<http::Admission> Api::admit(const http::RequestHead& head) {
  auto found = router_.find(head.method, head.segments);
  if (std::holds_alternative<NoSuchPath>(found)) co_return http::to_response(to_problem({Errc::not_found, {}}));
  if (const auto* wrong = std::get_if<WrongMethod>(&found)) {
    co_return with_header(http::to_response({405, "method", "This path does not take this method.", {}}), "Allow",
                          wrong->allow);
  }
  co_return co_await admit_call(head, std::get<Match>(std::move(found)));
}

asio::awaitable<http::Admission> Api::admit_call(const http::RequestHead& head, Match match) {
  Admitted admitted{.route = match.route};
  if (match.route->reach != Reach::open) {
    auto caller = co_await authenticator_.authenticate(head);
    if (!caller) co_return to_response(caller.error());
    admitted.caller = *std::move(caller);
    admitted.bucket = buckets_.take(admitted.caller.token.value, services_.clock.steady());
    if (auto refusal = co_await authorise(head, admitted)) co_return signed_for(admitted, *std::move(refusal));
  }
  auto inputs = read_inputs(head, match);
  if (!inputs) co_return signed_for(admitted, http::to_response(inputs.error()));
  admitted.inputs = *std::move(inputs);
  co_return std::make_unique<ApiExchange>(*this, std::move(admitted));
}

http::Response Api::signed_for(const Admitted& admitted, http::Response response) const {
  http::Reply reply = std::move(response);
  sign(reply, admitted, buckets_.terms());
  return std::get<http::Response>(std::move(reply));
}

asio::awaitable<std::optional<http::Response>> Api::authorise(const http::RequestHead& head, const Admitted& admitted) {
  if (admitted.bucket.admit == Admit::no) {
    slowed_.add();
    co_return too_many("Too many requests; slow down.", admitted.bucket.reset);
  }
  if (is_allowed(*admitted.route, admitted.caller)) co_return std::nullopt;
  refused_.add();
  if (admitted.route->repeat != Repeat::safe) co_await audit_refusal(head, *admitted.route, admitted.caller);
  if (admitted.route->ledger == SafeCall::told_as_session) {
    auto facts = facts_of(admitted.caller, "path:" + std::string(admitted.route->pattern), head.peer, head.request_id);
    co_await services_.sessions->refused(std::move(facts), "no_right");
  }
  co_return forbidden(*admitted.route);
}

asio::awaitable<void> Api::audit_refusal(const http::RequestHead& head, const Route& route, const Caller& caller) {
  AuditRecord row{.actor = caller.actor(),
                  .action = std::string(route.audited),
                  .target = "path:" + std::string(route.pattern),
                  .outcome = AuditOutcome::refused,
                  .detail = {{Value("from"), Value(head.peer)},
                             {Value("path"), Value(head.path.substr(0, 256))},
                             {Value("user"), Value(caller.user.value)}},
                  .request_id = head.request_id};
  const auto written = co_await services_.audit.record(caller.org, std::move(row));
  if (!written) services_.log.error("audit.failed", {{"reason", written.error().message}});
}

}  // namespace sallyport::api
