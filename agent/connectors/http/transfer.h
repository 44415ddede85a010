#pragma once

#include "agent/connectors/http/answer_head.h"
#include "agent/connectors/http/request_body.h"
#include "agent/connectors/site.h"
#include "agent/policy/http_connection.h"
#include "agent/policy/http_rule.h"
#include "shared/base/clock.h"
#include "shared/base/secret.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sallyport::connectors::http {

struct CallLimits {
  const Clock& clock;
  SteadyTime deadline;
  std::stop_token stop;
};

// Takes what comes. A refusal ends the transfer with that error.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void begin() = 0;  // a new answer: what came before does not count
  virtual StepResult<void> take(const AnswerHead& head, std::span<const std::byte> bytes) = 0;
};

// The secrets that a transfer takes besides those in its headers.
struct TransferSecrets {
  Secret user_password;  // of NTLM
  Secret client_key;
  Secret proxy_password;
};

struct Request {
  std::string method;
  std::string url;
  std::vector<Secret> headers;     // whole lines
  RequestBody* body = nullptr;     // may be sent again from its start
  bool on_new_connection = false;  // libcurl sends it once at the most: on one that was used it might try again
  bool log_in = true;              // by NTLM or Negotiate, where the connection says so
};

// How far one request came.
struct Exchange {
  AnswerHead head;
  bool sent = false;               // the server may have something of it
  std::optional<StepError> error;  // without settings
  std::optional<StepError> fault;  // with settings: for the agent's log
};

// A place at one server: keeps its TCP connection for the next request. For one thread at a time. Each address that is
// to be connected to is judged by `policy` at that very moment, so that no second look-up of a name comes between.
class Transfer {
 public:
  Transfer(const policy::HttpConnection& settings, const policy::HttpPolicy& policy);  // both outlive it
  ~Transfer();

  // Blocks; ends with the deadline or at once with the stop, also while a name is looked up.
  Exchange perform(const Request& request, const TransferSecrets& secrets, AnswerSink& sink, const CallLimits& limits);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::connectors::http
