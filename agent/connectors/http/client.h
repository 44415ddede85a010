#pragma once

#include "agent/connectors/http/authorization.h"
#include "agent/connectors/http/target.h"
#include "agent/connectors/http/tokens.h"
#include "agent/connectors/http/transfer.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sallyport::connectors::http {

enum class Sending { repeatable, once };  // once: a second request could have a second effect

struct Call {
  std::string method;
  Target target;
  std::vector<Secret> headers;  // of the step: whole lines
  RequestBody* body = nullptr;
  Sending sending = Sending::repeatable;
};

// One connection of kind "http": its policy, its logins, and at most `concurrency` requests at the same time. Used by
// worker threads, hence the mutex; nothing blocking runs under it.
class Client {
 public:
  Client(const Site& site, const policy::Connection& connection);

  // The answer to a call, after redirects that the policy lets follow and, where a token was refused, a second try with
  // a fresh one. Class "policy" before anything is sent, also for the place of a redirect. The head and `sent` are
  // those of the last request; an error names no setting.
  Exchange perform(Call call, AnswerSink& sink, const CallLimits& limits);
  // A HEAD of the connection's `url`, whether or not the policy lets steps ask for it, to see how far one comes. Its
  // fault is told: for the operator.
  Exchange probe(const CallLimits& limits);
  // Of a connection with an authorization code: trades the code for a refresh token, which is kept in place of the one
  // before.
  StepResult<void> redeem(const Secret& code, const PendingAuthorization& pending, const CallLimits& limits);
  // Of such a one: nobody has authorized it yet, or that has ended.
  bool needs_authorization() const;
  const policy::HttpConnection& settings() const { return settings_; }

 private:
  class Lease;
  StepResult<const policy::HttpPolicy*> check_way() const;
  StepResult<void> check_request(const policy::HttpPolicy& policy, const Call& call) const;
  StepResult<Lease> lease(const policy::HttpPolicy& policy, const CallLimits& limits);
  Exchange send(Lease& place, const Call& call, AnswerSink& sink, const CallLimits& limits);
  Exchange log_in_and_send(Lease& place, const Call& call, AnswerSink& sink, const CallLimits& limits);
  StepResult<std::vector<Secret>> headers_of(const Call& call) const;
  StepResult<TransferSecrets> transfer_secrets() const;
  StepResult<Tokens::Held> token(Lease& place, const policy::HttpOauth2& oauth2, const CallLimits& limits);
  StepResult<IssuedToken> renew(Lease& place, const policy::HttpOauth2& oauth2, const CallLimits& limits);
  StepResult<IssuedToken> refresh(Lease& place, const policy::HttpOauth2& oauth2, const CallLimits& limits);
  struct TokenAnswer {
    StepResult<IssuedToken> issued;
    Refusal refusal = Refusal::none;
  };
  TokenAnswer ask(Lease& place, const policy::HttpOauth2& oauth2, const Secret& form, const CallLimits& limits);
  StepResult<vault::RefreshTokens::Held> hold(const policy::HttpOauth2& oauth2, const CallLimits& limits) const;
  StepError authorization_needed();
  StepResult<IssuedToken> refused(const vault::RefreshTokens::Held& held, TokenAnswer answer);
  StepError untellable(Error error) const;
  StepResult<Secret> secret(const vault::SecretRef& ref) const;
  Exchange tellable(Exchange exchange) const;
  void give_back(std::unique_ptr<Transfer> transfer);

  Site site_;
  const std::string name_;
  const policy::HttpConnection& settings_;
  Tokens tokens_;
  std::atomic<bool> authorization_ended_ = false;  // as far as the last refresh tells
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<Transfer>> idle_;
  std::uint32_t busy_ = 0;
};

// The clients of all connections of kind "http". Built once; outlives the actions.
class Clients {
 public:
  explicit Clients(const Site& site);
  Client* find(std::string_view connection) const;

 private:
  std::map<std::string, std::unique_ptr<Client>, std::less<>> clients_;
};

}  // namespace sallyport::connectors::http
