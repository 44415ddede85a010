#include "relay/http/server.h"

#include "relay/http/problem.h"
#include "shared/async/event.h"
#include "shared/async/timeout.h"
#include "tests/unit/relay/http/https_client.h"
#include "tests/unit/relay/http/running_server.h"

#include <openssl/ssl.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <span>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using http::Admission;
using http::Reply;
using http::RequestHead;
namespace asio = boost::asio;

namespace {

// Numbers from `first` on; after three it waits until it is cancelled.
class Numbers final : public http::EventSource {
 public:
  Numbers(int first, std::atomic<int>& alive) : next_(first), alive_(alive) { ++alive_; }
  ~Numbers() override { --alive_; }

  asio::awaitable<std::optional<http::ServerEvent>> next(SteadyTime deadline) override {
    if (sent_ < 3) co_return http::ServerEvent{std::to_string(next_ + sent_++), "number", "x"};
    co_await sleep_until(deadline);
    co_return http::ServerEvent{};
  }

 private:
  int next_;
  int sent_ = 0;
  std::atomic<int>& alive_;
};

class TestExchange final : public http::Exchange {
 public:
  TestExchange(std::atomic<int>& streams, std::atomic<int>& slow) : streams_(streams), slow_(slow) {}
  std::size_t body_limit() const override { return 1000; }

  asio::awaitable<Reply> answer(http::Request request) override {
    if (request.head.path == "/throw") throw std::runtime_error("planted");
    if (request.head.path == "/slow") {
      ++slow_;
      co_await sleep_for(300ms);
    }
    if (request.head.path == "/stream") {
      const auto* last = request.head.headers.find("Last-Event-ID");
      co_return http::StreamResponse{
          {}, std::make_unique<Numbers>(last == nullptr ? 1 : std::stoi(*last) + 1, streams_), "t"};
    }
    if (request.head.path == "/become") co_return http::UpgradeResponse{"echo/1", {}, &TestExchange::echo, "token:t"};
    if (request.head.path == "/broken") co_return http::UpgradeResponse{"echo/1", {}, &TestExchange::fail, "t"};
    http::Response response{.body = request.head.path + ":" + request.body, .actor = "token:t"};
    response.headers.set("Content-Type", "text/plain");
    co_return response;
  }

  // Gives back what comes; ends at "." and when the other side does.
  static asio::awaitable<void> echo(std::unique_ptr<ByteStream> stream) {
    std::array<std::byte, 100> bytes{};
    for (;;) {
      const auto count = co_await stream->read_some(bytes);
      if (!count || *count == 0) co_return;
      const auto got = std::span<const std::byte>(bytes).first(*count);
      const auto sent = co_await stream->write_all(got);
      if (!sent || got.back() == std::byte{'.'}) co_return;
    }
  }
  static asio::awaitable<void> fail(std::unique_ptr<ByteStream>) {
    throw std::runtime_error("planted");
    co_return;
  }

 private:
  std::atomic<int>& streams_;
  std::atomic<int>& slow_;
};

class TestHandler final : public http::Handler {
 public:
  asio::awaitable<Admission> admit(const RequestHead& head) override {
    if (head.path == "/refused") co_return http::to_response({401, "no", "No.", {}});
    if (head.path == "/admit-throws") throw std::runtime_error("planted");
    co_return std::make_unique<TestExchange>(streams, slow);
  }
  std::atomic<int> streams{0};
  std::atomic<int> slow{0};
};

std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}
std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(more) + "\r\n" + std::string(body);
}

bool eventually(const std::function<bool()>& holds) {
  for (const auto end = std::chrono::steady_clock::now() + 5s; std::chrono::steady_clock::now() < end;) {
    if (holds()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

struct Fixture {
  explicit Fixture(http::Limits limits = {}) : server(handler, limits) {}
  TestHandler handler;
  RunningServer server;
};

}  // namespace

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

namespace {

std::string echo_request() { return get("/become", "Connection: upgrade\r\nUpgrade: echo/1\r\n"); }

}  // namespace

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
  CHECK(error_of({.certificate_file = files.certificate(), .key_file = files.key()}).empty());
  CHECK(error_of({.certificate_file = "/nowhere.pem", .key_file = files.key()}).find("/nowhere.pem") !=
        std::string::npos);
  CHECK(error_of({.certificate_file = files.certificate(), .key_file = "/nowhere.key"}).find("/nowhere.key") !=
        std::string::npos);
  CHECK(error_of({.certificate_file = files.certificate(), .key_file = others.key()}).find("key file") !=
        std::string::npos);
  CHECK(error_of({.address = "nonsense", .certificate_file = files.certificate(), .key_file = files.key()})
            .find("nonsense") != std::string::npos);
  RunningServer running(handler);
  CHECK(error_of({.port = running.port(), .certificate_file = files.certificate(), .key_file = files.key()})
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
  http::Server server(loop.get_executor(), {.certificate_file = files.certificate(), .key_file = files.key()}, handler,
                      {log, clock, metrics});
  REQUIRE(server.listen());
  CHECK(server.reload_certificate());
  std::filesystem::remove(files.certificate());
  const auto reloaded = server.reload_certificate();
  REQUIRE_FALSE(reloaded);
  CHECK(reloaded.error().code == Errc::invalid);
}
