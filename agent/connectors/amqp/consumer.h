#pragma once

#include "agent/connectors/amqp/connection.h"
#include "agent/connectors/consuming.h"

namespace sallyport::connectors::amqp {

struct ConsumeOrder {
  std::string connection, queue;
  std::uint16_t prefetch = 10;
};

// Takes messages from one queue, each acknowledged by itself. Of a message that is too large for an event only its
// place is held, not its bytes.
class QueueConsumer final : public Consumer {
 public:
  static StepResult<std::unique_ptr<Consumer>> open(const policy::AmqpConnection& settings, const vault::Vault& vault,
                                                    ConsumeOrder order, const CallLimits& limits);

  StepResult<std::optional<Delivery>> next(const CallLimits& limits) override;
  StepResult<void> settle(const Delivery& delivery, Settlement settlement, const CallLimits& limits) override;
  StepResult<void> stay(const CallLimits& limits) override { return connection_->stay(limits); }

 private:
  // A message whose frames are not all there.
  struct Incoming {
    std::uint64_t number = 0;
    ValueMap data;
    std::string message_id, body;
    std::uint64_t missing = 0;  // bytes of the body
    bool has_head = false, is_too_large = false;
  };
  QueueConsumer(std::unique_ptr<Connection> connection, ConsumeOrder order)
      : connection_(std::move(connection)), order_(std::move(order)) {}

  StepResult<void> begin(const CallLimits& limits);
  StepResult<void> take(const amqp_frame_t& frame);
  StepResult<void> take_method(const amqp_method_t& method);
  static void take_head(Incoming& incoming, const amqp_basic_properties_t& properties, std::uint64_t size);
  Delivery finished(Incoming incoming) const;

  std::unique_ptr<Connection> connection_;
  ConsumeOrder order_;
  std::optional<Incoming> incoming_;
};

}  // namespace sallyport::connectors::amqp
