#pragma once

#include "agent/connectors/http/authorizer.h"
#include "tests/contract/connectors/http/world.h"

namespace sallyport::test {

// tests/support/authorization_server.py, one for the test program.
class AuthorizationServer {
 public:
  AuthorizationServer();
  std::string api() const { return "http://127.0.0.1:" + dir_.read("port"); }
  std::string issuer() const { return "http://127.0.0.1:" + dir_.read("server") + "/api/oidc"; }
  // Where a browser that is logged in there is sent back to.
  std::string browse(const std::string& url) const;

 private:
  TempDir dir_;
  RunningServer process_;
};
AuthorizationServer& authorization_server();

// An agent with one connection "api", which a person has to authorize.
struct AuthorizedWorld {
  // `more` are members of `auth`.
  explicit AuthorizedWorld(const std::string& more = "", const std::string& client = "sallyport");

  connectors::StepResult<connectors::http::PendingAuthorization> begin() const { return authorizer.begin("api"); }
  connectors::StepResult<void> finish(const connectors::http::PendingAuthorization& pending,
                                      const std::string& address) const;
  connectors::StepResult<void> authorize() const;
  connectors::StepResult<Value> get() { return world.get("guarded"); }
  std::string state(std::string_view file = "refresh-token-api") const { return world.agent->dir.read(file); }
  // An agent that starts anew on the same files.
  std::unique_ptr<connectors::Action> restarted() const;
  std::string classes_after_restart() const;

  TempDir dir;
  HttpWorld world;
  connectors::http::Authorizer authorizer;
};

}  // namespace sallyport::test
