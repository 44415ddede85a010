#include "agent/policy/connections.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

// Public parts of keys that were made for this test.
const std::string kLine = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINZuQVzhtL/3iz08O6YU1AAM4eVgq/zX7Lgkr3vgAzxy";

std::string problem_of(const std::string& settings) {
  const auto read = parse_connections("connections: {a: {kind: ssh, " + settings + "}}", "connections.yaml", "/etc/s");
  return read ? "none" : read.error().front().rule;
}

std::string good(const std::string& more = "") {
  return "host: h, user: u, password_env: P, host_keys: ['" + kLine + "']" + more;
}

}  // namespace

TEST_CASE("a host key is read from a line of known_hosts", "[policy][ssh]") {
  for (const std::string& text :
       {kLine, "example.org,192.0.2.1 " + kLine, kLine + " a comment", "  |1|x=|y= " + kLine + "\n"}) {
    INFO(text);
    const auto key = parse_host_key(text);
    REQUIRE(key);
    CHECK(key->type == "ssh-ed25519");
    CHECK(key->fingerprint.size() == 50);
    CHECK(parse_host_key(key->fingerprint)->fingerprint == key->fingerprint);
    CHECK(parse_host_key(key->fingerprint)->type.empty());
  }
}

TEST_CASE("what is no host key", "[policy][ssh]") {
  const std::string rsa_with_other_type = "ssh-rsa " + kLine.substr(12);
  for (const std::string& text :
       {std::string(), std::string("ssh-ed25519"), std::string("ssh-ed25519 !!!"),
        std::string("ssh-dss AAAAB3NzaC1kc3M="), std::string("SHA256:abc"),
        std::string("SHA256:") + std::string(43, '!'), std::string("MD5:aa:bb"), "@cert-authority * " + kLine,
        "a b " + kLine, rsa_with_other_type, std::string(20'000, 'x'), std::string("ssh-ed25519 AAAA")}) {
    INFO(text.substr(0, 80));
    CHECK_FALSE(parse_host_key(text));
  }
}

TEST_CASE("a connection of kind ssh", "[policy][ssh]") {
  const auto read = parse_connections("connections: {a: {kind: ssh, " + good(", root: /up/") + "}}", "c", "/etc/s");
  REQUIRE(read);
  CHECK(read->at("a").kind() == "ssh");
  const auto& ssh = *read->at("a").ssh();
  CHECK(ssh.port == 22);
  CHECK(ssh.root == "/up");
  CHECK(ssh.algorithms.host_key.front() == "ssh-ed25519");
  for (const auto* names :
       {&ssh.algorithms.key_exchange, &ssh.algorithms.host_key, &ssh.algorithms.ciphers, &ssh.algorithms.macs}) {
    for (const auto& name : *names) {
      INFO(name);
      CHECK(name.find("cbc") == std::string::npos);
      CHECK(name.find("sha1") == std::string::npos);
      CHECK(name != "ssh-rsa");
    }
  }
}

TEST_CASE("faults of a connection of kind ssh", "[policy][ssh]") {
  CHECK(problem_of(good()) == "none");
  CHECK(problem_of("host: h, user: u, password_env: P") == "missing-field");
  CHECK(problem_of("host: h, user: u, password_env: P, host_keys: []") == "no-host-key");
  CHECK(problem_of("host: h, user: u, password_env: P, host_keys: [x]") == "bad-host-key");
  CHECK(problem_of("host: h, user: u, host_keys: ['" + kLine + "']") == "no-credentials");
  CHECK(problem_of(good(", key: secret")) == "inline-secret");
  CHECK(problem_of(good(", algorithms: {ciphers: [aes128-cbc]}")) == "bad-choice");
  CHECK(problem_of(good(", algorithms: {key_exchange: [diffie-hellman-group14-sha1]}")) == "bad-choice");
  CHECK(problem_of(good(", algorithms: {host_key: [ssh-rsa]}")) == "bad-choice");
  CHECK(problem_of(good(", algorithms: {macs: [hmac-sha2-256]}")) == "bad-choice");
  CHECK(problem_of(good(", root: ''")) == "bad-path");
  CHECK(problem_of(good(", pool: 0")) == "out-of-range");
}
