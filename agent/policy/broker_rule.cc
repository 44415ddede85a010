#include "agent/policy/broker_rule.h"

#include "agent/policy/glob.h"
#include "shared/recipe/fields.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::policy {
namespace {

bool any_matches(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return pattern == name || glob_matches(pattern, name); });
}

// A name without a wildcard may have a slash.
void check_pattern(yaml::FieldReader& fields, std::string_view field, const std::string& text) {
  if (text.find_first_of("*?[") == std::string::npos || is_glob(text)) return;
  fields.problem(field, "bad-pattern",
                 fmt::format("{} is no pattern of names: `*`, `?`, `[a-z]`, no slash", yaml::quoted(text)));
}

std::vector<std::string> read_patterns(yaml::FieldReader& fields, std::string_view field) {
  auto patterns = fields.texts(field);
  for (const auto& text : patterns) check_pattern(fields, field, text);
  return patterns;
}

AmqpRule::Publish read_publish(const yaml::Node& node, yaml::Report& report) {
  yaml::FieldReader fields(node, report, "a rule of `publish`");
  AmqpRule::Publish publish{fields.text("exchange", yaml::Need::required).value_or(""), read_patterns(fields, "keys")};
  check_pattern(fields, "exchange", publish.exchange);
  if (fields.any("keys") == nullptr) publish.keys = {"*"};
  fields.finish();
  return publish;
}

std::unexpected<Refusal> refuse(std::string rule, std::string_view what, std::string_view name) {
  return std::unexpected(Refusal{std::move(rule), fmt::format("the local policy of this agent does not allow {} {}",
                                                              what, yaml::quoted(std::string(name.substr(0, 64))))});
}

}  // namespace

Verdict<> AmqpRule::check_publish(std::string_view exchange, std::string_view key) const {
  const auto allows = [&](const Publish& one) {
    return any_matches({one.exchange}, exchange) && any_matches(one.keys, key);
  };
  if (std::ranges::any_of(publish, allows)) return {};
  return refuse(rule + ".publish", "to publish, with this key, to the exchange", exchange);
}

Verdict<> AmqpRule::check_consume(std::string_view queue) const {
  if (any_matches(consume, queue)) return {};
  return refuse(rule + ".consume", "to consume the queue", queue);
}

Verdict<> KafkaRule::check_produce(std::string_view topic) const {
  if (any_matches(produce, topic)) return {};
  return refuse(rule + ".produce", "to produce to the topic", topic);
}

Verdict<> KafkaRule::check_consume(std::string_view topic, std::string_view group) const {
  if (!any_matches(consume, topic)) return refuse(rule + ".consume", "to consume the topic", topic);
  if (!any_matches(groups, group)) return refuse(rule + ".groups", "to consume in the group", group);
  return {};
}

KafkaRule read_kafka_rule(const yaml::Node& node, yaml::Report& report, std::string rule) {
  yaml::FieldReader fields(node, report, "`kafka`");
  KafkaRule read;
  read.rule = std::move(rule);
  read.produce = read_patterns(fields, "produce");
  read.consume = read_patterns(fields, "consume");
  read.groups = read_patterns(fields, "groups");
  fields.finish();
  return read;
}

AmqpRule read_amqp_rule(const yaml::Node& node, yaml::Report& report, std::string rule) {
  yaml::FieldReader fields(node, report, "`amqp`");
  AmqpRule read;
  read.rule = std::move(rule);
  if (const auto* list = fields.sequence("publish")) {
    for (const auto& item : list->items) read.publish.push_back(read_publish(item, report));
  }
  read.consume = read_patterns(fields, "consume");
  fields.finish();
  return read;
}

}  // namespace sallyport::policy
