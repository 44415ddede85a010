#include "agent/connectors/amqp/consumer.h"

#include "agent/connectors/amqp/field_value.h"
#include "agent/connectors/message.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

namespace sallyport::connectors::amqp {
namespace {

// A message with an id is known by it when it comes again. Its body counts too: senders that give two messages one id
// lose none.
std::string natural_key(const ConsumeOrder& order, const std::string& message_id, const std::string& body) {
  const auto place = fmt::format("amqp:{}:{}", order.connection, order.queue);
  if (message_id.empty()) return fmt::format("{}:unnamed:{}", place, hex(crypto::random_bytes(16)));
  return fmt::format("{}:{}:{}", place, hex(crypto::sha256(as_bytes(message_id))), hex(crypto::sha256(as_bytes(body))));
}

Value text_or_empty(amqp_flags_t flags, amqp_flags_t flag, amqp_bytes_t bytes) {
  return (flags & flag) == 0 ? Value("") : text_or_base64(text_of(bytes));
}

}  // namespace

StepResult<std::unique_ptr<Consumer>> QueueConsumer::open(const policy::AmqpConnection& settings,
                                                          const vault::Vault& vault, ConsumeOrder order,
                                                          const CallLimits& limits) {
  SP_TRY(auto wire, Wire::open(settings, vault, limits));
  SP_TRY(auto connection, Connection::log_in(std::move(wire), settings, vault, Heartbeat::half_a_minute, limits));
  std::unique_ptr<QueueConsumer> consumer(new QueueConsumer(std::move(connection), std::move(order)));
  SP_CHECK(consumer->begin(
      {std::min(limits.deadline, std::chrono::steady_clock::now() + settings.connect_timeout), limits.stop}));
  return consumer;
}

StepResult<void> QueueConsumer::begin(const CallLimits& limits) {
  amqp_basic_qos_t qos{0, order_.prefetch, 0};
  SP_CHECK(connection_->call(AMQP_BASIC_QOS_METHOD, &qos, AMQP_BASIC_QOS_OK_METHOD, limits));
  amqp_basic_consume_t consume{};
  consume.queue = bytes_of(order_.queue);
  SP_CHECK(connection_->call(AMQP_BASIC_CONSUME_METHOD, &consume, AMQP_BASIC_CONSUME_OK_METHOD, limits));
  return {};
}

StepResult<std::optional<Delivery>> QueueConsumer::next(const CallLimits& limits) {
  for (;;) {
    SP_TRY(const auto frame, connection_->receive(limits));
    if (!frame) return std::nullopt;
    SP_CHECK(take(*frame));
    if (!incoming_ || !incoming_->has_head || incoming_->missing > 0) continue;
    auto whole = *std::move(incoming_);
    incoming_.reset();
    return finished(std::move(whole));
  }
}

StepResult<void> QueueConsumer::take(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD) return take_method(frame.payload.method);
  if (frame.frame_type == AMQP_FRAME_HEADER && incoming_ && !incoming_->has_head) {
    const auto& head = frame.payload.properties;
    take_head(*incoming_, *static_cast<const amqp_basic_properties_t*>(head.decoded), head.body_size);
    return {};
  }
  const auto piece = frame.payload.body_fragment;
  if (frame.frame_type != AMQP_FRAME_BODY || !incoming_ || !incoming_->has_head || piece.len > incoming_->missing)
    return step_fail("connection", "the broker does not keep to the protocol");
  incoming_->missing -= piece.len;
  if (!incoming_->is_too_large) incoming_->body += text_of(piece);
  return {};
}

StepResult<void> QueueConsumer::take_method(const amqp_method_t& method) {
  if (method.id == AMQP_BASIC_CANCEL_METHOD)
    return step_fail("not_found", "the broker hands out nothing more: the queue was deleted, or moved");
  if (method.id != AMQP_BASIC_DELIVER_METHOD || incoming_)
    return step_fail("connection", "the broker does not keep to the protocol");
  const auto& deliver = *static_cast<const amqp_basic_deliver_t*>(method.decoded);
  incoming_ = Incoming{.number = deliver.delivery_tag,
                       .data = {{"exchange", text_or_base64(text_of(deliver.exchange))},
                                {"routing_key", text_or_base64(text_of(deliver.routing_key))},
                                {"redelivered", Value(deliver.redelivered != 0)}}};
  return {};
}

void QueueConsumer::take_head(Incoming& incoming, const amqp_basic_properties_t& properties, std::uint64_t size) {
  incoming.has_head = true;
  incoming.missing = size;
  incoming.is_too_large = size > kMostEventBytes;
  const auto flags = properties._flags;
  auto& data = incoming.data;
  data.emplace("content_type", text_or_empty(flags, AMQP_BASIC_CONTENT_TYPE_FLAG, properties.content_type));
  data.emplace("correlation_id", text_or_empty(flags, AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id));
  data.emplace("reply_to", text_or_empty(flags, AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to));
  auto id = text_or_empty(flags, AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id);
  incoming.message_id = id.as_string();
  data.emplace("message_id", std::move(id));
  const bool has_headers = (flags & AMQP_BASIC_HEADERS_FLAG) != 0;
  data.emplace("headers", has_headers ? Value(values_of(properties.headers)) : Value(ValueMap()));
}

Delivery QueueConsumer::finished(Incoming incoming) const {
  Delivery delivery{.number = incoming.number, .event = {.comes_once = true}};
  auto& event = delivery.event;
  event.natural_key = natural_key(order_, incoming.message_id, incoming.body);
  add_body(incoming.data, std::move(incoming.body));
  event.data = Value(std::move(incoming.data));
  if (incoming.is_too_large || !fits_event(event.data))
    delivery.unusable = fmt::format("a message is too large for the data of a trigger ({} KiB)", kMostEventBytes >> 10);
  return delivery;
}

StepResult<void> QueueConsumer::settle(const Delivery& delivery, Settlement settlement, const CallLimits& limits) {
  SP_CHECK(connection_->stay(limits));
  if (settlement == Settlement::held) return {};
  if (settlement == Settlement::taken) {
    amqp_basic_ack_t ack{delivery.number, 0};
    return connection_->send(AMQP_BASIC_ACK_METHOD, &ack, limits);
  }
  amqp_basic_reject_t reject{delivery.number, 0};
  return connection_->send(AMQP_BASIC_REJECT_METHOD, &reject, limits);
}

}  // namespace sallyport::connectors::amqp
