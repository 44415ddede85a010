#include "agent/connectors/amqp/amqp_actions.h"
#include "agent/connectors/amqp/consumer.h"
#include "agent/connectors/arguments.h"
#include "agent/connectors/translate.h"

namespace sallyport::connectors::amqp {
namespace asio = boost::asio;

asio::awaitable<StepResult<void>> ConsumeTrigger::run(TriggerSpec spec, TriggerSink sink, Trouble trouble) {
  SP_CO_CHECK(to_step(site_.policy.check_action(name(), spec.connection)));
  SP_CO_TRY(const auto* connection, find_connection(site_, spec.connection, "amqp"));
  const Arguments arguments(spec.arguments);
  ConsumeOrder order{.connection = spec.connection};
  SP_CO_TRY(order.queue, arguments.text("queue"));
  order.prefetch = static_cast<std::uint16_t>(arguments.integer_or("prefetch", order.prefetch));
  SP_CO_TRY(const auto* rule, to_step(site_.policy.find_amqp(spec.connection)));
  SP_CO_CHECK(to_step(rule->check_consume(order.queue)));
  co_return co_await consume(
      {.open = [this, settings = connection->amqp(),
                order](const CallLimits& limits) { return QueueConsumer::open(*settings, site_.vault, order, limits); },
       .unusable = arguments.text_or("unusable", "hold") == "reject" ? Settlement::refused : Settlement::held,
       .sink = std::move(sink),
       .trouble = std::move(trouble),
       .tellable =
           [this, order](StepError error) {
             return without_settings(site_.log, order.connection, "consuming from", std::move(error));
           }},
      site_.clock);
}

}  // namespace sallyport::connectors::amqp
