// The parts that need no server.
#include "agent/connectors/http/answer_head.h"
#include "agent/connectors/http/answers.h"
#include "agent/connectors/http/target.h"
#include "agent/connectors/http/tokens.h"
#include "agent/connectors/libcurl.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/http/world.h"

#include <atomic>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace sallyport::connectors::http;
using namespace std::chrono_literals;
using test::args;
using test::classes_of;
using test::HttpWorld;

namespace {

std::string read_all(AnswerHead& head, std::initializer_list<const char*> lines) {
  for (const char* line : lines) {
    if (auto taken = head.take(line); !taken) return taken.error().error_class();
  }
  return "";
}

StepResult<IssuedToken> issue(const char* text, std::chrono::seconds lifetime) {
  return IssuedToken{Secret::take(std::string(text)), lifetime};
}

}  // namespace

TEST_CASE("libcurl that is missing says what to install", "[http]") {
  const auto missing = open_libcurl("libcurl-of-nobody.so.4");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::not_found);
  CHECK(missing.error().message.starts_with("libcurl cannot be used (Debian: the package libcurl4)"));
  CHECK(open_libcurl());
}

TEST_CASE("the head of an answer is that of the last one", "[http][hostile]") {
  AnswerHead head;
  CHECK(read_all(head, {"HTTP/1.1 100 Continue\r\n", "X-Early: 1\r\n", "\r\n"}) == "");
  CHECK(head.status() == 0);
  CHECK(read_all(head, {"HTTP/1.1 401 No\r\n", "WWW-Authenticate: NTLM\r\n", "\r\n", "HTTP/1.1 200\r\n", "X-A:  1 \r\n",
                        "x-a: 2\r\n", "Set-Cookie: a=b\r\n", "X-Bad: \xff\r\n", "\r\n", "Trailer: x\r\n"}) == "");
  CHECK(head.status() == 200);
  CHECK(*head.find("x-a") == "1");
  CHECK(head.all("x-a").size() == 2);
  CHECK(head.find("x-early") == nullptr);
  CHECK(head.find("trailer") == nullptr);
  CHECK(head.shown() == Value(args({{"x-a", "1, 2"}})));
}

TEST_CASE("a server's headers forge no handle", "[http][hostile]") {
  AnswerHead head;
  CHECK(read_all(head, {"HTTP/1.1 200 OK\r\n", "$handle: file\r\n", "$Bytes: AAAA\r\n", "connection: files\r\n",
                        "path: /etc/passwd\r\n"}) == "");
  CHECK(head.find("$handle") != nullptr);
  CHECK(parse_stored_json(stored_json(head.shown())) == head.shown());
  CHECK(head.shown().find("path") != nullptr);
}

TEST_CASE("what is no head is refused", "[http][hostile]") {
  for (const char* line :
       {"HTTP/1.1 99 x\r\n", "HTTP/1.1 600 x\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000 x\r\n", "HTTP/1.1\r\n"}) {
    INFO(line);
    AnswerHead head;
    CHECK(read_all(head, {line}) == "format");
  }
  for (const char* line : {"no colon\r\n", ": no name\r\n", "Name : x\r\n", " folded: x\r\n", "\tfolded\r\n"}) {
    INFO(line);
    AnswerHead head;
    CHECK(read_all(head, {"HTTP/1.1 200 OK\r\n", line}) == "format");
  }
  AnswerHead endless;
  REQUIRE(endless.take("HTTP/1.1 200 OK\r\n"));
  const auto line = "X: " + std::string(1000, 'x') + "\r\n";
  std::size_t taken = 0;
  while (endless.take(line)) ++taken;
  CHECK(taken == (AnswerHead::kMost - 17) / line.size());
}

TEST_CASE("a token is read as RFC 6749 says, or refused", "[http][oauth2]") {
  const auto good = parse_token(R"({"access_token":"abc.def","token_type":"bearer","expires_in":60})");
  REQUIRE(good);
  CHECK(good->value.reveal() == "abc.def");
  CHECK(good->lifetime == 60s);
  CHECK(parse_token(R"({"access_token":"a","token_type":"Bearer"})")->lifetime == 300s);
  CHECK(parse_token(R"({"access_token":"a","token_type":"Bearer","expires_in":-5})")->lifetime == 0s);
  for (const char* bad :
       {"", "[]", "null", R"({"token_type":"bearer"})", R"({"access_token":"a"})",
        R"({"access_token":"","token_type":"bearer"})", R"({"access_token":"a\r\nX: y","token_type":"bearer"})",
        R"({"access_token":"a b","token_type":"bearer"})", R"({"access_token":"a","token_type":"mac"})",
        R"({"access_token":1,"token_type":"bearer"})"}) {
    INFO(bad);
    CHECK(parse_token(bad).error().error_class() == "format");
  }
}

TEST_CASE("a failed renewal is shared by those who waited for it, a stopped one is not", "[http][oauth2]") {
  const SystemClock clock;
  const CallLimits limits{clock, clock.steady() + 30s, {}};
  for (const std::string why : {"permission", "cancelled"}) {
    Tokens tokens;
    std::atomic<int> asked = 0;
    std::atomic<bool> go = false;
    const auto fail_slowly = [&]() -> StepResult<IssuedToken> {
      ++asked;
      while (!go) std::this_thread::sleep_for(1ms);
      return step_fail(why, "no");
    };
    std::string first, second;
    std::jthread renewing([&] { first = tokens.take(1, fail_slowly, limits).error().error_class(); });
    while (asked == 0) std::this_thread::sleep_for(1ms);
    std::jthread waiting([&] {
      const auto held = tokens.take(1, [&] { return ++asked, issue("fresh", 60s); }, limits);
      second = held ? std::string(held->value.reveal()) : held.error().error_class();
    });
    go = true;
    renewing.join();
    waiting.join();
    CHECK(first == why);
    // The second may come only after the failure; then it asks by itself.
    CHECK((second == "fresh" || (second == "permission" && why == "permission" && asked == 1)));
  }
}

TEST_CASE("who waits for a token goes on with its own stop and deadline", "[http][oauth2]") {
  const SystemClock clock;
  Tokens tokens;
  std::atomic<bool> asked = false, go = false;
  std::jthread renewing([&] {
    (void)tokens.take(1,
                      [&] {
                        asked = true;
                        while (!go) std::this_thread::sleep_for(1ms);
                        return issue("late", 60s);
                      },
                      {clock, clock.steady() + 30s, {}});
  });
  while (!asked) std::this_thread::sleep_for(1ms);
  const auto never = [] { return issue("never", 60s); };
  CHECK(tokens.take(1, never, {clock, clock.steady() + 50ms, {}}).error().error_class() == "timeout");
  std::stop_source stop;
  stop.request_stop();
  CHECK(tokens.take(1, never, {clock, clock.steady() + 30s, stop.get_token()}).error().error_class() == "cancelled");
  go = true;
  renewing.join();
  CHECK(tokens.take(1, never, {clock, clock.steady() + 30s, {}})->value.reveal() == "late");
  CHECK(tokens.take(2, never, {clock, clock.steady() + 30s, {}})->value.reveal() == "never");  // other credentials
}

TEST_CASE("a failing renewal leaves the next one free", "[http][oauth2]") {
  const SystemClock clock;
  const CallLimits limits{clock, clock.steady() + 30s, {}};
  Tokens tokens;
  CHECK_THROWS_AS(tokens.take(1, []() -> StepResult<IssuedToken> { throw std::bad_alloc(); }, limits), std::bad_alloc);
  CHECK(tokens.take(1, [] { return issue("next", 60s); }, limits)->value.reveal() == "next");
}

TEST_CASE("HEAD and DELETE have no body, and 304 can be expected", "[http]") {
  HttpWorld world;
  const auto head = world.request(args({{"method", "HEAD"}, {"path", "bytes"}, {"query", Value(args({{"n", 0}}))}}));
  REQUIRE(classes_of(head).empty());
  CHECK(world.agent->bodies.content(head->find("body")->as_handle()).empty());
  const auto unchanged = world.request(
      args({{"path", "status"}, {"query", Value(args({{"code", 304}}))}, {"expect", Value(ValueList{304})}}));
  CHECK(classes_of(unchanged).empty());
  CHECK(classes_of(world.request(args({{"method", "DELETE"}, {"path", "echo"}}))).empty());
}
