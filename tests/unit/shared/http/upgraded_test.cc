#include "tests/unit/shared/http/served.h"

#include <catch2/catch.hpp>

// Connections that become something else.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

TEST_CASE("a request that asks for it becomes something else", "[http][server][upgrade]") {
  Fixture run({.idle = 200ms, .head = 200ms, .request = 300ms});
  HttpsClient client(run.server.port());
  client.send(echo_request());
  const auto head = client.receive_until("\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(header_of(head, "Upgrade") == "echo/1");
  CHECK(header_of(head, "Connection") == "Upgrade");
  CHECK(header_of(head, "Content-Length").empty());
  CHECK(run.server.metrics().find("sallyport_http_upgraded 1") != std::string::npos);
  std::this_thread::sleep_for(500ms);  // longer than any limit of requests
  client.send("GET / HTTP/1.1\r\n\r\n");
  CHECK(client.receive_until("\r\n\r\n") == "GET / HTTP/1.1\r\n\r\n");
  client.send("end.");
  CHECK(client.receive_until(".") == "end.");
  CHECK(client.closed());
  REQUIRE(eventually([&] { return run.server.log().find("http.upgrade_ended") != std::string::npos; }));
  const auto log = run.server.log();
  CHECK(log.find("\"status\":101") < log.find("http.upgrade_ended"));
  CHECK(log.find("\"received\":22,\"sent\":22") != std::string::npos);
  CHECK(run.server.metrics().find("sallyport_http_upgraded 0") != std::string::npos);
}

TEST_CASE("what came behind the request comes first, wherever it was cut", "[http][server][upgrade]") {
  Fixture run;
  const auto wire = echo_request() + "early and more.";
  for (std::size_t cut = wire.size() - 18; cut <= wire.size(); ++cut) {
    INFO("cut after byte " << cut);
    HttpsClient client(run.server.port());
    client.send(wire.substr(0, cut));
    if (cut < wire.size()) client.send(wire.substr(cut));
    client.receive_until("\r\n\r\n");
    CHECK(client.receive_until(".") == "early and more.");
  }
}

TEST_CASE("who does not ask for it is told how, and nothing behind it is read", "[http][server][upgrade]") {
  const std::vector<std::string> unfit{
      get("/become"),
      get("/become", "Upgrade: echo/1\r\n"),
      get("/become", "Connection: upgrade\r\n"),
      get("/become", "Connection: upgrade\r\nUpgrade: echo/2\r\n"),
      get("/become", "Connection: upgrade\r\nUpgrade: echo\r\n"),
      get("/become", "Connection: upgrade\r\nUpgrade: echo/1\r\nContent-Length: 0\r\n"),
      get("/become", "Connection: upgrade\r\nUpgrade: echo/1\r\nExpect: 100-continue\r\n"),
      get("/become", "Connection: upgrade\r\nUpgrade: echo/1\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
      get("/become", "Connection: upgrade\r\nUpgrade: echo/1\r\nContent-Length: 3\r\n") + "abc",
      post("/become", "", "Connection: upgrade\r\nUpgrade: echo/1\r\n")};
  Fixture run;
  for (const auto& request : unfit) {
    INFO(request);
    HttpsClient client(run.server.port());
    client.send(request);
    const auto answer = client.receive();
    CHECK(status_of(answer) == 426);
    CHECK(header_of(answer, "Upgrade") == "echo/1");
    CHECK(answer.find("upgrade_required") != std::string::npos);
  }
  HttpsClient smuggler(run.server.port());
  smuggler.send(get("/become", "Connection: upgrade\r\nUpgrade: other/1\r\n") + get("/smuggled"));
  CHECK(status_of(smuggler.receive()) == 426);
  CHECK(smuggler.closed());
  HttpsClient refused(run.server.port());
  refused.send(get("/refused", "Connection: upgrade\r\nUpgrade: echo/1\r\n") + get("/smuggled"));
  CHECK(status_of(refused.receive()) == 401);
  CHECK(refused.closed());
  HttpsClient elsewhere(run.server.port());
  elsewhere.send(get("/a", "Connection: upgrade\r\nUpgrade: h2c\r\n") + get("/smuggled"));
  CHECK(status_of(elsewhere.receive()) == 200);
  CHECK(elsewhere.closed());
  CHECK(run.server.log().find("/smuggled") == std::string::npos);
}

TEST_CASE("an upgraded connection has a place, and is not one that loiters", "[http][server][upgrade]") {
  Fixture run({.max_connections = 1});
  HttpsClient client(run.server.port());
  client.send(echo_request());
  client.receive_until("\r\n\r\n");
  std::this_thread::sleep_for(2200ms);  // what others may take before they make room
  CHECK_FALSE(HttpsClient(run.server.port()).connected());
  client.send("here.");
  CHECK(client.receive_until(".") == "here.");
}

TEST_CASE("what connections become takes half of the places, and requests find the others", "[http][server][upgrade]") {
  Fixture run({.max_connections = 6});
  std::vector<std::unique_ptr<HttpsClient>> kept;
  for (int i = 0; i < 3; ++i) {
    kept.push_back(std::make_unique<HttpsClient>(run.server.port()));
    kept.back()->send(echo_request());
    CHECK(status_of(kept.back()->receive_until("\r\n\r\n")) == 101);
  }
  for (int i = 0; i < 2; ++i) {
    HttpsClient refused(run.server.port());
    refused.send(echo_request());
    const auto answer = refused.receive();
    CHECK(status_of(answer) == 503);
    CHECK(header_of(answer, "Retry-After") == "10");
    CHECK(header_of(answer, "Content-Type") == "application/problem+json");
    CHECK(refused.closed());
  }
  HttpsClient other(run.server.port());
  other.send(get("/a"));
  CHECK(status_of(other.receive()) == 200);
  kept.front()->send("end.");
  CHECK(kept.front()->receive_until(".") == "end.");
  CHECK(kept.front()->closed());
  HttpsClient next(run.server.port());
  next.send(echo_request());
  CHECK(status_of(next.receive_until("\r\n\r\n")) == 101);
}

TEST_CASE("a fault in what a connection became ends it alone", "[http][server][upgrade]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send(get("/broken", "Connection: upgrade\r\nUpgrade: echo/1\r\n"));
  CHECK(status_of(client.receive_until("\r\n\r\n")) == 101);
  CHECK(client.closed());
  CHECK(eventually([&] { return run.server.log().find("http.handler_failed") != std::string::npos; }));
  HttpsClient next(run.server.port());
  next.send(get("/a"));
  CHECK(status_of(next.receive()) == 200);
}

TEST_CASE("stop cuts what a connection became after the drain", "[http][server][upgrade][stop]") {
  Fixture run({.drain = 50ms});
  HttpsClient client(run.server.port());
  client.send(echo_request());
  client.receive_until("\r\n\r\n");
  run.server.ask_to_stop();
  run.server.join();
  CHECK(client.closed());
  CHECK(run.server.log().find("\"cut_connections\":1") != std::string::npos);
  CHECK(run.server.log().find("http.upgrade_ended") != std::string::npos);
}

TEST_CASE("what a connection became may have longer than requests when the server stops",
          "[http][server][upgrade][stop]") {
  Fixture run({.drain = 10ms, .upgraded_drain = 5s});
  HttpsClient client(run.server.port());
  client.send(echo_request());
  client.receive_until("\r\n\r\n");
  HttpsClient slow(run.server.port());
  slow.send(get("/slow"));
  REQUIRE(eventually([&] { return run.handler.slow == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  run.server.ask_to_stop();
  CHECK(slow.closed());
  client.send("after it");
  CHECK(client.receive_until("it") == "after it");
  client.send("end.");
  CHECK(client.receive_until(".") == "end.");
  run.server.join();
  CHECK(std::chrono::steady_clock::now() - begin < 4s);
  CHECK(run.server.log().find("\"cut_connections\":1") != std::string::npos);
}
