#include "relay/api/tunnel_session.h"

#include "relay/api/api_token.h"
#include "relay/api/authenticator.h"
#include "relay/api/services.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

using tunnels::Denial;

constexpr auto kNotLetIn = "this tunnel lets neither your role nor this API token in (its `access`)";

// Everything that let the caller in, once more. An error: the store cannot be read.
asio::awaitable<Result<std::optional<Denial>>> denial_of(Services& services, OrgId org, TunnelId id, ApiTokenId token) {
  const auto found = co_await services.stores.api_tokens.find_for_authentication(token);
  if (!found && found.error().code != Errc::not_found) co_return std::unexpected(found.error());
  if (!found || !is_good(found->token, found->token.secret_hash, services.clock.wall()))
    co_return std::optional(Denial{"revoked", "the API token is no longer valid"});
  const auto scopes = found->token.scopes & domain::scopes_of(found->user.role, found->user.platform);
  if (!scopes.contains(domain::Scope::tunnels_use))
    co_return std::optional(Denial{"forbidden", "the API token may open no tunnels any more"});
  const auto tunnel = co_await services.stores.tunnels.find(org, id);
  if (!tunnel && tunnel.error().code == Errc::not_found)
    co_return std::optional(Denial{"removed", "the tunnel was removed"});
  if (!tunnel) co_return std::unexpected(tunnel.error());
  if (!tunnel->access.lets_in(found->user.role, token)) co_return std::optional(Denial{"forbidden", kNotLetIn});
  co_return std::optional<Denial>();
}

}  // namespace

asio::awaitable<Result<Answer>> open_tunnel_session(Services& services, Call call) {
  const auto& caller = call.caller;
  SP_CO_TRY(const auto tunnel, co_await services.stores.tunnels.find(caller.org, call.id<TunnelId>("tunnel")));
  if (!tunnel.access.lets_in(caller.role, caller.token)) co_return fail(Errc::forbidden, kNotLetIn);
  SP_CO_TRY(const auto known, co_await services.stores.api_tokens.find(caller.org, caller.token));
  auto still_allowed = [&services, org = caller.org, id = tunnel.id, token = caller.token] {
    return denial_of(services, org, id, token);
  };
  SP_CO_TRY(auto serve, services.tunnels.session(tunnel, {call.peer, caller.user, caller.token, known.expires_at},
                                                 std::move(still_allowed)));
  co_return Answer{http::UpgradeResponse{std::string(tunnel::kSessionProtocol), {}, std::move(serve), {}}};
}

}  // namespace sallyport::api
