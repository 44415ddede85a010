#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::amqp {

// amqp.publish@1 on connections of kind "amqp"; arguments and outputs are in the catalogue (docs/actions.md). Exchange
// and routing key are held to the local policy. A message whose confirm did not come is "in_doubt"; run again, it has
// the same message id.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

// amqp.consume@1: one event for each message of a queue (consuming.h, consumer.h). What `site` has outlives it.
class ConsumeTrigger final : public TriggerSource {
 public:
  explicit ConsumeTrigger(Site site) : site_(site) {}
  std::string_view name() const override { return "amqp.consume@1"; }
  boost::asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) override;

 private:
  Site site_;
};

// `connection test` of kind "amqp"; what `site` has outlives it.
std::unique_ptr<ConnectionTest> make_amqp_test(Site site);

// The libraries that such connections need, for `config check`.
Result<void> check_amqp_client();

}  // namespace sallyport::connectors::amqp
