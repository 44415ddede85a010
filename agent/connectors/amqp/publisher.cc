#include "agent/connectors/amqp/publisher.h"

#include <fmt/format.h>

namespace sallyport::connectors::amqp {
namespace {

constexpr std::size_t kShortText = 255;  // AMQP's shortstr

StepResult<amqp_field_value_t> field_of(const Value& value) {
  amqp_field_value_t field{};
  switch (value.kind()) {
    case Value::Kind::string:
      field.kind = AMQP_FIELD_KIND_UTF8;
      field.value.bytes = bytes_of(value.as_string());
      return field;
    case Value::Kind::int64:
      field.kind = AMQP_FIELD_KIND_I64;
      field.value.i64 = value.as_int();
      return field;
    case Value::Kind::float64:
      field.kind = AMQP_FIELD_KIND_F64;
      field.value.f64 = value.as_double();
      return field;
    case Value::Kind::boolean:
      field.kind = AMQP_FIELD_KIND_BOOLEAN;
      field.value.boolean = value.as_bool() ? 1 : 0;
      return field;
    default: return step_fail("invalid", "a header is no text, integer, number or boolean");
  }
}

StepResult<std::vector<amqp_table_entry_t>> headers_of(const ValueMap& headers) {
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [name, value] : headers) {
    const bool fits = name.is(Value::Kind::string) && !name.as_string().empty() && name.as_string().size() <= 128;
    if (!fits) return step_fail("invalid", "a header's name is a text of 1 to 128 bytes");
    SP_TRY(const auto field, field_of(value));
    entries.push_back({bytes_of(name.as_string()), field});
  }
  return entries;
}

StepResult<void> check_short(std::string_view text) {
  if (text.size() <= kShortText && !text.contains('\0')) return {};
  return step_fail("invalid", fmt::format("exchange, routing key and properties have at most {} bytes", kShortText));
}

void set(amqp_basic_properties_t& properties, amqp_bytes_t& field, amqp_flags_t flag, std::string_view text) {
  if (text.empty()) return;
  field = bytes_of(text);
  properties._flags |= flag;
}

// Borrows from both.
amqp_basic_properties_t properties_of(const Message& message, std::vector<amqp_table_entry_t>& headers) {
  amqp_basic_properties_t properties{};
  set(properties, properties.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG, message.content_type);
  set(properties, properties.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG, message.correlation_id);
  set(properties, properties.reply_to, AMQP_BASIC_REPLY_TO_FLAG, message.reply_to);
  set(properties, properties.message_id, AMQP_BASIC_MESSAGE_ID_FLAG, message.message_id);
  properties.delivery_mode = static_cast<std::uint8_t>(message.keeping);
  properties._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
  if (headers.empty()) return properties;
  properties.headers = {static_cast<int>(headers.size()), headers.data()};
  properties._flags |= AMQP_BASIC_HEADERS_FLAG;
  return properties;
}

StepError not_known(std::string_view why) {
  return {{"in_doubt"}, fmt::format("it is not known whether the broker has taken the message: {}", why), {}};
}

}  // namespace

StepResult<std::unique_ptr<Publisher>> Publisher::open(const policy::AmqpConnection& settings,
                                                       const vault::Vault& vault, const CallLimits& limits) {
  SP_TRY(auto wire, Wire::open(settings, vault, limits));
  SP_TRY(auto connection, Connection::log_in(std::move(wire), settings, vault, Heartbeat::none, limits));
  amqp_confirm_select_t select{};
  SP_CHECK(connection->call(AMQP_CONFIRM_SELECT_METHOD, &select, AMQP_CONFIRM_SELECT_OK_METHOD, limits));
  return std::unique_ptr<Publisher>(new Publisher(std::move(connection)));
}

StepResult<void> Publisher::publish(const Message& message, const CallLimits& limits) {
  for (const auto* text : {&message.exchange, &message.routing_key, &message.content_type, &message.correlation_id,
                           &message.reply_to, &message.message_id})
    SP_CHECK(check_short(*text));
  in_the_middle_ = true;
  SP_CHECK(send(message, limits));
  ++published_;
  return await_confirm(limits);
}

StepResult<void> Publisher::send(const Message& message, const CallLimits& limits) {
  SP_TRY(auto headers, headers_of(message.headers));
  const auto properties = properties_of(message, headers);
  amqp_basic_publish_t publish{};
  publish.exchange = bytes_of(message.exchange);
  publish.routing_key = bytes_of(message.routing_key);
  publish.mandatory = message.unrouted == Message::Unrouted::refused ? 1 : 0;
  SP_CHECK(connection_->send(AMQP_BASIC_PUBLISH_METHOD, &publish, limits));
  return connection_->send_content(properties, message.body, limits);
}

// A message that no queue gets comes back before it is confirmed.
StepResult<void> Publisher::await_confirm(const CallLimits& limits) {
  StepResult<void> routed;
  for (;;) {
    const auto frame = connection_->receive(limits);
    if (!frame && connection_->was_refused()) return std::unexpected(frame.error());
    if (!frame) return std::unexpected(not_known("the connection broke before it said so, or the step was stopped"));
    if (!*frame) return std::unexpected(not_known("it did not say so in time"));
    if ((*frame)->frame_type != AMQP_FRAME_METHOD) continue;  // what came back
    const auto& method = (*frame)->payload.method;
    if (method.id == AMQP_BASIC_RETURN_METHOD) {
      const auto& back = *static_cast<const amqp_basic_return_t*>(method.decoded);
      routed = std::unexpected(reply_error(back.reply_code, "the broker gives the message back"));
    } else if (method.id == AMQP_BASIC_ACK_METHOD) {
      if (static_cast<const amqp_basic_ack_t*>(method.decoded)->delivery_tag < published_) continue;
      in_the_middle_ = false;
      return routed;
    } else if (method.id == AMQP_BASIC_NACK_METHOD) {
      in_the_middle_ = false;
      return step_fail("constraint", "the broker refuses the message: a queue is full, or failed");
    }
  }
}

}  // namespace sallyport::connectors::amqp
