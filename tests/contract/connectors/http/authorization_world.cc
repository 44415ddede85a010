#include "tests/contract/connectors/http/authorization_world.h"

#include "agent/connectors/http/http_actions.h"

#include <fmt/format.h>

#include <filesystem>

namespace sallyport::test {
namespace {

std::string settings_of(const TempDir& dir, const std::string& more, const std::string& client) {
  const auto& server = authorization_server();
  const auto secret = client == "sallyport" ? fmt::format(", client_secret_file: \"{}\"",
                                                          secret_file(dir, "client.secret", "s3cret-of-the-client"))
                                            : "";
  return fmt::format(
      "url: \"{}/api\", auth: {{type: oauth2, grant: authorization_code, authorization_url: \"{}/auth\", token_url: "
      "\"{}/token\", client_id: {}{}, scopes: [orders], redirect_url: "
      "\"https://relay.example.com/oauth2/callback\"{}}}",
      server.api(), server.issuer(), server.issuer(), client, secret, more);
}

}  // namespace

AuthorizationServer::AuthorizationServer()
    : process_({"/usr/bin/python3", std::filesystem::absolute("tests/support/authorization_server.py"), dir_.path()},
               dir_.path("server.log")) {
  process_.wait_until([this] { return dir_.has("port"); });
}

std::string AuthorizationServer::browse(const std::string& url) const {
  return output_of(fmt::format("curl -sG --noproxy '*' --data-urlencode 'url={}' {}/browse", url, api()));
}

AuthorizationServer& authorization_server() {
  static AuthorizationServer server;
  return server;
}

AuthorizedWorld::AuthorizedWorld(const std::string& more, const std::string& client)
    : world(settings_of(dir, more, client)), authorizer(world.agent->site()) {
  secret_file(world.agent->dir, "local.key", std::string(32, 'k'));
}

connectors::StepResult<void> AuthorizedWorld::finish(const connectors::http::PendingAuthorization& pending,
                                                     const std::string& address) const {
  const auto answer = connectors::http::parse_authorization_answer(address);
  if (!answer) return std::unexpected(answer.error());
  const auto site = world.agent->site();
  return authorizer.finish("api", pending, *answer, {site.clock, world.agent->deadline(), {}});
}

connectors::StepResult<void> AuthorizedWorld::authorize() const {
  const auto pending = begin();
  if (!pending) return std::unexpected(pending.error());
  return finish(*pending, authorization_server().browse(pending->url));
}

std::unique_ptr<connectors::Action> AuthorizedWorld::restarted() const {
  return std::move(connectors::http::make_actions(world.agent->site()).front());
}

std::string AuthorizedWorld::classes_after_restart() const {
  return classes_of(world.agent->run(*restarted(), args({{"path", "guarded"}}), "api"));
}

}  // namespace sallyport::test
