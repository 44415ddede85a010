#pragma once

#include "agent/policy/refusal.h"
#include "shared/recipe/problem.h"
#include "shared/recipe/yaml.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// What steps may send to an AMQP broker, and what triggers may take from it. The default allows nothing. Names are
// patterns as those of files; the empty exchange is the one that every queue is reached by.
struct AmqpRule {
  struct Publish {
    std::string exchange;
    std::vector<std::string> keys;
  };
  std::vector<Publish> publish;
  std::vector<std::string> consume;  // queues
  std::string rule;                  // "policy.yaml:9 connections.broker.amqp"

  bool allows_nothing() const { return publish.empty() && consume.empty(); }
  // A refusal does not name the routing key: it may be data.
  Verdict<> check_publish(std::string_view exchange, std::string_view key) const;
  Verdict<> check_consume(std::string_view queue) const;
};

// The same for a Kafka cluster.
struct KafkaRule {
  std::vector<std::string> produce, consume;  // topics
  std::vector<std::string> groups;            // of consumers
  std::string rule;

  bool allows_nothing() const { return produce.empty() && consume.empty(); }
  Verdict<> check_produce(std::string_view topic) const;
  Verdict<> check_consume(std::string_view topic, std::string_view group) const;
};

KafkaRule read_kafka_rule(const yaml::Node& node, yaml::Report& report, std::string rule);

// `amqp` of a connection in policy.yaml; `rule` is the place it stands at.
AmqpRule read_amqp_rule(const yaml::Node& node, yaml::Report& report, std::string rule);

}  // namespace sallyport::policy
