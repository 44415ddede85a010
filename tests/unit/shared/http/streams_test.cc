#include "tests/unit/shared/http/served.h"

#include <catch2/catch.hpp>

// Live streams of events.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

TEST_CASE("events flow live and resume after the last one seen", "[http][server][stream]") {
  Fixture run({.stream_beat = 50ms});
  HttpsClient client(run.server.port());
  client.send(get("/stream"));
  CHECK(status_of(client.receive_until("\r\n\r\n")) == 200);
  CHECK(client.receive_until("id: 3\n").find("id: 1\n") != std::string::npos);
  CHECK(client.receive_until(":\n\n").find(":\n\n") != std::string::npos);  // proof of life
  HttpsClient again(run.server.port());
  again.send(get("/stream", "Last-Event-ID: 3\r\n"));
  again.receive_until("\r\n\r\n");
  CHECK(again.receive_until("id: 6\n").find("id: 4\n") != std::string::npos);
}

TEST_CASE("a reader that leaves ends its stream", "[http][server][stream]") {
  Fixture run;
  {
    HttpsClient client(run.server.port());
    client.send(get("/stream"));
    client.receive_until("id: 3\n");
    CHECK(run.handler.streams == 1);
  }
  CHECK(eventually([&] { return run.handler.streams == 0; }));
}

TEST_CASE("live streams have a bound of their own, of which one caller has half", "[http][server][stream]") {
  Fixture run({.max_connections = 16});  // four of them
  std::vector<std::unique_ptr<HttpsClient>> kept;
  const auto watch = [&](std::string_view path) {
    kept.push_back(std::make_unique<HttpsClient>(run.server.port()));
    kept.back()->send(get(path));
    return status_of(kept.back()->receive_until("\r\n\r\n"));
  };
  CHECK(watch("/stream") == 200);
  CHECK(watch("/stream") == 200);
  HttpsClient refused(run.server.port());
  refused.send(get("/stream"));
  const auto answer = refused.receive();
  CHECK(status_of(answer) == 503);
  CHECK(header_of(answer, "Retry-After") == "10");
  CHECK(header_of(answer, "Content-Type") == "application/problem+json");
  refused.send(get("/a"));  // it is still a connection for requests
  CHECK(status_of(refused.receive()) == 200);
  CHECK(watch("/others-stream") == 200);
  CHECK(run.server.metrics().find("sallyport_http_streams 3") != std::string::npos);
  for (int i = 0; i < 8; ++i) {  // which is not that of what connections become
    kept.push_back(std::make_unique<HttpsClient>(run.server.port()));
    kept.back()->send(echo_request());
    CHECK(status_of(kept.back()->receive_until("\r\n\r\n")) == 101);
  }
  kept.front().reset();
  REQUIRE(eventually([&] { return run.handler.streams == 2; }));
  CHECK(watch("/stream") == 200);
}
