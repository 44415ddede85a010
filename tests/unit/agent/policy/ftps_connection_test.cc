#include "agent/policy/connections.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

auto read(const std::string& settings) {
  return parse_connections("connections: {a: {kind: ftps, " + settings + "}}", "connections.yaml", "/etc/s");
}

std::string problem_of(const std::string& settings) {
  const auto connections = read(settings);
  return connections ? "" : connections.error().front().rule;
}

const std::string kGood = "host: h, user: u, password_env: P";

}  // namespace

TEST_CASE("a connection of kind ftps", "[policy][ftps]") {
  const auto plain = read(kGood);
  REQUIRE(plain);
  CHECK(plain->at("a").kind() == "ftps");
  CHECK(plain->at("a").ftps()->port == 21);
  CHECK(plain->at("a").ftps()->root == ".");
  CHECK(plain->at("a").secrets().size() == 1);
  const auto all = read(kGood +
                        ", security: implicit, root: /up/, ca_file: ca.pem, tls_version: \"1.3\", "
                        "client_certificate_file: c.pem, client_key_env: K, answer_timeout: 30s");
  REQUIRE(all);
  const auto& ftps = *all->at("a").ftps();
  CHECK(ftps.port == 990);
  CHECK(ftps.security == FtpsSecurity::implicit_tls);
  CHECK(ftps.root == "/up");
  CHECK(ftps.ca_file == "/etc/s/ca.pem");
  CHECK(ftps.tls_1_3);
  CHECK(ftps.client_certificate_file == "/etc/s/c.pem");
  CHECK(ftps.answer_timeout == std::chrono::seconds(30));
  CHECK(all->at("a").secrets().size() == 2);
}

TEST_CASE("faults of a connection of kind ftps", "[policy][ftps]") {
  CHECK(problem_of("host: h, user: u") == "no-credentials");
  CHECK(problem_of(kGood + ", security: none") == "bad-choice");
  CHECK(problem_of(kGood + ", tls_version: \"1.1\"") == "bad-choice");
  CHECK(problem_of(kGood + ", client_certificate_file: c.pem") == "missing-field");
  CHECK(problem_of(kGood + ", client_key_env: K") == "missing-field");
  CHECK(problem_of(kGood + ", root: \"/a\\r\\nDELE b\"") == "bad-path");
  CHECK(problem_of("host: h, user: \"u\\nv\", password_env: P") == "bad-value");
  CHECK(problem_of(kGood + ", verify: false") == "unknown-key");
}
