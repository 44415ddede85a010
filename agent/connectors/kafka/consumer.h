#pragma once

#include "agent/connectors/consuming.h"
#include "agent/connectors/kafka/client.h"

namespace sallyport::connectors::kafka {

struct ConsumeOrder {
  std::string connection, topic, group;
  std::string start = "earliest";  // or "latest"
};

// Reads one topic as a member of a group. The offset behind a record is kept by the cluster within a second after it
// was settled; a held one stops its partition. At most 2 MiB, or one record, wait with it.
class TopicConsumer final : public Consumer {
 public:
  static StepResult<std::unique_ptr<Consumer>> open(const policy::KafkaConnection& settings, const vault::Vault& vault,
                                                    ConsumeOrder order, const CallLimits& limits);
  ~TopicConsumer() override;

  // A cluster that is gone for a while is waited for: the group keeps the place. One that is still gone at the deadline
  // is an error.
  StepResult<std::optional<Delivery>> next(const CallLimits& limits) override;
  StepResult<void> settle(const Delivery& delivery, Settlement settlement, const CallLimits& limits) override;
  // A thread of librdkafka's tells the group that somebody is there.
  StepResult<void> stay(const CallLimits&) override { return {}; }

 private:
  TopicConsumer(std::unique_ptr<Client> client, ConsumeOrder order)
      : client_(std::move(client)), order_(std::move(order)) {}
  StepResult<void> subscribe();
  PartitionsOwner place_of_last(std::int64_t offset) const;
  Delivery delivery_of(const rd_kafka_message_t& message);

  std::unique_ptr<Client> client_;
  ConsumeOrder order_;
  std::int32_t last_partition_ = 0;  // of what next() gave
  std::int64_t last_offset_ = 0;
};

}  // namespace sallyport::connectors::kafka
