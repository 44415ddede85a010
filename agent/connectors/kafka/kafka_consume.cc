#include "agent/connectors/arguments.h"
#include "agent/connectors/kafka/consumer.h"
#include "agent/connectors/kafka/kafka_actions.h"
#include "agent/connectors/translate.h"

namespace sallyport::connectors::kafka {
namespace asio = boost::asio;

asio::awaitable<StepResult<void>> ConsumeTrigger::run(TriggerSpec spec, TriggerSink sink, Trouble trouble) {
  SP_CO_CHECK(to_step(site_.policy.check_action(name(), spec.connection)));
  SP_CO_TRY(const auto* connection, find_connection(site_, spec.connection, "kafka"));
  const Arguments arguments(spec.arguments);
  ConsumeOrder order{.connection = spec.connection};
  SP_CO_TRY(order.topic, arguments.text("topic"));
  SP_CO_TRY(order.group, arguments.text("group"));
  order.start = arguments.text_or("start", order.start);
  SP_CO_TRY(const auto* rule, to_step(site_.policy.find_kafka(spec.connection)));
  SP_CO_CHECK(to_step(rule->check_consume(order.topic, order.group)));
  co_return co_await consume(
      {.open = [this, settings = connection->kafka(),
                order](const CallLimits& limits) { return TopicConsumer::open(*settings, site_.vault, order, limits); },
       .unusable = arguments.text_or("unusable", "hold") == "skip" ? Settlement::refused : Settlement::held,
       .sink = std::move(sink),
       .trouble = std::move(trouble),
       .tellable =
           [this, order](StepError error) {
             return without_settings(site_.log, order.connection, "consuming from", std::move(error));
           }},
      site_.clock);
}

}  // namespace sallyport::connectors::kafka
