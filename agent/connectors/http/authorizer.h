#pragma once

#include "agent/connectors/http/authorization.h"
#include "agent/connectors/http/transfer.h"
#include "agent/connectors/site.h"

#include <string_view>

namespace sallyport::connectors::http {

// A person authorizes a connection with a browser. What the site names outlives it; thread-safe.
class Authorizer {
 public:
  explicit Authorizer(Site site) : site_(site) {}

  // Sends nothing. Class "not_found" or "invalid" when there is no connection of this name that takes an authorization.
  StepResult<PendingAuthorization> begin(std::string_view connection) const;
  // With what the browser was sent back with: trades the code at the token endpoint, and keeps the refresh token.
  // Blocks. Classes as of a step; no message holds a setting or what the server said.
  StepResult<void> finish(std::string_view connection, const PendingAuthorization& pending,
                          const AuthorizationAnswer& answer, const CallLimits& limits) const;

 private:
  Site site_;
};

}  // namespace sallyport::connectors::http
