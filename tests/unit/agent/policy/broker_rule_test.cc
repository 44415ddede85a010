#include "agent/policy/connections.h"
#include "agent/policy/policy.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

namespace sallyport::policy {
namespace {

// The rules of the faults of one connection, separated by blanks.
std::string faults(const std::string& connection) {
  const auto parsed = parse_connections("connections: {mq: {" + connection + "}}", "connections.yaml", "/etc/agent");
  std::string text;
  if (!parsed) {
    for (const auto& fault : parsed.error()) text += (text.empty() ? "" : " ") + fault.rule;
  }
  return text;
}

Policy policy(const std::string& rules) {
  auto parsed = parse_policy("actions: [\"amqp.*\"]\nconnections: {mq: {" + rules + "}}", "policy.yaml", "/");
  if (!parsed) throw std::runtime_error(yaml::to_string(parsed.error().front()));
  return *std::move(parsed);
}

}  // namespace

TEST_CASE("a connection with an AMQP broker has TLS, a login and bounds", "[policy][amqp]") {
  CHECK(faults("kind: amqp, host: mq, user: a, password_env: P").empty());
  CHECK(faults("kind: amqp, host: mq, client_certificate_file: c.pem, client_key_file: c.key").empty());
  CHECK(faults("kind: amqp, host: mq") == "missing-field");  // no login
  CHECK(faults("kind: amqp, host: mq, user: a") == "missing-field");
  CHECK(faults("kind: amqp, host: mq, user: a, password_env: P, client_key_file: k") == "missing-field");
  CHECK(faults("kind: amqp, host: mq, user: a, password_env: P, security: none") == "clear-text");
  CHECK(faults("kind: amqp, host: 127.0.0.1, user: a, password_env: P, security: none").empty());
  CHECK(faults("kind: amqp, host: mq, user: a, password_env: P, max_message: 1GiB") == "out-of-range");
  const auto parsed = parse_connections(
      "connections: {mq: {kind: amqp, host: mq, user: a, password_env: P, client_certificate_file: c.pem, "
      "client_key_env: K}}",
      "connections.yaml", "/etc/agent");
  REQUIRE(parsed);
  const auto& connection = parsed->at("mq");
  CHECK(connection.kind() == "amqp");
  CHECK(connection.amqp()->port == 5671);
  CHECK(connection.amqp()->tls.client_certificate_file == "/etc/agent/c.pem");
  CHECK(connection.secrets().size() == 2);
}

TEST_CASE("exchanges, keys and queues are allowed one by one", "[policy][amqp]") {
  const auto allows_nothing = policy("amqp: {}");
  CHECK_FALSE((*allows_nothing.find_amqp("mq"))->check_publish("", "a"));
  CHECK_FALSE((*allows_nothing.find_amqp("mq"))->check_consume("a"));
  CHECK_FALSE((*policy("").find_amqp("mq"))->check_publish("", ""));
  CHECK_FALSE(allows_nothing.find_amqp("other"));
  const auto allows = policy(
      "amqp: {publish: [{exchange: orders, keys: [\"new.*\"]}, {exchange: \"\"}], consume: [in, \"jobs-?\", a/b]}");
  const auto& rule = **allows.find_amqp("mq");
  CHECK(rule.check_publish("orders", "new.book"));
  CHECK_FALSE(rule.check_publish("orders", "old.book"));
  CHECK_FALSE(rule.check_publish("orders", ""));
  CHECK_FALSE(rule.check_publish("Orders", "new.book"));
  CHECK(rule.check_publish("", "anything"));
  CHECK(rule.check_publish("", ""));
  for (const char* queue : {"in", "jobs-1", "a/b"}) CHECK(rule.check_consume(queue));
  for (const char* queue : {"inn", "jobs-12", "", "IN"}) CHECK_FALSE(rule.check_consume(queue));
  CHECK(rule.check_consume("out").error().rule == "policy.yaml:2 connections.mq.amqp.consume");
  CHECK_FALSE(parse_policy("connections: {mq: {amqp: {consume: [\"[a\"]}}}", "policy.yaml", "/"));
  CHECK_FALSE(parse_policy("connections: {mq: {amqp: {publish: [{keys: [a]}]}}}", "policy.yaml", "/"));
}

TEST_CASE("a connection with a Kafka cluster has TLS and a whole login", "[policy][kafka]") {
  CHECK(faults("kind: kafka, brokers: [\"k:9093\"]").empty());
  CHECK(faults("kind: kafka, brokers: [\"k:9093\"], sasl: scram-sha-512, user: a, password_env: P").empty());
  CHECK(faults("kind: kafka, brokers: []") == "missing-field");
  CHECK(faults("kind: kafka, brokers: [k]") == "bad-address");
  CHECK(faults("kind: kafka, brokers: [\"k:9093\"], sasl: plain, user: a") == "missing-field");
  CHECK(faults("kind: kafka, brokers: [\"k:9093\"], user: a, password_env: P") == "missing-field");
  CHECK(faults("kind: kafka, brokers: [\"127.0.0.1:1\", \"k:9092\"], security: none") == "clear-text");
  CHECK(faults("kind: kafka, brokers: [\"127.0.0.1:9092\"], security: none").empty());
}

TEST_CASE("topics and groups are allowed one by one", "[policy][kafka]") {
  CHECK_FALSE((*policy("kafka: {}").find_kafka("mq"))->check_produce("a"));
  CHECK_FALSE((*policy("kafka: {consume: [\"*\"]}").find_kafka("mq"))->check_consume("a", "g"));
  const auto allows = policy("kafka: {produce: [orders], consume: [\"in-*\"], groups: [sallyport]}");
  const auto& rule = **allows.find_kafka("mq");
  CHECK(rule.check_produce("orders"));
  CHECK_FALSE(rule.check_produce("orders2"));
  CHECK(rule.check_consume("in-1", "sallyport"));
  CHECK_FALSE(rule.check_consume("orders", "sallyport"));
  CHECK(rule.check_consume("in-1", "other").error().rule == "policy.yaml:2 connections.mq.kafka.groups");
}

}  // namespace sallyport::policy
