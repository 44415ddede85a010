#include "shared/http/gate.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace sallyport::http;

namespace {

std::string block(std::string_view request_line, std::vector<std::string> fields) {
  std::string out(request_line);
  out += "\r\n";
  for (const auto& field : fields) out += field + "\r\n";
  return out + "\r\n";
}

std::string get(std::string_view target) {
  return block("GET " + std::string(target) + " HTTP/1.1", {"Host: relay.test"});
}
std::string post(std::vector<std::string> fields) {
  fields.insert(fields.begin(), "Host: relay.test");
  return block("POST /v1/jobs HTTP/1.1", std::move(fields));
}

// The code of the refusal, or "accepted".
std::string verdict(std::string_view bytes, const GateLimits& limits = {}) {
  const auto end = find_head_end(bytes, limits);
  if (!end) return end.error().code;
  if (!*end) return "incomplete";
  const auto head = check_head(bytes.substr(0, **end), limits);
  return head ? "accepted" : head.error().code;
}

struct Vector {
  std::string expected;
  std::string bytes;
};

std::vector<Vector> framing_vectors() {
  return {
      {"accepted", post({})},
      {"accepted", post({"Content-Length: 0"})},
      {"accepted", post({"Content-Length: 12"})},
      {"accepted", post({"content-LENGTH:\t12 "})},
      {"accepted", post({"Transfer-Encoding: chunked"})},
      {"accepted", post({"transfer-encoding: Chunked"})},
      {"two_lengths", post({"Transfer-Encoding: chunked", "Content-Length: 4"})},
      {"two_lengths", post({"Connection: upgrade", "Upgrade: a/1", "Transfer-Encoding: chunked", "Content-Length: 4"})},
      {"duplicate_field", post({"Connection: upgrade", "Upgrade: a/1", "Upgrade: b/1"})},
      {"duplicate_field", post({"Connection: upgrade", "Upgrade: a/1", "upgrade: a/1"})},
      {"connection_option", post({"Connection: upgrade, content-length", "Upgrade: a/1"})},
      {"accepted", post({"Connection: upgrade", "Upgrade: a/1, b/1"})},
      {"two_lengths", post({"Content-Length: 4", "Transfer-Encoding: chunked"})},
      {"two_lengths", post({"Content-Length: 4", "Transfer-Encoding: identity"})},
      {"duplicate_field", post({"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"})},
      {"duplicate_field", post({"Transfer-Encoding: chunked", "Transfer-Encoding: identity"})},
      {"duplicate_field", post({"Content-Length: 4", "Content-Length: 4"})},
      {"duplicate_field", post({"Content-Length: 4", "content-length: 5"})},
      {"transfer_encoding", post({"Transfer-Encoding: identity"})},
      {"transfer_encoding", post({"Transfer-Encoding: gzip, chunked"})},
      {"transfer_encoding", post({"Transfer-Encoding: chunked, chunked"})},
      {"transfer_encoding", post({"Transfer-Encoding: xchunked"})},
      {"transfer_encoding", post({"Transfer-Encoding: chunked;foo=bar"})},
      {"transfer_encoding", post({"Transfer-Encoding: \"chunked\""})},
      {"transfer_encoding", post({"Transfer-Encoding:"})},
      {"control_character", post({"Transfer-Encoding: \x0b"
                                  "chunked"})},
      {"field_name", post({"Transfer-Encoding : chunked"})},
      {"field_name", post({"Content-Length : 4"})},
      {"field_name", post({"Content-Length\t: 4"})},
      {"field_alias", post({"Transfer_Encoding: chunked"})},
      {"field_alias", post({"Content_Length: 4"})},
      {"content_length", post({"Content-Length: 4, 4"})},
      {"content_length", post({"Content-Length: +4"})},
      {"content_length", post({"Content-Length: -1"})},
      {"content_length", post({"Content-Length: 0x4"})},
      {"content_length", post({"Content-Length: 04"})},
      {"content_length", post({"Content-Length: 4 4"})},
      {"content_length", post({"Content-Length: 4.0"})},
      {"content_length", post({"Content-Length:"})},
      {"content_length", post({"Content-Length: 99999999999999999999"})},
      {"connection_option", post({"Content-Length: 4", "Connection: close, Content-Length"})},
      {"connection_option", post({"Connection: transfer-encoding"})},
      {"connection_option", post({"Connection: Host"})},
      {"expect", post({"Expect: 200-ok"})},
      {"accepted", post({"Expect: 100-Continue"})},
  };
}

std::vector<Vector> line_vectors() {
  const std::string host = "\r\nHost: relay.test\r\n";
  return {
      {"accepted", "GET / HTTP/1.1" + host + "\r\n"},
      {"leading_line", "\r\nGET / HTTP/1.1" + host + "\r\n"},
      {"bare_lf", "GET / HTTP/1.1\nHost: relay.test\n\n"},
      {"bare_lf", "GET / HTTP/1.1" + host + "X: y\n\r\n"},
      {"bare_cr", "GET / HTTP/1.1" + host + "X: y\rZ: w\r\n\r\n"},
      {"bare_cr", "GET / HTTP/1.1\r\r\nHost: relay.test\r\n\r\n"},
      {"obs_fold", "GET / HTTP/1.1" + host + "X: a\r\n b\r\n\r\n"},
      {"obs_fold", "GET / HTTP/1.1" + host + "X: a\r\n\tb\r\n\r\n"},
      {"obs_fold", "GET / HTTP/1.1\r\n Host: relay.test\r\n\r\n"},
      {"obs_fold", "POST / HTTP/1.1" + host + "Transfer-Encoding:\r\n chunked\r\n\r\n"},
      {"control_character", "GET / HTTP/1.1" + host + std::string("X: a\0b\r\n\r\n", 10)},
      {"control_character", "GET / HTTP/1.1" + host +
                                "X: a\x7f"
                                "b\r\n\r\n"},
      {"control_character", "GET / HTTP/1.1" + host + "X: \xc3\xa9\r\n\r\n"},
      {"control_character", "GET /\x01 HTTP/1.1" + host + "\r\n"},
      {"no_colon", "GET / HTTP/1.1" + host + "nothing\r\n\r\n"},
      {"field_name", "GET / HTTP/1.1" + host + ": empty\r\n\r\n"},
      {"field_name", "GET / HTTP/1.1" + host + "Two Words: x\r\n\r\n"},
      {"field_name", "GET / HTTP/1.1" + host + "X(y): x\r\n\r\n"},
      {"request_line", "GET  / HTTP/1.1" + host + "\r\n"},
      {"request_line", "GET / HTTP/1.1 " + host + "\r\n"},
      {"request_line", " GET / HTTP/1.1" + host + "\r\n"},
      {"request_line", "GET /" + host + "\r\n"},
      {"request_line", "GET /a b HTTP/1.1" + host + "\r\n"},
      {"method", "GE:T / HTTP/1.1" + host + "\r\n"},
      {"method", "ABCDEFGHIJKLMNOPQ / HTTP/1.1" + host + "\r\n"},
      {"method_unknown", "TRACE / HTTP/1.1" + host + "\r\n"},
      {"method_unknown", "get / HTTP/1.1" + host + "\r\n"},
      {"method_unknown", "PRI / HTTP/1.1" + host + "\r\n"},
      {"method", "GET\t/ / HTTP/1.1" + host + "\r\n"},
      {"version", "GET / HTTP1.1" + host + "\r\n"},
      {"version", "GET / HTTP/1.11" + host + "\r\n"},
      {"version", "GET / http/1.1" + host + "\r\n"},
      {"version_unsupported", "GET / HTTP/1.0" + host + "\r\n"},
      {"version_unsupported", "PRI / HTTP/2.0" + host + "\r\n"},
      {"no_host", "GET / HTTP/1.1\r\n\r\n"},
      {"duplicate_field", "GET / HTTP/1.1" + host + "host: other.test\r\n\r\n"},
      {"duplicate_field", "GET / HTTP/1.1" + host + "Authorization: a\r\nAuthorization: b\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
      {"bad_host", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
      {"accepted", "GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n"},
      {"accepted", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8443\r\n\r\n"},
  };
}

std::vector<Vector> target_vectors() {
  return {
      {"accepted", get("/")},
      {"accepted", get("/v1/agents")},
      {"accepted", get("/v1/recipes/a%20b")},
      {"accepted", get("/v1/recipes/%C3%A9t%C3%A9")},
      {"accepted", get("/v1/jobs?state=failed&limit=5&cursor=")},
      {"accepted", get("/v1/jobs?since=2026-01-01T00:00:00Z&x=a/b?c")},
      {"target_form", get("http://relay.test/v1/agents")},
      {"target_form", get("https://relay.test")},
      {"target_form", get("*")},
      {"target_form", get("relay.test:443")},
      {"target_form", get("v1/agents")},
      {"target_form", get("?x=1")},
      {"empty_segment", get("//v1/agents")},
      {"empty_segment", get("/v1//agents")},
      {"empty_segment", get("/v1/agents/")},
      {"dot_segment", get("/v1/../livez")},
      {"dot_segment", get("/v1/./agents")},
      {"dot_segment", get("/..")},
      {"not_normal", get("/v1/%2e%2e/livez")},
      {"not_normal", get("/v1/%2E%2E/livez")},
      {"not_normal", get("/v1/.%2E/livez")},
      {"encoded_slash", get("/v1/agents%2Fx")},
      {"encoded_slash", get("/v1/agents%2fx")},
      {"encoded_slash", get("/v1/agents%5Cx")},
      {"path_character", get("/v1\\agents")},
      {"path_character", get("/v1/{agent}")},
      {"path_character", get("/v1/agents#part")},
      {"path_character", get("/v1/\"x\"")},
      {"path_control", get("/v1/a%00b")},
      {"path_control", get("/v1/a%0D%0Ab")},
      {"path_control", get("/v1/a%7F")},
      {"bad_encoding", get("/v1/%")},
      {"bad_encoding", get("/v1/%4")},
      {"bad_encoding", get("/v1/%zz")},
      {"bad_encoding", get("/v1/%u0041")},
      {"not_normal", get("/v1/%41gents")},
      {"not_normal", get("/v1/%7Euser")},
      {"not_normal", get("/v1/%c3%A9")},
      {"path_utf8", get("/v1/%C3%28")},
      {"path_utf8", get("/v1/%C0%AF")},
      {"path_utf8", get("/v1/%FF")},
      {"path_depth", get("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17")},
      {"query_name", get("/v1/jobs?=x")},
      {"query_name", get("/v1/jobs?a=1&&b=2")},
      {"query_control", get("/v1/jobs?a=%00")},
      {"query_control", get("/v1/jobs?a=%0D%0ASet-Cookie:%20x")},
      {"query_character", get("/v1/jobs?a=<b>")},
      {"query_utf8", get("/v1/jobs?a=%FF")},
      {"bad_encoding", get("/v1/jobs?a=%")},
      {"target_length", get("/" + std::string(4096, 'a'))},
  };
}

RequestHead accepted(const std::string& bytes) {
  auto head = check_head(bytes, {});
  REQUIRE(head);
  return *std::move(head);
}

}  // namespace

TEST_CASE("the gate refuses what two parsers could read differently", "[http][gate]") {
  for (const auto& table : {framing_vectors(), line_vectors(), target_vectors()}) {
    for (const auto& vector : table) {
      INFO(vector.bytes);
      CHECK(verdict(vector.bytes) == vector.expected);
    }
  }
}

TEST_CASE("every refusal has a status of its own kind", "[http][gate]") {
  const auto status = [](const std::string& bytes) { return check_head(bytes, {}).error().status; };
  CHECK(status("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n") == 501);
  CHECK(status("GET / HTTP/1.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(status(get("/" + std::string(5000, 'a'))) == 414);
  CHECK(status(post({"Expect: no"})) == 417);
  CHECK(status(post({"Content-Length: x"})) == 400);
}

TEST_CASE("an accepted head is decoded", "[http][gate]") {
  const auto head =
      accepted(block("POST /v1/recipes/a%20b?x=1&y=a+b%26c&x HTTP/1.1",
                     {"Host: Relay.test:8443", "Content-Length: 12", "X-Thing:  spaced out\t", "X-Thing: again"}));
  CHECK(head.method == Method::post);
  CHECK(head.path == "/v1/recipes/a%20b");
  CHECK(head.segments == std::vector<std::string>{"v1", "recipes", "a b"});
  CHECK(head.query == std::vector<QueryParameter>{{"x", "1"}, {"y", "a b&c"}, {"x", ""}});
  CHECK(head.host == "Relay.test:8443");
  CHECK(head.content_length == 12u);
  CHECK(head.has_body());
  CHECK(head.keep_alive);
  REQUIRE(head.headers.find("x-thing") != nullptr);
  CHECK(*head.headers.find("x-thing") == "spaced out");
  CHECK(head.headers.count("X-THING") == 2);
}

TEST_CASE("what the connection is asked for", "[http][gate]") {
  CHECK_FALSE(accepted(post({"Connection: close"})).keep_alive);
  CHECK_FALSE(accepted(post({"Connection: TE , Close"})).keep_alive);
  CHECK(accepted(post({"Connection: keep-alive"})).keep_alive);
  CHECK_FALSE(accepted(post({"Connection: keep-alive"})).offers_upgrade);
  const auto offer = accepted(post({"Connection: keep-alive, Upgrade", "Upgrade: h2c"}));
  CHECK(offer.offers_upgrade);
  CHECK_FALSE(offer.keep_alive);
  CHECK_FALSE(accepted(post({"Upgrade: h2c"})).offers_upgrade);
  CHECK(accepted(post({"Expect: 100-continue", "Content-Length: 3"})).expects_continue);
  CHECK(accepted(post({"Transfer-Encoding: chunked"})).chunked);
  CHECK_FALSE(accepted(post({"Content-Length: 0"})).has_body());
}

TEST_CASE("a header block has limits", "[http][gate]") {
  GateLimits limits{.max_header_bytes = 200, .max_headers = 3};
  CHECK(verdict(get("/"), limits) == "accepted");
  CHECK(verdict(post({"A: 1", "B: 2"}), limits) == "accepted");
  CHECK(verdict(post({"A: 1", "B: 2", "C: 3"}), limits) == "header_count");
  CHECK(verdict(post({"A: " + std::string(300, 'a')}), limits) == "header_bytes");
  CHECK(verdict(std::string("GET / HTTP/1.1\r\nA: ") + std::string(181, 'a'), limits) == "header_bytes");

  const auto whole = post({"A: " + std::string(200 - post({"A: "}).size(), 'a')});
  REQUIRE(whole.size() == 200);
  CHECK(verdict(whole, limits) == "accepted");
}

TEST_CASE("the end of a header block is found at every cut", "[http][gate]") {
  const auto whole = post({"Content-Length: 4", "X: y"}) + "body";
  const auto head = whole.size() - 4;
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    const auto end = find_head_end(std::string_view(whole).substr(0, cut), {});
    REQUIRE(end);
    CHECK(end->has_value() == (cut >= head));
    if (*end) CHECK(**end == head);
  }
}

TEST_CASE("what was looked at is not read again", "[http][gate]") {
  const std::string whole = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    INFO("looked at " << cut << " bytes");
    const auto end = find_head_end(whole, {}, cut);
    REQUIRE(end);
    CHECK(*end == whole.size());
    auto spoilt = whole;
    spoilt[cut] = '\x01';
    CHECK_FALSE(find_head_end(spoilt, {}, cut));
  }
  const std::string spoilt = "\x01" + whole;
  CHECK_FALSE(find_head_end(spoilt, {}, 0));
  CHECK(find_head_end(spoilt, {}, 1) == spoilt.size());
}

TEST_CASE("a bad byte is refused as soon as it is there", "[http][gate]") {
  CHECK(verdict("GET / HTTP/1.1\r\nX: \x01") == "control_character");
  CHECK(verdict("GET / HTTP/1.1\n") == "bare_lf");
  CHECK(verdict("\x16\x03\x01") == "control_character");
  CHECK(verdict("GET / HTTP/1.1\r\nX: y\rz") == "bare_cr");
}

TEST_CASE("a block that goes on after its end is not accepted", "[http][gate]") {
  const auto head = check_head(get("/") + "GET /two HTTP/1.1\r\n\r\n", {});
  REQUIRE_FALSE(head);
  CHECK(head.error().code == "incomplete");
}

TEST_CASE("request ids from outside", "[http][gate]") {
  CHECK(is_request_id("a"));
  CHECK(is_request_id("01J9Z3-a_b.c"));
  CHECK(is_request_id(std::string(64, 'x')));
  for (const auto* bad : {"", "a b", "a\nb", "<x>", "a/b", "\xc3\xa9"}) CHECK_FALSE(is_request_id(bad));
  CHECK_FALSE(is_request_id(std::string(65, 'x')));
}
