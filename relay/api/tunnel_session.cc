#include "relay/api/tunnel_session.h"

#include "relay/api/api_token.h"
#include "relay/api/authenticator.h"
#include "relay/api/services.h"
#include "relay/api/session_ledger.h"

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

// Why the tunnel gives no session, for the ledger; "" of what says nothing of the caller.
std::string_view reason_of(const Error& error, const store::Tunnel& tunnel) {
  switch (error.code) {
    case Errc::forbidden: return "forbidden";
    case Errc::exhausted: return "too_many";
    case Errc::conflict: return tunnel.status == store::TunnelStatus::paused ? "paused" : "expired";
    default: return "";
  }
}

Result<tunnels::ServeSession> given(Services& services, const Call& call, const store::Tunnel& tunnel,
                                    std::optional<WallTime> until) {
  const auto& caller = call.caller;
  auto still_allowed = [&services, org = caller.org, id = tunnel.id, token = caller.token] {
    return denial_of(services, org, id, token);
  };
  if (!tunnel.access.lets_in(caller.role, caller.token)) return fail(Errc::forbidden, kNotLetIn);
  return services.tunnels.session(tunnel, {call.peer, caller.user, caller.token, until}, std::move(still_allowed));
}

// What cannot be recorded is not opened. A session that ended because the relay stops was not taken from anybody.
asio::awaitable<void> hold(Services& services, SessionFacts facts, tunnels::ServeSession serve,
                           std::unique_ptr<ByteStream> stream) {
  if (const auto told = co_await services.sessions->opened(facts); !told) co_return;
  auto denied = co_await serve(std::move(stream));
  if (denied && denied->code != "stopping") co_await services.sessions->cut(std::move(facts), std::move(denied->code));
}

}  // namespace

// The tunnel is read last: whoever changes it from then on finds the session and asks about it.
asio::awaitable<Result<Answer>> open_tunnel_session(Services& services, Call call) {
  const auto& caller = call.caller;
  SP_CO_TRY(const auto known, co_await services.stores.api_tokens.find(caller.org, caller.token));
  SP_CO_TRY(const auto tunnel, co_await services.stores.tunnels.find(caller.org, call.id<TunnelId>("tunnel")));
  const auto facts = facts_of(caller, "tunnel:" + tunnel.id.value, call.peer, call.request_id);
  auto serve = given(services, call, tunnel, known.expires_at);
  if (!serve) {
    if (const auto reason = reason_of(serve.error(), tunnel); !reason.empty())
      co_await services.sessions->refused(facts, std::string(reason));
    co_return std::unexpected(std::move(serve).error());
  }
  auto held = [&services, facts, serve = *std::move(serve)](std::unique_ptr<ByteStream> stream) {
    return hold(services, facts, serve, std::move(stream));
  };
  co_return Answer{http::UpgradeResponse{std::string(tunnel::kSessionProtocol), {}, std::move(held), {}}};
}

}  // namespace sallyport::api
