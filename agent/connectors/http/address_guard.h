#pragma once

#include "agent/policy/http_rule.h"

#include <optional>

struct curl_sockaddr;

namespace sallyport::connectors::http {

// Judges each address that libcurl is about to connect to. After one that is not allowed there is no other.
class AddressGuard {
 public:
  enum class Way { direct, proxy };  // a proxy is where the operator said, and finds the server itself
  AddressGuard(const policy::HttpPolicy& policy, Way way) : policy_(policy), way_(way) {}

  // A socket for that address, or CURL_SOCKET_BAD.
  int open(const curl_sockaddr& address);
  const std::optional<policy::Refusal>& refusal() const { return refusal_; }

 private:
  const policy::HttpPolicy& policy_;
  Way way_;
  std::optional<policy::Refusal> refusal_;
};

}  // namespace sallyport::connectors::http
