#include "relay/api/authenticator.h"

#include "relay/api/api_token.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr std::chrono::minutes kUsedPrecision{1};

std::optional<PresentedToken> token_of(const http::RequestHead& head) {
  const auto* header = head.headers.find("Authorization");
  if (header == nullptr || header->size() < kScheme.size() ||
      !http::equal_names(std::string_view(*header).substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  return parse_token(std::string_view(*header).substr(kScheme.size()));
}

Caller caller_of(const store::ApiTokenAndUser& found) {
  const auto& user = found.user;
  return {user.org,  user.id,       found.token.id,
          user.role, user.platform, found.token.scopes & domain::scopes_of(user.role, user.platform)};
}

}  // namespace

Authenticator::Authenticator(Services& services, BackOffTerms terms)
    : services_(services),
      back_off_(terms),
      failures_(services.metrics.counter("sallyport_api_auth_failures_total", "Requests without a valid API token.")),
      blocks_(
          services.metrics.counter("sallyport_api_auth_blocks_total", "Sources blocked for failed authentication.")) {}

asio::awaitable<std::expected<Caller, AuthFailure>> Authenticator::authenticate(const http::RequestHead& head) {
  // A good token is let in whoever else fails behind the same address.
  if (auto presented = token_of(head)) {
    auto caller = co_await verify(std::move(presented->id), std::move(presented->hash));
    if (caller || !std::holds_alternative<NotAuthenticated>(caller.error())) co_return caller;
  }
  const auto source = source_of(head.peer);
  if (const auto wait = back_off_.blocked_for(source, services_.clock.steady()))
    co_return std::unexpected(Blocked{*wait});
  const bool anonymous = head.headers.find("Authorization") == nullptr;
  if (!anonymous) co_await count_failure(source, head.request_id);
  co_return std::unexpected(NotAuthenticated{});
}

asio::awaitable<std::expected<Caller, AuthFailure>> Authenticator::verify(ApiTokenId id, Bytes hash) {
  const auto now = services_.clock.wall();
  auto found = co_await services_.stores.api_tokens.find_for_authentication(std::move(id));
  if (!found && found.error().code != Errc::not_found) co_return std::unexpected(found.error());
  // An unknown id is compared too, so that its answer takes as long.
  static const store::ApiToken kNobody{.secret_hash = Bytes(32), .revoked_at = WallTime()};
  if (!is_good(found ? found->token : kNobody, hash, now)) co_return std::unexpected(NotAuthenticated{});
  const auto& token = found->token;
  if (!token.last_used_at || now - *token.last_used_at >= kUsedPrecision) {
    co_await services_.stores.api_tokens.used(token.org, token.id, now);
  }
  co_return caller_of(*found);
}

asio::awaitable<bool> is_still_good(store::ApiTokens& tokens, ApiTokenId token, const Clock& clock) {
  const auto found = co_await tokens.find_for_authentication(std::move(token));
  if (!found) co_return found.error().code != Errc::not_found;
  co_return is_good(found->token, found->token.secret_hash, clock.wall());
}

asio::awaitable<void> Authenticator::count_failure(std::string source, std::string request_id) {
  failures_.add();
  services_.log.warn("auth.failed", {{"source", source}, {"request_id", request_id}});
  if (back_off_.failed(source, services_.clock.steady()) == Failure::counted) co_return;
  blocks_.add();
  AuditRecord record{.actor = "system",
                     .action = "auth.block",
                     .target = "source:" + source,
                     .outcome = AuditOutcome::refused,
                     .request_id = std::move(request_id)};
  const auto written = co_await services_.audit.record(store::system_ledger(), std::move(record));
  if (!written) services_.log.error("audit.failed", {{"reason", written.error().message}});
}

}  // namespace sallyport::api
