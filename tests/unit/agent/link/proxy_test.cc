#include "agent/link/proxy.h"

#include <catch2/catch.hpp>

#include <map>

using namespace sallyport;
using namespace sallyport::agent;

namespace {

Environment environment(std::map<std::string, std::string> variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    if (at == variables.end()) return std::nullopt;
    return at->second;
  };
}

std::string chosen(const std::string& configured, std::map<std::string, std::string> variables,
                   const Endpoint& target) {
  const auto proxy = choose_proxy(configured, environment(std::move(variables)), target);
  if (!proxy) return "error: " + proxy.error().message;
  return *proxy ? to_string((*proxy)->at) : "direct";
}

}  // namespace

TEST_CASE("endpoints are a host and a port", "[link]") {
  CHECK(parse_endpoint("relay.example:443", 0) == Endpoint{"relay.example", 443});
  CHECK(parse_endpoint("relay.example", 443) == Endpoint{"relay.example", 443});
  CHECK(parse_endpoint("[::1]:8443", 0) == Endpoint{"::1", 8443});
  CHECK(parse_endpoint("10.0.0.1:1", 0) == Endpoint{"10.0.0.1", 1});
  CHECK(to_string(Endpoint{"::1", 8443}) == "[::1]:8443");
  for (const auto* bad :
       {"", ":443", "relay.example", "relay.example:", "relay.example:0", "relay.example:65536", "relay.example:044",
        "relay example:1", "relay\r\nX: y:1", "[::1:443", "[zz]:1", "::1", "a:1:2", "a/b:1", "user@host:1"}) {
    INFO(bad);
    CHECK_FALSE(parse_endpoint(bad, 0));
  }
}

TEST_CASE("proxy URLs", "[link]") {
  struct Case {
    const char* url;
    const char* at;
    const char* user;
    const char* password;
  };
  for (const auto& one :
       std::vector<Case>{{"http://proxy.example:8080", "proxy.example:8080", "", ""},
                         {"proxy.example", "proxy.example:3128", "", ""},
                         {"HTTP://proxy.example/", "proxy.example:3128", "", ""},
                         {" http://[fe80::1]:3128 ", "[fe80::1]:3128", "", ""},
                         {"http://user:pass@proxy.example", "proxy.example:3128", "user", "pass"},
                         {"http://us%40er:p%3Aa%2Fss@proxy.example", "proxy.example:3128", "us@er", "p:a/ss"},
                         {"http://user:p:a@proxy.example", "proxy.example:3128", "user", "p:a"},
                         {"http://user@proxy.example", "proxy.example:3128", "user", ""}}) {
    INFO(one.url);
    const auto proxy = parse_proxy_url(one.url);
    REQUIRE(proxy);
    CHECK(to_string(proxy->at) == one.at);
    CHECK(proxy->user == one.user);
    CHECK(proxy->password.reveal() == one.password);
  }
}

TEST_CASE("a wrong proxy URL is refused without showing its password", "[link]") {
  for (const auto* bad : {"", "https://u:hunter2@proxy", "socks5://u:hunter2@proxy", "u:hunter2://x@proxy",
                          "http://u:hunter2%zz@proxy", "http://u:hunter2%0d%0aX@proxy", "http://u%3Ax:hunter2@proxy",
                          "http://u:hunter2@pro xy", "http://u:hunter2@proxy:99999"}) {
    INFO(bad);
    const auto proxy = parse_proxy_url(bad);
    REQUIRE_FALSE(proxy);
    CHECK(proxy.error().message.find("hunter2") == std::string::npos);
  }
  CHECK(parse_proxy_url(std::string(3000, 'a')).error().code == Errc::too_large);
}

TEST_CASE("which proxy a target is reached through", "[link]") {
  const Endpoint target{"relay.example", 443};
  CHECK(chosen("", {}, target) == "direct");
  CHECK(chosen("http://a", {{"https_proxy", "http://b"}}, target) == "a:3128");
  CHECK(chosen("none", {{"https_proxy", "http://b"}}, target) == "direct");
  CHECK(chosen("", {{"https_proxy", "http://b"}, {"HTTPS_PROXY", "http://c"}}, target) == "b:3128");
  CHECK(chosen("", {{"https_proxy", " "}, {"HTTPS_PROXY", "http://c"}}, target) == "c:3128");
  CHECK(chosen("", {{"http_proxy", "http://b"}}, target) == "direct");
  CHECK(chosen("", {{"HTTPS_PROXY", "http://c"}, {"NO_PROXY", "other,.example"}}, target) == "direct");
  CHECK(chosen("http://a", {{"no_proxy", "*"}}, target) == "a:3128");
  CHECK(chosen("ftp://a", {}, target).starts_with("error: proxy of the configuration"));
  CHECK(chosen("", {{"https_proxy", "ftp://a"}}, target).starts_with("error: https_proxy of the environment"));
  CHECK(chosen("", {{"all_proxy", "http://b"}}, target) == "b:3128");
  CHECK(chosen("", {{"ALL_PROXY", "http://b"}, {"HTTPS_PROXY", "http://c"}}, target) == "c:3128");
  CHECK(chosen("", {{"all_proxy", "http://b"}, {"ALL_PROXY", "http://c"}}, target) == "b:3128");
  CHECK(chosen("", {{"https_proxy", ""}, {"ALL_PROXY", "http://c"}}, target) == "c:3128");
  CHECK(chosen("", {{"ALL_PROXY", "http://b"}, {"no_proxy", ".example"}}, target) == "direct");
  CHECK(chosen("", {{"ALL_PROXY", "socks5h://b:1080"}}, target) ==
        "error: ALL_PROXY of the environment: SOCKS proxies are not spoken to; give the URL of an http:// one");
}

TEST_CASE("which targets no_proxy names", "[link]") {
  struct Case {
    const char* list;
    Endpoint target;
    bool named;
  };
  const Endpoint relay{"relay.corp.example", 443};
  for (const auto& one : std::vector<Case>{{"", relay, false},
                                           {"*", relay, true},
                                           {"relay.corp.example", relay, true},
                                           {"RELAY.corp.Example", relay, true},
                                           {"corp.example", relay, true},
                                           {".corp.example", relay, true},
                                           {"orp.example", relay, false},
                                           {"x, corp.example:443", relay, true},
                                           {"corp.example:8443", relay, false},
                                           {",,", relay, false},
                                           {"10.0.0.0/8", {"10.1.2.3", 443}, true},
                                           {"10.0.0.0/8", {"11.1.2.3", 443}, false},
                                           {"10.0.0.0/99", {"10.1.2.3", 443}, false},
                                           {"10.0.0.0/8", relay, false},
                                           {"127.0.0.1", {"127.0.0.1", 443}, true},
                                           {"::1", {"::1", 443}, true},
                                           {"fd00::/8", {"fd12::1", 443}, true},
                                           {"fd00::/8", {"fe12::1", 443}, false}}) {
    INFO(one.list << " and " << to_string(one.target));
    CHECK(bypasses_proxy(one.list, one.target) == one.named);
  }
}

TEST_CASE("the request carries credentials only when there are some", "[link]") {
  Proxy proxy{{"proxy", 3128}, "", Secret()};
  CHECK(connect_request({"relay.example", 443}, proxy).reveal() ==
        "CONNECT relay.example:443 HTTP/1.1\r\nHost: relay.example:443\r\nUser-Agent: sallyport-agent\r\n\r\n");
  proxy.user = "Aladdin";
  proxy.password = Secret::take(std::string("open sesame"));  // the example of RFC 7617 §2
  CHECK(connect_request({"::1", 443}, proxy)
            .reveal()
            .find("Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n") != std::string_view::npos);
}

TEST_CASE("what a proxy may answer", "[link]") {
  struct Case {
    std::string answer;
    std::optional<Errc> error;  // absent: the tunnel is open
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"HTTP/1.1 200 Connection established\r\n\r\n", std::nullopt, ""},
      {"HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", std::nullopt, ""},
      {"HTTP/1.1 204\r\n\r\n", std::nullopt, ""},
      {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", Errc::unauthenticated, "407"},
      {"HTTP/1.1 403 Forbidden\r\n\r\n<html>", Errc::forbidden, "403"},
      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", Errc::unavailable, "502"},
      {"HTTP/1.1 504 Gateway Timeout\r\n\r\n", Errc::unavailable, "504"},
      {"HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n", Errc::invalid, "302"},
      {"HTTP/1.1 101 Switching\r\n\r\n", Errc::invalid, "101"},
      {"<html><body>Welcome to the hotel</body></html>", Errc::invalid, "<html><body>Welcome"},
      {"HTTP/2 200\r\n\r\n", Errc::invalid, "does not answer like"},
      {"HTTP/1.1 2000 x\r\n\r\n", Errc::invalid, "does not answer like"},
      {"HTTP/1.1 2x0 x\r\n\r\n", Errc::invalid, "does not answer like"},
      {"SSH-2.0-OpenSSH\r\n", Errc::invalid, "SSH-2.0"},
      {std::string("\x15\x03\x01\x00\x02\x02\x32", 7), Errc::invalid, "does not answer like"},
      {"HTTP/1.1 200 OK\r\n\r\nstowaway", Errc::invalid, "8 bytes of its own"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'), Errc::too_large, "16384"},
  };
  for (const auto& one : cases) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, one.answer.size()}) {
      INFO(one.answer.substr(0, 60) << " in pieces of " << piece);
      ProxyAnswer answer({"proxy.example", 3128});
      Result<bool> outcome = false;
      for (std::size_t at = 0; at < one.answer.size() && outcome && !*outcome; at += piece) {
        outcome = answer.feed(as_bytes(std::string_view(one.answer).substr(at, piece)));
      }
      if (one.answer.ends_with("stowaway") && piece == 1) continue;  // the tunnel was open before the stowaway came
      REQUIRE(outcome.has_value() == !one.error.has_value());
      if (!one.error) {
        CHECK(*outcome);
        continue;
      }
      CHECK(outcome.error().code == *one.error);
      if (piece == one.answer.size()) CHECK(outcome.error().message.find(one.fragment) != std::string::npos);
    }
  }
}
