#include "agent/connectors/arguments.h"
#include "agent/connectors/kafka/kafka_actions.h"
#include "agent/connectors/kafka/producer.h"
#include "agent/connectors/message.h"
#include "agent/connectors/session_pool.h"
#include "agent/connectors/translate.h"

#include <algorithm>
#include <map>

namespace sallyport::connectors::kafka {
namespace {

using Pool = SessionPool<Producer>;
using Pools = std::map<std::string, std::unique_ptr<Pool>, std::less<>>;

Pools make_pools(const Site& site) {
  Pools pools;
  for (const auto& [name, connection] : site.connections) {
    const auto* settings = connection.kafka();
    if (settings == nullptr) continue;
    const auto* vault = &site.vault;
    Pool::Source source{
        .open = [settings, vault](const CallLimits& limits) { return Producer::open(*settings, *vault, limits); },
        .credentials = [settings, vault] { return vault->version_of(settings->password); }};
    pools.emplace(name, std::make_unique<Pool>(name, std::move(source), settings->pool, site.log));
  }
  return pools;
}

StepResult<Record> read_record(const StepContext& context, const Arguments& arguments, std::uint64_t limit) {
  Record record;
  SP_TRY(record.topic, arguments.text("topic"));
  if (arguments.find("key") != nullptr) {
    SP_TRY(record.key, arguments.text("key"));
  }
  if (arguments.find("partition") != nullptr) {
    SP_TRY(const auto partition, arguments.integer("partition"));
    record.partition = static_cast<std::int32_t>(partition);
  }
  if (const auto* headers = arguments.find("headers")) record.headers = headers->as_map();
  SP_TRY(record.value, message_body(arguments, context.bodies, limit));
  return record;
}

class Produce final : public Action {
 public:
  explicit Produce(Site site) : site_(site), pools_(make_pools(site)) {}
  std::string_view name() const override { return "kafka.produce@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto* connection, find_connection(site_, context.connection, "kafka"));
    SP_TRY(const auto* rule, to_step(site_.policy.find_kafka(context.connection)));
    SP_TRY(const auto topic, arguments.text("topic"));
    SP_CHECK(to_step(rule->check_produce(topic)));
    const auto limit = std::min(connection->kafka()->max_message, site_.policy.limits(context.connection).bytes);
    SP_TRY(const auto record, read_record(context, arguments, limit));
    const CallLimits limits{context.deadline, context.stop};
    SP_TRY(const auto producer, pools_.find(context.connection)->second->acquire(limits));
    auto place = producer->produce(record, limits);
    if (!place) return std::unexpected(told(context, std::move(place).error()));
    return Output{Value(ValueMap{{"partition", Value(std::int64_t{place->partition})},
                                 {"offset", Value(place->offset)},
                                 {"bytes", Value(static_cast<std::int64_t>(record.value.size()))}})};
  }

 private:
  // What is said of brokers names them.
  StepError told(const StepContext& context, StepError error) const {
    if (error.error_class() != "connection") return error;
    return without_settings(site_.log, context.connection, "producing to", std::move(error));
  }

  Site site_;
  Pools pools_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<Produce>(site));
  return actions;
}

}  // namespace sallyport::connectors::kafka
