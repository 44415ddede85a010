#include "tests/unit/relay/api/world.h"
#include "tests/unit/shared/http/https_client.h"
#include "tests/unit/shared/http/running_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>

#include <fmt/format.h>

// The API as a client meets it: real TLS, real HTTP, real store.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

// The server needs its handler before the loop exists that the handler's world lives on.
class LateHandler final : public http::Handler {
 public:
  asio::awaitable<http::Admission> admit(const http::RequestHead& head) override { return target->admit(head); }
  http::Handler* target = nullptr;
};

struct Site {
  Site() : server(handler), world(server.loop().get_executor()) {
    handler.target = &world.api;
    tenant = on_loop(world.settle("acme"));
    targets = on_loop(world.make_targets(tenant));
  }
  ~Site() {
    server.ask_to_stop();
    server.join();
  }

  template <class T>
  T on_loop(asio::awaitable<T> work) {
    return asio::co_spawn(server.loop(), std::move(work), asio::use_future).get();
  }

  LateHandler handler;
  RunningServer server;
  World world;
  Tenant tenant;
  Targets targets;
};

std::string request(std::string_view method, std::string_view target, std::string_view token,
                    std::string_view body = {}, std::string_view more = {}) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: relay.test\r\n{}", method, target, more);
  if (!token.empty()) out += fmt::format("Authorization: Bearer {}\r\n", token);
  if (!body.empty()) out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  return fmt::format("{}\r\n{}", out, body);
}

}  // namespace

TEST_CASE("a session of calls over one connection", "[api][https]") {
  Site site;
  HttpsClient client(site.server.port());
  const auto editor = site.tenant.token(Role::editor);
  client.send(request("GET", "/v1/whoami", editor));
  CHECK(status_of(client.receive()) == 200);
  client.send(request("POST", "/v1/groups", editor, R"({"name":"dc2"})", "X-Request-Id: mine-7\r\n"));
  const auto made = client.receive();
  CHECK(status_of(made) == 201);
  CHECK(header_of(made, "X-Request-Id") == "mine-7");
  CHECK(header_of(made, "Cache-Control") == "no-store");
  CHECK(site.world.news().back().event.find("request_id")->as_string() == "mine-7");
  client.send(request("GET", "/v1/groups?name=dc2", editor));
  CHECK(body_of(client.receive()).find("\"name\":\"dc2\"") != std::string::npos);
  client.send(request("HEAD", "/v1/groups", editor) + request("GET", "/livez", ""));
  CHECK(status_of(client.receive_until("\r\n\r\n")) == 200);
  CHECK(body_of(client.receive()) == "ok\n");
}

TEST_CASE("who may not call sends no body for nothing", "[api][https]") {
  Site site;
  const std::string announced = "Content-Type: application/json\r\nContent-Length: 60000\r\nExpect: 100-continue\r\n";
  const auto answer_to = [&](std::string_view token, std::string_view length) {
    HttpsClient client(site.server.port());
    client.send(request("POST", "/v1/groups", token, {}, length));
    return status_of(client.receive_until("\r\n\r\n"));
  };
  CHECK(answer_to("", announced) == 401);
  CHECK(answer_to(site.tenant.token(Role::viewer), announced) == 403);
  CHECK(answer_to(site.tenant.token(Role::editor), announced) == 100);
  CHECK(answer_to(site.tenant.token(Role::editor), "Content-Type: application/json\r\nContent-Length: 104857600\r\n") ==
        413);
}

TEST_CASE("each route has its own limit of body", "[api][https]") {
  Site site;
  HttpsClient client(site.server.port());
  const auto editor = site.tenant.token(Role::editor);
  const auto long_yaml = fmt::format(R"({{"yaml":"{}"}})", std::string(200'000, '#'));
  client.send(request("POST", "/v1/recipes/validate", editor, long_yaml));
  CHECK(status_of(client.receive()) == 422);
  client.send(request("POST", "/v1/groups", editor, long_yaml));
  CHECK(status_of(client.receive()) == 413);
}

TEST_CASE("a job is watched live over HTTPS and the view resumes", "[api][https][watch]") {
  Site site;
  const auto viewer = site.tenant.token(Role::viewer);
  const auto place = "/v1/jobs/" + site.targets.job.value;
  HttpsClient watcher(site.server.port());
  watcher.send(request("GET", place + "/watch", viewer));
  const auto head = watcher.receive_until("\r\n\r\n");
  CHECK(status_of(head) == 200);
  CHECK(header_of(head, "Content-Type").starts_with("text/event-stream"));
  CHECK(watcher.receive_until("\n\n").find("\"state\":\"queued\"") != std::string::npos);

  HttpsClient other(site.server.port());
  other.send(request("POST", place + "/cancel", site.tenant.token(Role::editor)));
  CHECK(status_of(other.receive()) == 202);
  const auto told = watcher.receive_until("event: end");
  CHECK(told.find("\"state\":\"cancelled\"") != std::string::npos);
  CHECK(watcher.receive_until("\r\n0\r\n\r\n").ends_with("0\r\n\r\n"));

  HttpsClient resumed(site.server.port());
  resumed.send(request("GET", place + "/watch", viewer, {}, "Last-Event-ID: 0\r\n"));
  CHECK(resumed.receive_until("event: end").find("event: job\n") != std::string::npos);
}

TEST_CASE("a foreign watcher is told the job does not exist", "[api][https][watch]") {
  Site site;
  const auto stranger = site.on_loop(site.world.settle("stranger")).token(Role::owner);
  HttpsClient client(site.server.port());
  client.send(request("GET", "/v1/jobs/" + site.targets.job.value + "/watch", stranger));
  CHECK(status_of(client.receive()) == 404);
}

TEST_CASE("tokens and bodies stay out of the log", "[api][https]") {
  Site site;
  HttpsClient client(site.server.port());
  const auto owner = site.tenant.token(Role::owner);
  client.send(request("POST", "/v1/tokens", owner, R"({"name":"body-canary"})"));
  const auto secret = body_of(client.receive());
  client.send(request("GET", "/v1/jobs?cursor=query-canary", owner));
  client.receive();
  const auto log = site.server.log() + site.world.sink.text;
  for (const std::string_view hidden : {"body-canary", "query-canary", "spt_", "Bearer"}) {
    INFO(hidden);
    CHECK(log.find(hidden) == std::string::npos);
  }
  CHECK(secret.find("spt_") != std::string::npos);
}
