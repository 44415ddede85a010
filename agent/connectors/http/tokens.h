#pragma once

#include "agent/connectors/http/transfer.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>

namespace sallyport::connectors::http {

// What an OAuth 2.0 server has issued (RFC 6749 section 5.1).
struct IssuedToken {
  Secret value;
  std::chrono::seconds lifetime{0};
  Secret refresh{};  // empty: none
};

// Reads the answer of a token endpoint. Class "format" for what is none, or no bearer token.
StepResult<IssuedToken> parse_token(std::string_view answer);
// Whom an answer that refuses means (RFC 6749 section 5.2). Not every server says it in the words of the standard.
enum class Refusal {
  none,
  of_client,  // or of how it asks: no other code or refresh token would help
  of_grant,   // the code or the refresh token is none, or none any more
  unclear,    // as of_grant, but it may have been a proxy that said so
};
Refusal read_refusal(std::string_view answer);

// The access token of one connection, in memory only. Steps that need a new one at the same time share one renewal.
// Used by worker threads, hence the mutex; nothing blocking runs under it.
class Tokens {
 public:
  struct Held {
    Secret value;
    std::uint64_t number;  // tells it from those before
  };
  using Renew = std::function<StepResult<IssuedToken>()>;

  // A copy of one that lives for a while yet, else what `renew` gives, which one caller at a time is asked for.
  // `credentials` are those it was asked for with: a token of others is none.
  StepResult<Held> take(std::uint64_t credentials, const Renew& renew, const CallLimits& limits);
  void drop(std::uint64_t number);  // the server does not take it any more

 private:
  class Turn;
  bool is_good(std::uint64_t credentials, SteadyTime now) const;
  StepResult<Held> finish(StepResult<IssuedToken> issued, std::uint64_t credentials, SteadyTime began);

  std::mutex mutex_;
  std::condition_variable_any renewed_;
  bool renewing_ = false;
  std::uint64_t failures_ = 0;  // of renewals, counted, with the last one's error
  StepError failure_;
  Secret token_;
  SteadyTime good_until_{};
  std::uint64_t number_ = 0, credentials_ = 0;
};

}  // namespace sallyport::connectors::http
