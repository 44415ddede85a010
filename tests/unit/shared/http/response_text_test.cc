#include "shared/http/response_text.h"

#include "shared/base/json.h"
#include "shared/http/problem.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::http;

namespace {

const auto kNow = from_unix_ms(784'111'777'000);  // Sun, 06 Nov 1994 08:49:37 GMT

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string text_of(const Response& response, Content content = Content::send,
                    Connection connection = Connection::keep) {
  return response_text(response, "req-1", content, connection, kNow);
}

}  // namespace

TEST_CASE("an answer has framing, date, request id and security headers", "[http][response]") {
  Response response{.status = 200, .body = "{}"};
  response.headers.set("Content-Type", "application/json");
  const auto text = text_of(response);
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(text.ends_with("\r\n\r\n{}"));
  for (const auto* line :
       {"Content-Type: application/json\r\n", "Content-Length: 2\r\n", "X-Request-Id: req-1\r\n",
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "X-Content-Type-Options: nosniff\r\n", "Cache-Control: no-store\r\n",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
        "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"}) {
    INFO(line);
    CHECK(contains(text, line));
  }
  CHECK_FALSE(contains(text, "Connection:"));
}

TEST_CASE("the answer to HEAD has the length but not the body", "[http][response]") {
  const auto text = text_of({.status = 200, .body = "hello"}, Content::omit);
  CHECK(contains(text, "Content-Length: 5\r\n"));
  CHECK(text.ends_with("\r\n\r\n"));
}

TEST_CASE("204 and 304 have neither body nor length", "[http][response]") {
  for (const int status : {204, 304}) {
    const auto text = text_of({.status = status, .body = "never"});
    CHECK_FALSE(contains(text, "Content-Length"));
    CHECK_FALSE(contains(text, "never"));
  }
}

TEST_CASE("a header value cannot end its line", "[http][response]") {
  Response response;
  response.headers.set("Location", "/x\r\nSet-Cookie: a=b");
  const auto text = text_of(response);
  CHECK(contains(text, "Location: /x  Set-Cookie: a=b\r\n"));
  CHECK_FALSE(contains(text, "\r\nSet-Cookie"));
}

TEST_CASE("a closing answer says so", "[http][response]") {
  CHECK(contains(text_of({}, Content::send, Connection::close), "Connection: close\r\n"));
}

TEST_CASE("a problem is RFC 9457 JSON", "[http][problem]") {
  const auto response =
      to_response({422, "invalid", "Two things are wrong.", {{"/name", "is missing"}, {"/x", "is unknown"}}});
  CHECK(response.status == 422);
  CHECK(*response.headers.find("content-type") == "application/problem+json");
  CHECK(response.body ==
        R"({"code":"invalid","detail":"Two things are wrong.","errors":[{"what":"is missing","where":"/name"},)"
        R"({"what":"is unknown","where":"/x"}],"status":422,"title":"Unprocessable Content","type":"about:blank"})");
}

TEST_CASE("events are chunks a browser reads", "[http][stream]") {
  CHECK(event_chunk({"7", "step.finished", "{\"a\":1}"}) ==
        "2a\r\nid: 7\nevent: step.finished\ndata: {\"a\":1}\n\n\r\n");
  CHECK(event_chunk({"", "", "one\ntwo"}) == "15\r\ndata: one\ndata: two\n\n\r\n");
  CHECK(event_chunk({}) == "3\r\n:\n\n\r\n");
}

TEST_CASE("a live stream is chunked and the last answer of its connection", "[http][stream]") {
  const auto text = stream_head_text({}, "req-2", kNow);
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(contains(text, "Content-Type: text/event-stream; charset=utf-8\r\n"));
  CHECK(contains(text, "Transfer-Encoding: chunked\r\n"));
  CHECK(contains(text, "Connection: close\r\n"));
  CHECK_FALSE(contains(text, "Content-Length"));
}
