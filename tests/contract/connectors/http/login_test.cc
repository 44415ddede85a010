// How a connection proves who it is.
#include "tests/contract/connectors/http/world.h"

#include "tests/support/canary.h"

#include <fmt/format.h>

#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::classes_of;
using test::HttpWorld;
using test::scripted;

namespace {

std::size_t asked_for(std::string_view end) {
  std::size_t count = 0;
  for (const auto& request : scripted().requests()) count += request.find("path")->as_string().ends_with(end) ? 1 : 0;
  return count;
}

struct Oauth2World {
  explicit Oauth2World(const std::string& more = "", const std::string& secret = "s3cret+of/the client")
      : world(
            fmt::format("url: \"{0}/api\", auth: {{type: oauth2, token_url: \"{0}/auth/token\", client_id: the client, "
                        "client_secret_file: \"{1}\"{2}}}",
                        scripted().url(), test::secret_file(dir, "secret", secret), more)) {}
  test::TempDir dir;
  HttpWorld world;
};

}  // namespace

TEST_CASE("basic authentication is sent with the first request", "[http][login]") {
  test::TempDir dir;
  const auto settings = [&](const std::string& password) {
    return fmt::format("url: \"{}\", auth: {{type: basic, user: us€r, password_file: \"{}\"}}", scripted().url(),
                       test::secret_file(dir, "password", password));
  };
  HttpWorld right(settings("pa:ss"));
  CHECK(classes_of(right.get("login")).empty());
  CHECK(scripted().requests().size() == 1);
  HttpWorld wrong(settings("pass"));
  CHECK(classes_of(wrong.get("login")) == "status:401 permission");
}

TEST_CASE("a secret that is missing or has a line break sends nothing", "[http][login]") {
  test::TempDir dir;
  HttpWorld missing(
      fmt::format("url: \"{}\", auth: {{type: bearer, token_file: \"{}\"}}", scripted().url(), dir.path("none")));
  const auto output = missing.get("echo");
  CHECK(classes_of(output) == "not_found");
  CHECK_FALSE(output.error().message.contains(dir.path()));
  HttpWorld broken(fmt::format("url: \"{}\", auth: {{type: bearer, token_file: \"{}\"}}", scripted().url(),
                               test::secret_file(dir, "token", "a\r\nX-Injected: 1")));
  CHECK(classes_of(broken.get("echo")) == "invalid");
  CHECK(scripted().requests().empty());
}

TEST_CASE("a token is asked for once and used until it ends", "[http][oauth2]") {
  scripted().control(R"({"token": 3600})");
  Oauth2World oauth2(", scopes: [read, write], audience: \"https://erp\"");
  for (int i = 0; i < 3; ++i) CHECK(classes_of(oauth2.world.get("guarded")).empty());
  CHECK(asked_for("/auth/token") == 1);
  CHECK(scripted().requests().front().find("body")->as_string() ==
        "grant_type=client_credentials&scope=read%20write&audience=https%3A%2F%2Ferp");
  Oauth2World in_body(", client_secret_in: body");
  CHECK(classes_of(in_body.world.get("guarded")).empty());
}

TEST_CASE("a token that ends soon is renewed before", "[http][oauth2]") {
  scripted().control(R"({"token": 0})");
  Oauth2World oauth2;
  for (int i = 0; i < 3; ++i) CHECK(classes_of(oauth2.world.get("guarded")).empty());
  CHECK(asked_for("/auth/token") == 3);
  scripted().control(R"({"token": 3600})");
}

TEST_CASE("a token that the server refuses is renewed once, and the body sent again", "[http][oauth2]") {
  Oauth2World oauth2;
  CHECK(classes_of(oauth2.world.get("guarded")).empty());
  CHECK(classes_of(oauth2.world.get("revoke")).empty());
  const auto body = oauth2.world.agent->bodies.put(std::string(100'000, 'x'));
  const auto output =
      oauth2.world.request(args({{"method", "POST"}, {"path", "guarded"}, {"body", Value(body)}, {"read_json", true}}));
  REQUIRE(output);
  CHECK(output->find("json")->find("size")->as_int() == 100'000);
  CHECK(asked_for("/auth/token") == 2);
  const auto refused = oauth2.world.request(args({{"path", "status"}, {"query", Value(args({{"code", 401}}))}}));
  CHECK(classes_of(refused) == "status:401 permission");
  CHECK(asked_for("/auth/token") == 3);
}

TEST_CASE("steps that need a token at the same time share one renewal", "[http][oauth2]") {
  Oauth2World oauth2;
  auto& world = oauth2.world;
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> steps;
    for (int i = 0; i < 4; ++i) {
      steps.emplace_back([&] {
        const std::stop_source stop;
        test::TempDir dir;
        test::SpoolBodies bodies(dir.path());
        const connectors::StepContext context{world.agent->job, "a",   1, "key", "api", world.agent->deadline(),
                                              stop.get_token(), bodies};
        if (world.action("http.request@1").run(context, Value(args({{"path", "guarded"}})))) ++good;
      });
    }
  }
  CHECK(good == 4);
  CHECK(asked_for("/auth/token") == 1);
}

TEST_CASE("a token endpoint that refuses or misbehaves is told as what it is", "[http][oauth2]") {
  Oauth2World wrong("", "another");
  const auto refused = wrong.world.get("guarded");
  CHECK(classes_of(refused) == "permission");
  CHECK(refused.error().message == "the token endpoint refused the connection's client credentials");
  CHECK(asked_for("/guarded") == 0);
  const auto at = [&](const std::string& token_url) {
    test::TempDir dir;
    HttpWorld world(fmt::format(
        "url: \"{}/api\", auth: {{type: oauth2, token_url: \"{}\", client_id: x, client_secret_file: \"{}\"}}",
        scripted().url(), token_url, test::secret_file(dir, "secret", "s")));
    return classes_of(world.request(args({{"method", "POST"}, {"path", "echo"}, {"text", "x"}})));
  };
  CHECK(at(scripted().url() + "/echo") == "format");
  CHECK(at(scripted().url() + "/drop") == "connection");
  CHECK(at("http://127.0.0.1:1/token") == "connection");
  CHECK(at("http://169.254.169.254/token") == "policy");
}

TEST_CASE("NTLM takes its turns, and the body goes with the last", "[http][login]") {
  test::TempDir dir;
  HttpWorld world(fmt::format("url: \"{}\", auth: {{type: ntlm, user: 'CORP\\erp-user', password_file: \"{}\"}}",
                              scripted().url(), test::secret_file(dir, "password", "p4ss")));
  const auto body = world.agent->bodies.put(std::string(100'000, 'x'));
  const auto output =
      world.request(args({{"method", "PUT"}, {"path", "ntlm"}, {"body", Value(body)}, {"read_json", true}}));
  REQUIRE(classes_of(output).empty());
  CHECK(output->find("json")->find("size")->as_int() == 100'000);
}

TEST_CASE("no error and no line of the log tells a secret, a parameter or what the server said", "[http][secrets]") {
  const test::Canary canary("c4n4ry" + std::to_string(::getpid()));
  test::TempDir dir;
  const auto file = test::secret_file(dir, "canary", canary.text());
  const Value value(canary.text());
  const auto with = [&](const std::string& url, const std::string& auth) {
    HttpWorld world(
        fmt::format("url: \"{}\", auth: {}, headers: [{{name: X-Key, value_file: \"{}\"}}]", url, auth, file));
    for (const char* path : {"status", "drop", "garbage", "cut", "redirect", "bad/{v}/{v}", "echo"}) {
      for (const char* method : {"GET", "POST"}) {
        ValueMap arguments = args(
            {{"method", method}, {"path", path}, {"query", Value(args({{"code", 500}, {"to", value}, {"n", 5}}))}});
        if (std::string_view(path).contains('{')) arguments.emplace(Value("params"), Value(args({{"v", value}})));
        arguments.emplace(Value("headers"), Value(args({{"X-Value", value}})));
        if (std::string_view(method) == "POST") arguments.emplace(Value("json"), value);
        const auto output = world.request(std::move(arguments));
        if (output) continue;
        CHECK(canary.forms_in(output.error().message).empty());
        CHECK_FALSE(output.error().message.contains("127.0.0.1"));
      }
    }
    CHECK(canary.forms_in(world.agent->logged()).empty());
  };
  const auto secret = [&](const char* type, const char* rest, const char* key) {
    return fmt::format("{{type: {}{}, {}_file: \"{}\"}}", type, rest, key, file);
  };
  for (const auto& url : {scripted().url() + "/api", std::string("http://127.0.0.1:1")}) {
    with(url, secret("bearer", "", "token"));
    with(url, secret("basic", ", user: u", "password"));
    with(url, secret("ntlm", ", user: u", "password"));
    with(url, secret("oauth2", fmt::format(", client_id: x, token_url: \"{}/token\"", url).c_str(), "client_secret"));
  }
}
