#include "agent/connectors/http/authorizer.h"

#include "agent/connectors/http/client.h"

#include <fmt/format.h>

namespace sallyport::connectors::http {
namespace {

struct Found {
  const policy::Connection& connection;
  const policy::HttpOauth2& oauth2;
  const policy::HttpAuthorization& authorization;
};

StepResult<Found> find(const Site& site, std::string_view name) {
  const auto at = site.connections.find(name);
  if (at == site.connections.end())
    return step_fail("not_found", fmt::format("connections.yaml has no connection \"{}\"", name));
  const auto* http = at->second.http();
  const auto* oauth2 = http == nullptr ? nullptr : std::get_if<policy::HttpOauth2>(&http->auth);
  if (oauth2 == nullptr || !oauth2->authorization)
    return step_fail("invalid", fmt::format("the connection {} has no `grant: authorization_code`", name));
  return Found{at->second, *oauth2, *oauth2->authorization};
}

}  // namespace

StepResult<PendingAuthorization> Authorizer::begin(std::string_view connection) const {
  SP_TRY(const auto found, find(site_, connection));
  return begin_authorization(found.oauth2, found.authorization);
}

StepResult<void> Authorizer::finish(std::string_view connection, const PendingAuthorization& pending,
                                    const AuthorizationAnswer& answer, const CallLimits& limits) const {
  SP_TRY(const auto found, find(site_, connection));
  SP_TRY(const auto code, code_of(answer, pending, found.authorization));
  return Client(site_, found.connection).redeem(code, pending, limits);
}

}  // namespace sallyport::connectors::http
