#pragma once

#include "shared/async/timeout.h"
#include "shared/http/problem.h"
#include "tests/unit/shared/http/https_client.h"
#include "tests/unit/shared/http/running_server.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

// A handler with an answer of each kind, on a server of its own.
namespace sallyport::test {

namespace asio = boost::asio;

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

  asio::awaitable<http::Reply> answer(http::Request request) override {
    if (request.head.path == "/throw") throw std::runtime_error("planted");
    if (request.head.path == "/slow") {
      ++slow_;
      co_await sleep_for(std::chrono::milliseconds(300));
    }
    if (request.head.path.ends_with("stream")) {
      const auto* last = request.head.headers.find("Last-Event-ID");
      co_return http::StreamResponse{{},
                                     std::make_unique<Numbers>(last == nullptr ? 1 : std::stoi(*last) + 1, streams_),
                                     request.head.path == "/stream" ? "token:t" : "token:other"};
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
  asio::awaitable<http::Admission> admit(const http::RequestHead& head) override {
    if (head.path == "/refused") co_return http::to_response({401, "no", "No.", {}});
    if (head.path == "/admit-throws") throw std::runtime_error("planted");
    co_return std::make_unique<TestExchange>(streams, slow);
  }
  std::atomic<int> streams{0};
  std::atomic<int> slow{0};
};

// Requests, as they are sent.
inline std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(more) + "\r\n" + std::string(body);
}

inline bool eventually(const std::function<bool()>& holds) {
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
       std::chrono::steady_clock::now() < end;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

struct Fixture {
  explicit Fixture(http::Limits limits = {}) : server(handler, limits) {}
  TestHandler handler;
  RunningServer server;
};

inline std::string echo_request() { return get("/become", "Connection: upgrade\r\nUpgrade: echo/1\r\n"); }

}  // namespace sallyport::test
