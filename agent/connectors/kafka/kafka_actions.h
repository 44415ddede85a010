#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::kafka {

// kafka.produce@1 on connections of kind "kafka"; arguments and outputs are in the catalogue (docs/actions.md). The
// topic is held to the local policy.
std::vector<std::unique_ptr<Action>> make_actions(Site site);

// kafka.consume@1: one event for each record of a topic (consuming.h, consumer.h). What `site` has outlives it.
class ConsumeTrigger final : public TriggerSource {
 public:
  explicit ConsumeTrigger(Site site) : site_(site) {}
  std::string_view name() const override { return "kafka.consume@1"; }
  boost::asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) override;

 private:
  Site site_;
};

// `connection test` of kind "kafka"; what `site` has outlives it.
std::unique_ptr<ConnectionTest> make_kafka_test(Site site);

// The library that such connections need, for `config check`.
Result<void> check_kafka_client();

}  // namespace sallyport::connectors::kafka
