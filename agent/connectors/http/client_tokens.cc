#include "agent/connectors/http/answers.h"
#include "agent/connectors/http/client.h"
#include "agent/connectors/http/client_lease.h"
#include "agent/connectors/http/login.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

namespace sallyport::connectors::http {

StepResult<Tokens::Held> Client::token(Lease& place, const policy::HttpOauth2& oauth2, const CallLimits& limits) {
  std::uint64_t credentials = site_.vault.version_of(oauth2.client_secret);
  if (oauth2.authorization && site_.refresh_tokens != nullptr)
    credentials ^= site_.refresh_tokens->authorization_of(name_);
  return tokens_.take(credentials, [&] { return renew(place, oauth2, limits); }, limits);
}

StepResult<IssuedToken> Client::renew(Lease& place, const policy::HttpOauth2& oauth2, const CallLimits& limits) {
  if (oauth2.authorization) return refresh(place, oauth2, limits);
  return ask(place, oauth2, client_credentials_form(oauth2), limits).issued;
}

Client::TokenAnswer Client::ask(Lease& place, const policy::HttpOauth2& oauth2, const Secret& form,
                                const CallLimits& limits) {
  const auto client_secret = secret(oauth2.client_secret);
  if (!client_secret) return {std::unexpected(client_secret.error())};
  const auto secrets = transfer_secrets();
  if (!secrets) return {std::unexpected(secrets.error())};
  auto asking = make_token_request(oauth2, *client_secret, form);
  asking.request.on_new_connection = oauth2.authorization.has_value();  // codes and refresh tokens are for one use
  const Expected expected;
  ShortAnswer answer(expected, kMostTokenAnswer);
  const auto exchange = tellable(place.transfer().perform(asking.request, *secrets, answer, limits));
  const int status = exchange.head.status();
  if (status >= 400 && status < 500) {
    return {step_fail("permission", "the token endpoint refused the connection's client credentials"),
            read_refusal(answer.text())};
  }
  if (exchange.error) return {step_in_context("asking for a token", *exchange.error)};
  if (!expected.holds(status)) return {step_fail("connection", "the token endpoint could not issue a token")};
  return {parse_token(answer.text())};
}

// What names a file of this machine goes to the agent's log.
StepError Client::untellable(Error error) const {
  return without_settings(site_.log, name_, "the refresh token", to_step_error(std::move(error)));
}

StepResult<vault::RefreshTokens::Held> Client::hold(const policy::HttpOauth2& oauth2, const CallLimits& limits) const {
  if (site_.refresh_tokens == nullptr) return step_fail("permission", "there is no place for refresh tokens here");
  auto held = site_.refresh_tokens->hold(
      {name_, oauth2.token_url.origin() + path_of(oauth2.token_url), oauth2.client_id}, limits.deadline, limits.stop);
  if (held) return *std::move(held);
  return std::unexpected(untellable(std::move(held).error()));
}

StepError Client::authorization_needed() {
  authorization_ended_ = true;
  return {{"permission"},
          fmt::format("authorization needed: nobody has authorized the connection {0}, or that has ended: run "
                      "`sallyport connection authorize {0} --agent AGENT`, or `sallyport-agent connection authorize "
                      "{0}` on the agent's machine",
                      name_),
          {}};
}

bool Client::needs_authorization() const {
  const auto* oauth2 = std::get_if<policy::HttpOauth2>(&settings_.auth);
  if (oauth2 == nullptr || !oauth2->authorization || site_.refresh_tokens == nullptr) return false;
  return authorization_ended_ || site_.refresh_tokens->authorization_of(name_) == 0;
}

// The next refresh token is on the disk before anything is done with the access token that came with it.
StepResult<IssuedToken> Client::refresh(Lease& place, const policy::HttpOauth2& oauth2, const CallLimits& limits) {
  SP_TRY(const auto held, hold(oauth2, limits));
  const auto present = held.read();
  if (!present && present.error().code == Errc::not_found) return std::unexpected(authorization_needed());
  if (!present) return std::unexpected(untellable(present.error()));
  auto answer = ask(place, oauth2, refresh_form(*present), limits);
  if (answer.refusal != Refusal::none) return refused(held, std::move(answer));
  if (!answer.issued) return std::move(answer.issued);
  if (!answer.issued->refresh.empty()) {
    if (auto kept = held.replace(answer.issued->refresh); !kept)
      return std::unexpected(untellable(std::move(kept).error()));
  }
  authorization_ended_ = false;
  return std::move(answer.issued);
}

// A token that has ended for sure is not shown again.
StepResult<IssuedToken> Client::refused(const vault::RefreshTokens::Held& held, TokenAnswer answer) {
  if (answer.refusal == Refusal::of_client) return std::move(answer.issued);
  site_.log.warn("connection.authorization_ended", {{"connection", name_}});
  if (answer.refusal == Refusal::of_grant) {
    if (auto forgotten = held.forget(); !forgotten) return std::unexpected(untellable(std::move(forgotten).error()));
  }
  return std::unexpected(authorization_needed());
}

StepResult<void> Client::redeem(const Secret& code, const PendingAuthorization& pending, const CallLimits& limits) {
  SP_TRY(const auto* policy, check_way());
  const auto& oauth2 = std::get<policy::HttpOauth2>(settings_.auth);
  if (!oauth2.authorization) return step_fail("invalid", "the connection takes no authorization");
  SP_TRY(const auto held, hold(oauth2, limits));
  SP_TRY(auto place, lease(*policy, limits));
  auto answer = ask(place, oauth2, code_form(*oauth2.authorization, code, pending.verifier), limits);
  if (answer.refusal == Refusal::of_grant || answer.refusal == Refusal::unclear)
    return step_fail("permission",
                     "the token endpoint did not take the code: it is old, was used, or is of another authorization; "
                     "begin again");
  if (!answer.issued) return std::unexpected(std::move(answer.issued).error());
  if (answer.issued->refresh.empty())
    return step_fail("invalid",
                     "the token endpoint issued no refresh token: ask for one by the `scopes` of the connection (often "
                     "offline_access), or allow it for the client");
  if (auto kept = held.begin(answer.issued->refresh); !kept)
    return std::unexpected(untellable(std::move(kept).error()));
  site_.log.info("connection.authorized", {{"connection", name_}});
  return {};
}

}  // namespace sallyport::connectors::http
