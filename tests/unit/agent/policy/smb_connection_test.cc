#include "agent/policy/connections.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

auto read(const std::string& settings) {
  return parse_connections("connections: {a: {kind: smb, " + settings + "}}", "connections.yaml", "/etc/s");
}

std::string problem_of(const std::string& settings) {
  const auto connections = read(settings);
  return connections ? "" : connections.error().front().rule;
}

const std::string kGood = "host: h, share: s, user: u, password_env: P";

}  // namespace

TEST_CASE("a connection of kind smb", "[policy][smb]") {
  const auto plain = read(kGood);
  REQUIRE(plain);
  CHECK(plain->at("a").kind() == "smb");
  CHECK(plain->at("a").smb()->port == 445);
  CHECK(plain->at("a").smb()->root == ".");
  CHECK(plain->at("a").smb()->protection == SmbProtection::encrypted);
  CHECK(plain->at("a").secrets().size() == 1);
  const auto all = read(kGood + ", port: 4450, domain: D, protection: signed, root: erp/in out/, answer_timeout: 30s");
  REQUIRE(all);
  const auto& smb = *all->at("a").smb();
  CHECK(smb.port == 4450);
  CHECK(smb.domain == "D");
  CHECK(smb.protection == SmbProtection::signed_only);
  CHECK(smb.root == "erp/in out");
  CHECK(smb.answer_timeout == std::chrono::seconds(30));
}

TEST_CASE("faults of a connection of kind smb", "[policy][smb]") {
  CHECK(problem_of("host: h, share: s, user: u") == "no-credentials");
  CHECK(problem_of("host: h, user: u, password_env: P") == "missing-field");
  CHECK(problem_of(kGood + ", protection: none") == "bad-choice");
  CHECK(problem_of("host: \"u:p@h\", share: s, user: u, password_env: P") == "bad-value");
  CHECK(problem_of("host: \"\", share: s, user: u, password_env: P") == "bad-value");
  CHECK(problem_of("host: h, share: s, user: \"\", password_env: P") == "bad-value");
  CHECK(problem_of("host: h, share: s, password_env: P") == "missing-field");
  for (const char* share : {"a/b", "a\\\\b", "..", "a:b", ""})
    CHECK(problem_of("host: h, share: \"" + std::string(share) + "\", user: u, password_env: P") == "bad-value");
  for (const char* root : {"/a", "a//b", "../a", "a/..", "a\\\\b", "a./b"})
    CHECK(problem_of(kGood + ", root: \"" + std::string(root) + "\"") == "bad-path");
  CHECK(problem_of("host: h, share: s, user: \"u\\nv\", password_env: P") == "bad-value");
}
