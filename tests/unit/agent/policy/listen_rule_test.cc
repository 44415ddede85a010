#include "agent/policy/connections.h"
#include "agent/policy/policy.h"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>

namespace sallyport::policy {
namespace {

const std::string kTls = "certificate_file: c.pem, key_file: c.key, ";
const std::string kSender = "{path: /a, proof: bearer, secret_env: S}";

// The rules of the faults of one connection, separated by blanks.
std::string faults(const std::string& settings) {
  const auto parsed = parse_connections("connections: {hooks: {kind: http-listen, " + settings + "}}",
                                        "connections.yaml", "/etc/agent");
  std::string text;
  if (!parsed) {
    for (const auto& fault : parsed.error()) text += (text.empty() ? "" : " ") + fault.rule;
  }
  return text;
}

std::string faults_of_sender(const std::string& sender, const std::string& more = "") {
  return faults(kTls + more + "port: 8460, senders: [{path: /a, " + sender + "}]");
}

Policy policy(const std::string& rules) {
  auto parsed = parse_policy("actions: [http.listen@1]\nconnections: {hooks: {" + rules + "}}", "policy.yaml", "/");
  if (!parsed) throw std::runtime_error(yaml::to_string(parsed.error().front()));
  return *std::move(parsed);
}

}  // namespace

TEST_CASE("a listener has TLS, or is reached from this machine only", "[policy][listen]") {
  CHECK(faults(kTls + "port: 8460, senders: [" + kSender + "]").empty());
  CHECK(faults(kTls + "port: 8460, address: 10.0.0.1, senders: [" + kSender + "]").empty());
  CHECK(faults("port: 8460, security: none, senders: [" + kSender + "]").empty());
  CHECK(faults("port: 8460, security: none, address: \"::1\", senders: [" + kSender + "]").empty());
  CHECK(faults("port: 8460, security: none, address: 10.0.0.1, senders: [" + kSender + "]") == "clear-text");
  CHECK(faults("port: 8460, security: none, address: 0.0.0.0, senders: [" + kSender + "]") == "clear-text");
  CHECK(faults(kTls + "port: 8460, security: none, senders: [" + kSender + "]") == "clear-text");
  CHECK(faults("port: 8460, senders: [" + kSender + "]") == "missing-field missing-field");
  CHECK(faults(kTls + "port: 8460, address: example.org, senders: [" + kSender + "]") == "bad-address");
  CHECK(faults(kTls + "port: 8460, max_body: 1MiB, senders: [" + kSender + "]") == "out-of-range");
}

TEST_CASE("nobody may send without a proof", "[policy][listen]") {
  CHECK(faults(kTls + "port: 8460, senders: []") == "missing-field");
  CHECK(faults(kTls + "port: 8460") == "missing-field");
  CHECK(faults_of_sender("secret_env: S") == "missing-field");
  CHECK(faults_of_sender("proof: none, secret_env: S") == "bad-choice");
  CHECK(faults_of_sender("proof: bearer") == "missing-field");
  CHECK(faults_of_sender("proof: signature") == "missing-field");
  CHECK(faults_of_sender("proof: timestamped-signature, secret_env: S") == "missing-field");  // no header
  CHECK(faults_of_sender("proof: certificate") == "missing-field");                           // no authorities
  CHECK(faults_of_sender("proof: certificate", "client_ca_file: ca.pem, ").empty());
  CHECK(faults_of_sender("proof: certificate, secret_env: S", "client_ca_file: ca.pem, ") == "missing-field");
  CHECK(faults_of_sender("proof: standard-webhooks, secret_env: S, other_secret_env: T, tolerance: 1m").empty());
  CHECK(faults_of_sender("proof: standard-webhooks, secret_env: S, tolerance: 2h") == "out-of-range");
  CHECK(faults_of_sender("proof: bearer, secret_env: S, headers: [Authorization]") == "bad-name");
  CHECK(faults_of_sender("proof: signature, secret_env: S, headers: [x-hub-signature-256]") == "bad-name");
  CHECK(faults_of_sender("proof: bearer, secret_env: S, delivery_header: \"a b\"") == "bad-name");
  CHECK(faults(kTls + "port: 8460, senders: [" + kSender + ", " + kSender + "]") == "duplicate");
}

TEST_CASE("what a listener's settings mean", "[policy][listen]") {
  const auto parsed = parse_connections("connections: {hooks: {kind: http-listen, " + kTls +
                                            "port: 8460, client_ca_file: ca.pem, senders: [{path: /a, proof: "
                                            "signature, secret_env: S, other_secret_env: T, headers: [X-Event]}]}}",
                                        "connections.yaml", "/etc/agent");
  REQUIRE(parsed);
  const auto& connection = parsed->at("hooks");
  CHECK(connection.kind() == "http-listen");
  CHECK(connection.secrets().size() == 3);
  const auto& listener = *connection.listen();
  CHECK(listener.address == "127.0.0.1");
  CHECK(listener.certificate_file == "/etc/agent/c.pem");
  CHECK(listener.client_ca_file == "/etc/agent/ca.pem");
  REQUIRE(listener.find("/a") != nullptr);
  CHECK(listener.find("/a")->signature_header == "X-Hub-Signature-256");
  CHECK(listener.find("/a")->headers == std::vector<std::string>{"x-event"});
  CHECK(listener.find("/a/") == nullptr);
}

TEST_CASE("a path has one form", "[policy][listen]") {
  for (const auto* good : {"/a", "/github/push", "/a.b/~c_d-e"}) CHECK(is_listen_path(good));
  for (const auto* bad : {"", "a", "/", "/a/", "//a", "/a/../b", "/.", "/a b", "/%61", "/a?b", "/ü", "/a#b"}) {
    INFO(bad);
    CHECK_FALSE(is_listen_path(bad));
  }
  CHECK_FALSE(is_listen_path("/" + std::string(256, 'a')));
}

TEST_CASE("nothing listens that the policy does not name", "[policy][listen]") {
  CHECK_FALSE(Policy().find_listen("hooks"));
  CHECK_FALSE((*policy("").find_listen("hooks"))->check("/a", "POST", "r"));
  CHECK_FALSE((*policy("listen: []").find_listen("hooks"))->check("/a", "POST", "r"));
  const auto allows = policy("listen: [{path: /a}, {path: /b, methods: [PUT, DELETE], recipes: [r]}]");
  const auto& rule = **allows.find_listen("hooks");
  CHECK(rule.check("/a", "POST", "any"));
  CHECK_FALSE(rule.check("/a", "PUT", "any"));
  CHECK_FALSE(rule.check("/a/b", "POST", "any"));
  CHECK(rule.check("/b", "PUT", "r"));
  CHECK_FALSE(rule.check("/b", "PUT", "other"));
  CHECK_FALSE(rule.check("/b", "POST", "r"));
  CHECK(rule.check("/c", "POST", "r").error().rule == "policy.yaml:2 connections.hooks.listen");
}

}  // namespace sallyport::policy
