// What an operator writes about HTTP: addresses, paths, URLs.
#include "agent/policy/http_rule.h"
#include "agent/policy/address_class.h"
#include "agent/policy/connections.h"
#include "agent/policy/http_url.h"

#include <boost/asio/ip/address.hpp>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

std::string class_of(const std::string& text) {
  const auto address = boost::asio::ip::make_address(text);
  if (address.is_v4()) return std::string(to_string(classify_address(address.to_v4().to_bytes())));
  return std::string(to_string(classify_address(address.to_v6().to_bytes())));
}

bool matches(const std::string& pattern, std::vector<std::string> segments) {
  REQUIRE(is_path_pattern(pattern));
  return path_matches(pattern, segments);
}

std::string problems_of(const std::string& settings) {
  const auto read = parse_connections("connections: {a: {kind: http, " + settings + "}}", "connections.yaml", "/");
  std::string rules;
  if (read) return rules;
  for (const auto& problem : read.error()) rules += (rules.empty() ? "" : " ") + problem.rule;
  return rules;
}

}  // namespace

TEST_CASE("addresses are what the registries say, in every form", "[policy][http][ssrf]") {
  for (const char* one : {"93.184.215.14", "2606:2800:21f:cb07::1", "100.63.255.255", "172.32.0.1",
                          "::ffff:93.184.215.14", "64:ff9b::808:808"})
    CHECK(class_of(one) == "public");
  for (const char* one : {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1",
                          "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "fec0::1", "198.18.0.1"})
    CHECK(class_of(one) == "private");
  for (const char* one :
       {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"})
    CHECK(class_of(one) == "loopback");
  for (const char* one : {"169.254.0.1", "fe80::1", "febf::1", "::ffff:169.254.1.1"})
    CHECK(class_of(one) == "link_local");
  for (const char* one : {"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
                          "fd00:ec2::254", "fd20:ce::254", "169.254.170.2", "100.100.100.200", "168.63.129.16"})
    CHECK(class_of(one) == "metadata");
  for (const char* one :
       {"0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "::127.0.0.1",
        "::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2001::1", "100::1", "::ffff:0.0.0.0", "192.0.0.1"})
    CHECK(class_of(one) == "forbidden");
  CHECK(to_string(classify_address({})) == "forbidden");
}

TEST_CASE("a path pattern means segments", "[policy][http]") {
  CHECK(matches("/orders", {"orders"}));
  CHECK_FALSE(matches("/orders", {"orders", ""}));
  CHECK_FALSE(matches("/orders", {"orders2"}));
  CHECK(matches("/orders/*", {"orders", "17"}));
  CHECK_FALSE(matches("/orders/*", {"orders"}));
  CHECK_FALSE(matches("/orders/*", {"orders", "17", "lines"}));
  CHECK_FALSE(matches("/orders/*", {"orders", ".git"}));
  CHECK(matches("/orders/*/lines", {"orders", "17", "lines"}));
  CHECK(matches("/orders/**", {"orders", "17", "lines"}));
  CHECK_FALSE(matches("/orders/**", {"orders"}));
  CHECK(matches("/**", {"a"}));
  CHECK(matches("/", {}));
  CHECK_FALSE(matches("/", {"a"}));
  CHECK(matches("/v[12]/x?", {"v2", "xy"}));
  for (const char* bad : {"", "orders", "/a//b", "/**/b", "/a**", "/[a"}) CHECK_FALSE(is_path_pattern(bad));
}

TEST_CASE("a URL of the settings can be read in one way only", "[policy][http]") {
  const auto url = parse_http_url("https://ERP.example.com:8443/api/v1/");
  REQUIRE(url);
  CHECK(url->origin() == "https://erp.example.com:8443");
  CHECK(url->segments == std::vector<std::string>{"api", "v1"});
  CHECK(parse_http_url("https://[2001:DB8::1]")->origin() == "https://[2001:db8::1]:443");
  CHECK(parse_http_url("http://erp")->port == 80);
  for (const char* bad : {"",
                          "erp",
                          "ftp://erp",
                          "HTTPS://erp",
                          "https://",
                          "https://u@erp",
                          "https://u:p@erp",
                          "https://erp?x",
                          "https://erp/#x",
                          "https://erp/a%2e",
                          "https://erp/../x",
                          "https://erp//x",
                          "https://erp:0",
                          "https://erp:99999",
                          "https://127.1",
                          "https://0x7f.1",
                          "https://erp\\x",
                          "https://erp/a b",
                          "https://fe80::1",
                          "https://[fe80::1%eth0]"}) {
    INFO(bad);
    CHECK_FALSE(parse_http_url(bad));
  }
}

TEST_CASE("settings of HTTP say what is wrong with them", "[policy][http][config]") {
  CHECK(problems_of("url: \"https://erp\", auth: {type: basic, user: u, password_env: P}") == "");
  CHECK(problems_of("url: \"https://erp\", headers: [{name: X-Key, value_env: K}, {name: X-T, text: t}]") == "");
  CHECK(problems_of("url: \"https://u:p@erp\"") == "bad-url");
  CHECK(problems_of("{}") != "");
  CHECK(problems_of("url: \"https://erp\", auth: {type: basic, user: u}") == "missing-field");
  CHECK(problems_of("url: \"https://erp\", auth: {type: basic, user: u, password: geheim}").contains("inline-secret"));
  CHECK(problems_of("url: \"https://erp\", auth: {type: digest}") == "bad-choice");
  CHECK(problems_of("url: \"https://erp\", auth: {type: oauth2, token_url: x, client_id: i, client_secret_env: S}") ==
        "bad-url");
  CHECK(problems_of("url: \"https://erp\", headers: [{name: \"a b\", text: x}]") == "bad-name");
  CHECK(problems_of("url: \"https://erp\", headers: [{name: X}]") == "missing-field");
  CHECK(problems_of("url: \"https://erp\", headers: [{name: X, text: \"a\\nb\"}]") == "bad-value");
  CHECK(problems_of("url: \"https://erp\", client_certificate_file: c") == "missing-field");
  CHECK(problems_of("url: \"https://erp\", proxy: {url: \"http://p:1/x\"}") == "bad-url");
  CHECK(problems_of("url: \"https://erp\", proxy: {url: \"http://p:1\", user: u}") == "missing-field");
  CHECK(problems_of("url: \"https://erp\", concurrency: 0") == "out-of-range");
}

TEST_CASE("every secret of a connection is known, so that it is looked for before a step needs it",
          "[policy][http][config]") {
  const auto read = parse_connections(
      "connections: {a: {kind: http, url: \"https://erp\", auth: {type: oauth2, token_url: \"https://erp/t\", "
      "client_id: i, "
      "client_secret_env: A}, headers: [{name: X, value_env: B}, {name: Y, text: y}], client_certificate_file: c, "
      "client_key_env: C, proxy: {url: \"http://p\", user: u, password_env: D}}}",
      "connections.yaml", "/");
  REQUIRE(read);
  std::string names;
  for (const auto& secret : read->at("a").secrets()) names += secret.where;
  CHECK(names == "CADB");
}

TEST_CASE("the grant of an authorization code has addresses of its own", "[policy][http]") {
  const auto with = [](const std::string& more) {
    return problems_of("url: \"https://h\", auth: {type: oauth2, token_url: \"https://l/token\", client_id: c" + more +
                       "}");
  };
  const std::string code =
      ", grant: authorization_code, authorization_url: \"https://l/auth\", redirect_url: \"https://r/oauth2/callback\"";
  CHECK(with(code) == "");
  CHECK(with(code + ", issuer: \"https://l\", client_secret_file: s") == "");
  CHECK(with("") == "missing-field");  // client credentials need a secret
  CHECK(with(", client_secret_file: s, redirect_url: \"https://r\"") == "unknown-key");
  CHECK(with(", grant: authorization_code") == "missing-field missing-field");
  CHECK(with(", grant: implicit, client_secret_file: s") == "bad-choice");
  CHECK(with(", grant: authorization_code, authorization_url: \"https://l/auth\", redirect_url: \"urn:x\"") ==
        "bad-url");
}
