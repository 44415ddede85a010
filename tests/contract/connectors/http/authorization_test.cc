// A person authorizes a connection at a real authorization server (RFC 6749 section 4.1, RFC 7636, RFC 9207, RFC 9700).
#include "tests/contract/connectors/http/authorization_world.h"

#include "agent/connectors/http/http_connection_test.h"
#include "tests/support/full_disk.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors::http;
using test::authorization_server;
using test::AuthorizedWorld;
using test::classes_of;

namespace {

std::string value_in(const std::string& address, const std::string& name) {
  const auto at = address.find(name + "=");
  return at == std::string::npos ? ""
                                 : address.substr(at + name.size() + 1, address.find('&', at) - at - name.size() - 1);
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

void put_back(const AuthorizedWorld& agent, const std::string& content) {
  test::secret_file(agent.world.agent->dir, "refresh-token-api", content);
}

std::string classes_of(const connectors::StepResult<void>& done) { return done ? "" : done.error().error_class(); }

}  // namespace

TEST_CASE("steps use what a person has authorized with a browser", "[http][authorization]") {
  for (const char* client : {"sallyport", "public"}) {
    INFO(client);
    AuthorizedWorld agent("", client);
    const auto before = agent.get();
    CHECK(classes_of(before) == "permission");
    CHECK(before.error().message.contains("sallyport connection authorize api"));
    REQUIRE(classes_of(agent.authorize()).empty());
    CHECK(classes_of(agent.get()).empty());
    CHECK(agent.classes_after_restart().empty());
  }
}

TEST_CASE("a refresh token is sealed on the disk, and each use leaves the next one there", "[http][authorization]") {
  AuthorizedWorld agent;
  REQUIRE(agent.authorize());
  const auto first = agent.state();
  CHECK(agent.get());
  CHECK(agent.state() != first);
  const auto second = agent.state();
  CHECK(agent.get());  // with the access token in memory
  CHECK(agent.state() == second);
  test::secret_file(agent.world.agent->dir, "local.key", std::string(32, 'x'));
  CHECK(agent.classes_after_restart() == "permission");
  test::secret_file(agent.world.agent->dir, "local.key", std::string(32, 'k'));
  CHECK(agent.classes_after_restart().empty());
}

TEST_CASE("an access token is not used when the next refresh token could not be kept", "[http][authorization]") {
  AuthorizedWorld agent;
  REQUIRE(agent.authorize());
  {
    const test::FullDisk full(0);
    CHECK_FALSE(agent.get());
  }
  CHECK(classes_of(agent.get()) == "permission");  // the server has taken the one that is on the disk for used
}

TEST_CASE("a refresh token that was used twice ends the authorization, and that is told", "[http][authorization]") {
  AuthorizedWorld agent;
  REQUIRE(agent.authorize());
  const auto stolen = agent.state();
  CHECK(agent.get());
  const auto next = agent.state();
  put_back(agent, stolen);
  CHECK(agent.classes_after_restart() == "permission");
  CHECK(agent.world.agent->logged().contains("connection.authorization_ended"));
  put_back(agent, next);
  CHECK(agent.classes_after_restart() == "permission");
  CHECK(agent.authorize());
  CHECK(agent.classes_after_restart().empty());
}

TEST_CASE("those who need a token at the same time take turns with the refresh token", "[http][authorization]") {
  AuthorizedWorld agent;
  REQUIRE(agent.authorize());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> processes;
    for (int i = 0; i < 4; ++i) {
      processes.emplace_back([&] { good += agent.classes_after_restart().empty() ? 1 : 0; });
    }
  }
  CHECK(good == 4);
}

TEST_CASE("an answer of another authorization is refused before the server is asked", "[http][authorization]") {
  AuthorizedWorld agent;
  const auto first = agent.begin();
  const auto second = agent.begin();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->state != second->state);
  const auto address = authorization_server().browse(first->url);
  CHECK(classes_of(agent.finish(*second, address)) == "invalid");
  CHECK(classes_of(agent.finish(*first, "https://relay.example.com/oauth2/callback?code=x")) == "invalid");
  CHECK(classes_of(agent.finish(*first, address + "&code=twice")) == "invalid");
  CHECK(classes_of(agent.finish(*first, address)).empty());
}

TEST_CASE("a code of another authorization is worth nothing, nor is one that was used", "[http][authorization]") {
  AuthorizedWorld agent;
  const auto ours = agent.begin();
  const auto theirs = agent.begin();
  const auto injected = replaced(authorization_server().browse(theirs->url), theirs->state, ours->state);
  CHECK(classes_of(agent.finish(*ours, injected)) == "permission");
  CHECK(agent.get().error().error_class() == "permission");
  const auto address = authorization_server().browse(ours->url);
  CHECK(classes_of(agent.finish(*ours, address)).empty());
  CHECK(classes_of(agent.finish(*ours, address)) == "permission");
}

TEST_CASE("the server of these tests gives no code without PKCE", "[http][authorization]") {
  AuthorizedWorld agent;
  const auto pending = agent.begin();
  const auto without = replaced(replaced(pending->url, "&code_challenge_method=S256", ""),
                                "&code_challenge=" + value_in(pending->url, "code_challenge"), "");
  const auto refused = agent.finish(*pending, authorization_server().browse(without));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "the authorization server gave no authorization (invalid_request)");
}

TEST_CASE("an answer needs the issuer that the operator names", "[http][authorization]") {
  AuthorizedWorld agent(fmt::format(", issuer: \"{}\"", authorization_server().issuer()));
  const auto pending = agent.begin();
  const auto address = authorization_server().browse(pending->url);
  CHECK(classes_of(agent.finish(*pending, replaced(address, "iss=", "was="))) == "invalid");
  CHECK(classes_of(agent.finish(*pending, address)).empty());
  AuthorizedWorld other(", issuer: \"https://login.example.com\"");
  CHECK(classes_of(other.authorize()) == "invalid");
}

TEST_CASE("a server that issues no refresh token is told of", "[http][authorization]") {
  AuthorizedWorld agent;
  const auto with = [&](const std::string& token_url) {
    test::TempDir dir;
    test::HttpWorld world(
        fmt::format("url: \"{0}/api\", auth: {{type: oauth2, grant: authorization_code, "
                    "authorization_url: \"{0}/auth\", token_url: \"{0}/{1}\", client_id: x, "
                    "redirect_url: \"https://relay.example.com/cb\"}}",
                    test::scripted().url(), token_url));
    test::secret_file(world.agent->dir, "local.key", std::string(32, 'k'));
    const Authorizer authorizer(world.agent->site());
    const auto pending = authorizer.begin("api");
    const auto site = world.agent->site();
    return authorizer
        .finish("api", *pending, {.code = "c", .state = pending->state, .issuer = "", .error = ""},
                {site.clock, world.agent->deadline(), {}})
        .error()
        .error_class();
  };
  CHECK(with("forgetful") == "invalid");
  CHECK(with("invalid_grant/denied") == "permission");
  CHECK(with("invalid_client/denied") == "permission");
  CHECK(with("drop") == "connection");
  CHECK(with("echo") == "format");
}

TEST_CASE("the test of a connection says that somebody has to authorize it", "[http][authorization]") {
  AuthorizedWorld agent;
  const auto site = agent.world.agent->site();
  const auto look = [&] {
    const auto findings =
        make_http_connection_test(site)->run(site.connections.at("api"), agent.world.agent->deadline());
    return findings.back();
  };
  CHECK(look().verdict == findings::Verdict::bad);
  CHECK(look().advice.contains("sallyport connection authorize api"));
  REQUIRE(agent.authorize());
  CHECK_FALSE(look().text.contains("authorization needed"));
}

TEST_CASE("nothing of an authorization is in the log", "[http][authorization][secrets]") {
  AuthorizedWorld agent;
  const auto pending = agent.begin();
  const auto address = authorization_server().browse(pending->url);
  CHECK(agent.finish(*pending, address));
  CHECK(agent.get());
  const auto logged = agent.world.agent->logged();
  CHECK(logged.contains("connection.authorized"));
  CHECK_FALSE(logged.contains(value_in(address, "code")));
  CHECK_FALSE(logged.contains(pending->state));
  CHECK_FALSE(logged.contains(pending->verifier.reveal()));
}
