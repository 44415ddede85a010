#include "shared/http/server.h"

#include "shared/async/event.h"
#include "tests/unit/shared/http/served.h"

#include <openssl/ssl.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

TEST_CASE("one connection carries many requests", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  REQUIRE(client.connected());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send(post("/echo", std::string(static_cast<std::size_t>(i) * 100, 'x'))));
    const auto answer = client.receive();
    CHECK(status_of(answer) == 200);
    CHECK(body_of(answer) == "/echo:" + std::string(static_cast<std::size_t>(i) * 100, 'x'));
    CHECK(header_of(answer, "Connection").empty());
  }
  const std::string three = "sallyport_http_requests_total{status=\"2xx\"} 3";
  CHECK(eventually([&] { return run.server.metrics().find(three) != std::string::npos; }));
}

TEST_CASE("pipelined requests are answered in order", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send(get("/one") + post("/two", "body") + get("/three"));
  CHECK(body_of(client.receive()) == "/one:");
  CHECK(body_of(client.receive()) == "/two:body");
  CHECK(body_of(client.receive()) == "/three:");
}

TEST_CASE("a bad request in a pipeline ends the connection and hides what follows", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send(get("/one") + "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" +
              "0\r\n\r\n" + get("/smuggled"));
  CHECK(body_of(client.receive()) == "/one:");
  const auto refused = client.receive();
  CHECK(status_of(refused) == 400);
  CHECK(header_of(refused, "Content-Type") == "application/problem+json");
  CHECK(header_of(refused, "Connection") == "close");
  CHECK(client.receive().empty());
  CHECK(run.server.log().find("smuggled") == std::string::npos);
  CHECK(run.server.log().find("two_lengths") != std::string::npos);
}

TEST_CASE("chunked bodies arrive whole", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
  CHECK(body_of(client.receive()) == "/echo:hello!");
}

TEST_CASE("an announced body over the limit is refused at once", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n");
  const auto answer = client.receive();
  CHECK(status_of(answer) == 413);
  CHECK(header_of(answer, "Connection") == "close");
  CHECK(client.closed());
}

TEST_CASE("a body of 100 MB costs the server nothing", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
  std::size_t sent = 0;
  while (sent < 100u << 20 && client.send(chunk)) sent += 65536;
  CHECK(sent < 100u << 20);
  CHECK(status_of(client.receive_until("\r\n\r\n")) == 413);
}

TEST_CASE("100-continue is asked for before the body is read", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  CHECK(body_of(client.receive()) == "/echo:hi");
  client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(status_of(client.receive()) == 401);
}

TEST_CASE("a refusal by the head alone reads no body and closes", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send(get("/refused"));
  CHECK(status_of(client.receive()) == 401);
  client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /");
  CHECK(status_of(client.receive()) == 401);
  CHECK(client.closed());
}

TEST_CASE("an exception costs one answer", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  for (const auto* path : {"/throw", "/admit-throws"}) {
    client.send(get(path, "X-Request-Id: find-me\r\n"));
    const auto answer = client.receive();
    CHECK(status_of(answer) == 500);
    CHECK(answer.find("planted") == std::string::npos);
  }
  client.send(get("/fine"));
  CHECK(status_of(client.receive()) == 200);
  CHECK(run.server.log().find("\"request_id\":\"find-me\"") != std::string::npos);
}

TEST_CASE("request ids go in and out, and strange ones are replaced", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send(get("/a", "X-Request-Id: mine-1\r\n"));
  CHECK(header_of(client.receive(), "X-Request-Id") == "mine-1");
  client.send(get("/a", "X-Request-Id: <script>\r\n"));
  const auto replaced = header_of(client.receive(), "X-Request-Id");
  CHECK(replaced.size() == 16);
}

TEST_CASE("the access log names the caller and hides the query", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send(get("/logged?token=hidden-canary"));
  client.receive();
  CHECK(eventually([&] { return run.server.log().find("\"path\":\"/logged\"") != std::string::npos; }));
  CHECK(run.server.log().find("token:t") != std::string::npos);
  CHECK(run.server.log().find("hidden-canary") == std::string::npos);
}

TEST_CASE("HEAD has no body", "[http][server]") {
  Fixture run;
  HttpsClient client(run.server.port());
  client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" + get("/y"));
  CHECK(header_of(client.receive_until("\r\n\r\n"), "Content-Length") == "3");
  CHECK(body_of(client.receive()) == "/y:");
}

TEST_CASE("a slow header, a slow body and an idle connection are cut", "[http][server]") {
  Fixture run({.idle = 150ms, .head = 150ms, .request = 150ms});
  const auto cut_within = [&](std::string_view bytes) {
    HttpsClient client(run.server.port());
    client.send(bytes);
    const auto start = std::chrono::steady_clock::now();
    const bool closed = client.closed();
    return closed && std::chrono::steady_clock::now() - start < 3s;
  };
  CHECK(cut_within("GET / HT"));
  CHECK(cut_within(""));
  CHECK(cut_within("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhi"));
}

TEST_CASE("dripping a header byte by byte does not extend its deadline", "[http][server]") {
  Fixture run({.head = 200ms});
  HttpsClient client(run.server.port());
  const auto start = std::chrono::steady_clock::now();
  bool alive = true;
  for (int i = 0; i < 400 && alive; ++i) {
    alive = client.send(i == 0 ? "GET / HTTP/1.1\r\nX: " : "a");
    std::this_thread::sleep_for(10ms);
  }
  CHECK_FALSE(alive);
  CHECK(std::chrono::steady_clock::now() - start < 3s);
}

TEST_CASE("connections over the limit are turned away", "[http][server]") {
  Fixture run({.max_connections = 2});
  HttpsClient one(run.server.port()), two(run.server.port());
  HttpsClient three(run.server.port());
  CHECK(one.connected());
  CHECK(two.connected());
  CHECK_FALSE(three.connected());
  one.send(get("/still"));
  CHECK(status_of(one.receive()) == 200);
}

TEST_CASE("one source cannot take every connection, and is told so", "[http][server]") {
  Fixture run({.max_per_source = 2});
  HttpsClient one(run.server.port());
  {
    HttpsClient two(run.server.port()), three(run.server.port());
    REQUIRE(three.connected());
    three.send(get("/"));
    const auto answer = three.receive();
    CHECK(status_of(answer) == 429);
    CHECK(answer.find("too_many_connections") != std::string::npos);
    CHECK(answer.find("close some") != std::string::npos);
    CHECK(three.closed());
    HttpsClient four(run.server.port()), five(run.server.port()), six(run.server.port());
    CHECK_FALSE(six.connected());
    one.send(get("/still"));
    CHECK(status_of(one.receive()) == 200);
    two.send(get("/still"));
    CHECK(status_of(two.receive()) == 200);
  }
  int status = 0;
  for (int tries = 0; tries < 100 && status != 200; ++tries) {  // those that left make room
    HttpsClient again(run.server.port());
    if (!again.connected()) continue;
    again.send(get("/still"));
    status = status_of(again.receive());
  }
  CHECK(status == 200);
}

namespace {

// TCP connections that send nothing, or only `words`.
struct Silent {
  Silent(std::uint16_t port, std::size_t count, std::string_view words = "") {
    for (std::size_t i = 0; i < count; ++i) {
      auto& socket = sockets.emplace_back(loop);
      socket.connect({asio::ip::address_v4::loopback(), port});
      if (!words.empty()) asio::write(socket, asio::buffer(words));
    }
  }
  std::size_t cut() {  // by the server
    return static_cast<std::size_t>(std::ranges::count_if(sockets, [](auto& socket) {
      boost::system::error_code problem;
      std::array<char, 1> byte{};
      socket.non_blocking(true);
      socket.read_some(asio::buffer(byte), problem);
      return problem != asio::error::would_block;
    }));
  }
  asio::io_context loop;
  std::vector<asio::ip::tcp::socket> sockets;
};

int status_within(RunningServer& server, std::chrono::milliseconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  HttpsClient client(server.port());
  if (!client.connected()) return 0;
  client.send(get("/"));
  const int status = status_of(client.receive());
  return std::chrono::steady_clock::now() - begin < limit ? status : -1;
}

}  // namespace

TEST_CASE("two hundred silent connections of one address keep nobody of it out", "[http][server]") {
  Fixture run;
  Silent silent(run.server.port(), 200);
  CHECK(status_within(run.server, 2s) == 200);
  CHECK(eventually([&] { return silent.cut() == 200 + 1 - 128; }));  // the oldest made room
}

TEST_CASE("silent connections do not take the last places either", "[http][server]") {
  Fixture run({.max_connections = 4, .max_per_source = 100});
  HttpsClient before(run.server.port());
  REQUIRE(before.connected());
  Silent silent(run.server.port(), 20);
  CHECK(status_within(run.server, 2s) == 200);
  before.send(get("/still"));
  CHECK(status_of(before.receive()) == 200);
}

TEST_CASE("who asks for nothing for longest makes room, and who is busy stays", "[http][server]") {
  Fixture run({.max_connections = 2});
  HttpsClient busy(run.server.port()), idle(run.server.port());
  REQUIRE(busy.connected());
  REQUIRE(idle.connected());
  {
    HttpsClient early(run.server.port());
    CHECK_FALSE(early.connected());  // nobody has been idle for long
  }
  std::this_thread::sleep_for(1500ms);
  busy.send(get("/still"));
  REQUIRE(status_of(busy.receive()) == 200);
  std::this_thread::sleep_for(700ms);
  HttpsClient next(run.server.port());
  REQUIRE(next.connected());
  next.send(get("/still"));
  CHECK(status_of(next.receive()) == 200);
  CHECK(idle.closed());
  busy.send(get("/still"));
  CHECK(status_of(busy.receive()) == 200);
}

TEST_CASE("half a handshake holds a place for a while only", "[http][server]") {
  Fixture run({.max_connections = 4, .max_per_source = 100});
  Silent stuck(run.server.port(), 4, "\x16\x03\x01");
  CHECK(eventually([&] { return status_within(run.server, 2s) == 200; }));
  CHECK(stuck.cut() > 0);
}

TEST_CASE("stop ends idle connections, finishes requests and closes streams whole", "[http][server][stop]") {
  Fixture run;
  HttpsClient idle(run.server.port()), busy(run.server.port()), stream(run.server.port());
  idle.send(get("/a"));
  idle.receive();
  busy.send(get("/slow"));
  stream.send(get("/stream"));
  stream.receive_until("id: 3\n");
  REQUIRE(eventually([&] { return run.handler.slow == 1; }));
  run.server.ask_to_stop();
  CHECK(idle.closed());
  const auto answer = busy.receive();
  CHECK(status_of(answer) == 200);
  CHECK(header_of(answer, "Connection") == "close");
  CHECK(stream.receive_until("\r\n0\r\n\r\n").ends_with("0\r\n\r\n"));
  run.server.join();
  CHECK_FALSE(HttpsClient(run.server.port()).connected());
  CHECK(run.server.log().find("\"cut_connections\":0") != std::string::npos);
}

TEST_CASE("stop cuts what does not end within the drain time", "[http][server][stop]") {
  Fixture run({.drain = 50ms});
  HttpsClient busy(run.server.port());
  busy.send(get("/slow"));
  REQUIRE(eventually([&] { return run.handler.slow == 1; }));
  run.server.ask_to_stop();
  run.server.join();
  CHECK(run.server.log().find("\"cut_connections\":1") != std::string::npos);
}

TEST_CASE("only modern TLS and http/1.1 are spoken", "[http][server][tls]") {
  Fixture run;
  const auto port = run.server.port();
  CHECK(HttpsClient({.port = port}).tls_version() == "TLSv1.3");
  CHECK(HttpsClient({.port = port, .most_version = TLS1_2_VERSION}).tls_version() == "TLSv1.2");
  CHECK_FALSE(HttpsClient({.port = port, .most_version = TLS1_1_VERSION}).connected());
  CHECK_FALSE(
      HttpsClient({.port = port, .most_version = TLS1_2_VERSION, .suites = "ECDHE-ECDSA-AES128-SHA256"}).connected());
  CHECK(HttpsClient({.port = port, .alpn = "\x08http/1.1"}).connected());
  CHECK(HttpsClient({.port = port, .alpn = std::string("\x02h2\x08http/1.1", 12)}).connected());
  CHECK_FALSE(HttpsClient({.port = port, .alpn = "\x02h2"}).connected());
}

TEST_CASE("listen names the file or the port that does not work", "[http][server]") {
  CertificateFiles files, others;
  TestHandler handler;
  MemorySink sink;
  SystemClock clock;
  Log log(sink, clock);
  Metrics metrics;
  asio::io_context loop;
  const auto error_of = [&](http::ServerOptions options) {
    http::Server server(loop.get_executor(), std::move(options), handler, {log, clock, metrics});
    const auto listening = server.listen();
    return listening ? std::string() : listening.error().message;
  };
  CHECK(error_of({.tls = {files.certificate(), files.key(), {}}}).empty());
  CHECK(error_of({.tls = {"/nowhere.pem", files.key(), {}}}).find("/nowhere.pem") != std::string::npos);
  CHECK(error_of({.tls = {files.certificate(), "/nowhere.key", {}}}).find("/nowhere.key") != std::string::npos);
  CHECK(error_of({.tls = {files.certificate(), others.key(), {}}}).find("key file") != std::string::npos);
  CHECK(error_of({.address = "nonsense", .tls = {files.certificate(), files.key(), {}}}).find("nonsense") !=
        std::string::npos);
  RunningServer running(handler);
  CHECK(error_of({.port = running.port(), .tls = {files.certificate(), files.key(), {}}})
            .find(std::to_string(running.port())) != std::string::npos);
}

TEST_CASE("a bad new certificate leaves the old one in use", "[http][server][tls]") {
  TestHandler handler;
  MemorySink sink;
  SystemClock clock;
  Log log(sink, clock);
  Metrics metrics;
  asio::io_context loop;
  CertificateFiles files;
  http::Server server(loop.get_executor(), {.tls = {files.certificate(), files.key(), {}}}, handler,
                      {log, clock, metrics});
  REQUIRE(server.listen());
  CHECK(server.reload_certificate());
  std::filesystem::remove(files.certificate());
  const auto reloaded = server.reload_certificate();
  REQUIRE_FALSE(reloaded);
  CHECK(reloaded.error().code == Errc::invalid);
}
