#include "agent/link/websocket.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using Catch::Matchers::Contains;

namespace {

const std::string kKey = "dGhlIHNhbXBsZSBub25jZQ==";
const std::string kGood =
    "HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sallyport.link.v1\r\n\r\n";

WebAddress relay() { return {{"relay.example", 443}, ""}; }

std::string with(std::string what, std::string instead) {
  auto text = kGood;
  text.replace(text.find(what), what.size(), instead);
  return text;
}

}  // namespace

TEST_CASE("addresses of web APIs are https with host, port and path", "[link][websocket]") {
  CHECK(parse_web_address("https://relay.example") == WebAddress{{"relay.example", 443}, ""});
  CHECK(parse_web_address("https://relay.example:8443/") == WebAddress{{"relay.example", 8443}, ""});
  CHECK(parse_web_address("https://[::1]:8443/sally/port/") == WebAddress{{"::1", 8443}, "/sally/port"});
  CHECK(to_string(WebAddress{{"::1", 8443}, "/a"}) == "https://[::1]:8443/a");
  for (const auto* bad : {"", "relay.example", "http://relay.example", "https://", "https://a b", "https://a/\r\nX: y",
                          "https://a?x", "https://a/b?x", "https://user@host", "https://a:0"}) {
    INFO(bad);
    CHECK_FALSE(parse_web_address(bad));
  }
  CHECK_FALSE(parse_web_address("https://" + std::string(300, 'a')));
}

TEST_CASE("the request names the relay's web API and nothing of the agent", "[link][websocket]") {
  const auto text = websocket_request({{"relay.example", 443}, "/sub"}, kKey);
  CHECK_THAT(text, Catch::Matchers::StartsWith("GET /sub/v1/link HTTP/1.1\r\nHost: relay.example\r\n"));
  CHECK_THAT(text, Contains("\r\nSec-WebSocket-Protocol: sallyport.link.v1\r\n"));
  CHECK_THAT(text, Catch::Matchers::EndsWith("\r\n\r\n"));
  CHECK_THAT(websocket_request({{"::1", 8443}, ""}, kKey), Contains("\r\nHost: [::1]:8443\r\n"));
}

TEST_CASE("a good answer opens the WebSocket wherever it is cut, and what follows is kept", "[link][websocket]") {
  const auto wire = kGood + "first frame";
  for (std::size_t cut = 0; cut <= kGood.size(); ++cut) {
    INFO("cut after byte " << cut);
    UpgradeAnswer answer(relay(), kKey);
    auto open = answer.feed(as_bytes(wire).first(cut));
    REQUIRE(open);
    if (!*open) open = answer.feed(as_bytes(wire).subspan(cut));
    REQUIRE(open);
    CHECK(*open);
    if (cut < kGood.size()) CHECK(as_text(answer.rest()) == "first frame");
  }
}

TEST_CASE("every other answer is told with what it means and what to do", "[link][websocket]") {
  struct Case {
    std::string wire;
    Errc code;
    std::string says;
  };
  const std::vector<Case> cases{
      {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Errc::unauthenticated, "user and a password"},
      {"HTTP/1.1 401 Unauthorized\r\n\r\n", Errc::unauthenticated, "user and a password"},
      {"HTTP/1.1 403 Forbidden\r\n\r\n<html>", Errc::forbidden, "does not allow"},
      {"HTTP/1.1 404 Not Found\r\n\r\n", Errc::invalid, "offers no links"},
      {"HTTP/1.1 426 Upgrade Required\r\n\r\n", Errc::invalid, "offers no links"},
      {"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>", Errc::unavailable, "502 Bad Gateway"},
      {"HTTP/1.1 503 Service Unavailable\r\n\r\n", Errc::unavailable, "does not answer"},
      {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>sign in", Errc::invalid, "sign-in page"},
      {"HTTP/1.1 302 Found\r\nLocation: https://portal\r\n\r\n", Errc::invalid, "sign-in page"},
      {"<html><body>Blocked</body></html>", Errc::invalid, "does not answer like a web server"},
      {"HTTP/1.0 101 x\r\n\r\n", Errc::invalid, "does not answer like a web server"},
      {"SSH-2.0-OpenSSH_9\r\n", Errc::invalid, "SSH-2.0"},
      {with("WebSocket", "h2c"), Errc::invalid, "no WebSocket"},
      {with("keep-alive, Upgrade", "keep-alive"), Errc::invalid, "no WebSocket"},
      {with("s3pP", "t3pP"), Errc::invalid, "not for our key"},
      {with("sallyport.link.v1", "chat"), Errc::invalid, "not for links"},
      {with("Server: x", "Sec-WebSocket-Extensions: permessage-deflate"), Errc::invalid, "not for links"},
  };
  for (const auto& one : cases) {
    INFO(one.wire);
    UpgradeAnswer answer(relay(), kKey);
    const auto open = answer.feed(as_bytes(one.wire));
    REQUIRE_FALSE(open);
    CHECK(open.error().code == one.code);
    CHECK_THAT(open.error().message, Contains(one.says));
    CHECK_THAT(open.error().message, Contains("https://relay.example:443"));
  }
}

TEST_CASE("an answer's header has a limit, and what is quoted of it is clean", "[link][websocket]") {
  UpgradeAnswer endless(relay(), kKey);
  const auto open = endless.feed(as_bytes("HTTP/1.1 101 x\r\nX: " + std::string(kMaxUpgradeAnswer, 'a')));
  REQUIRE_FALSE(open);
  CHECK(open.error().code == Errc::too_large);
  UpgradeAnswer dirty(relay(), kKey);
  const auto refused = dirty.feed(as_bytes("\x1b[31mred"));
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("\".[31mred\""));
}
