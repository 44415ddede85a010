#include "agent/connectors/kafka/consumer.h"

#include "agent/connectors/message.h"

#include <fmt/format.h>

namespace sallyport::connectors::kafka {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kClosing{5}, kAnswering{2};

struct FreeQueue {
  void operator()(rd_kafka_queue_t* queue) const { librdkafka().rd_kafka_queue_destroy(queue); }
};

void drop(rd_kafka_event_t* event) {
  if (event != nullptr) librdkafka().rd_kafka_event_destroy(event);
}

std::string_view bytes_of(const void* at, std::size_t size) { return {static_cast<const char*>(at), size}; }

ValueMap headers_of(const rd_kafka_message_t& message) {
  ValueMap map;
  rd_kafka_headers_t* headers = nullptr;
  if (librdkafka().rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return map;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       librdkafka().rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    add_header(map, name, value == nullptr ? Value() : text_or_base64(bytes_of(value, size)));
  return map;
}

void add_value(ValueMap& data, const rd_kafka_message_t& message) {
  if (message.payload != nullptr) return add_body(data, std::string(bytes_of(message.payload, message.len)));
  for (const char* name : {"body", "base64", "json"}) data.insert_or_assign(name, Value());  // the key was deleted
}

}  // namespace

StepResult<std::unique_ptr<Consumer>> TopicConsumer::open(const policy::KafkaConnection& settings,
                                                          const vault::Vault& vault, ConsumeOrder order,
                                                          const CallLimits& limits) {
  SP_TRY(auto client, Client::make(RD_KAFKA_CONSUMER, settings, vault,
                                   {{"group.id", order.group},
                                    {"auto.offset.reset", order.start},
                                    {"enable.auto.commit", "true"},
                                    {"auto.commit.interval.ms", "1000"},
                                    {"enable.auto.offset.store", "false"},
                                    {"allow.auto.create.topics", "false"},
                                    {"max.poll.interval.ms", "86400000"},  // a record may wait for room for long
                                    {"queued.min.messages", "100"},
                                    {"queued.max.messages.kbytes", "2048"},
                                    {"fetch.message.max.bytes", "1048576"}}));
  SP_CHECK(client->look_for(order.topic, limits));
  std::unique_ptr<TopicConsumer> consumer(new TopicConsumer(std::move(client), std::move(order)));
  SP_CHECK(consumer->subscribe());
  return consumer;
}

StepResult<void> TopicConsumer::subscribe() {
  const auto& lib = librdkafka();
  lib.rd_kafka_poll_set_consumer(client_->get());
  const PartitionsOwner topics(lib.rd_kafka_topic_partition_list_new(1));
  lib.rd_kafka_topic_partition_list_add(topics.get(), order_.topic.c_str(), RD_KAFKA_PARTITION_UA);
  const auto code = lib.rd_kafka_subscribe(client_->get(), topics.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return std::unexpected(kafka_error(code, "the topic cannot be subscribed to"));
}

// Leaves the group, so that others need not wait for its silence, and has the offsets kept. A cluster that does not
// answer is not waited for.
TopicConsumer::~TopicConsumer() {
  const auto& lib = librdkafka();
  const std::unique_ptr<rd_kafka_queue_t, FreeQueue> events(lib.rd_kafka_queue_new(client_->get()));
  auto* const failed = lib.rd_kafka_consumer_close_queue(client_->get(), events.get());
  if (failed != nullptr) lib.rd_kafka_error_destroy(failed);
  const auto until = SteadyClock::now() + kClosing;
  while (failed == nullptr && lib.rd_kafka_consumer_closed(client_->get()) == 0 && SteadyClock::now() < until)
    drop(lib.rd_kafka_queue_poll(events.get(), kSliceMs));  // records that nobody asked for any more
}

StepResult<std::optional<Delivery>> TopicConsumer::next(const CallLimits& limits) {
  while (SteadyClock::now() < limits.deadline) {
    if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    const MessageOwner message(librdkafka().rd_kafka_consumer_poll(client_->get(), kSliceMs));
    if (const auto refused = client_->refusal()) return std::unexpected(*refused);
    if (!message || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) continue;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::unexpected(kafka_error(message->err, "the topic cannot be read"));
    return delivery_of(*message);
  }
  if (client_->was_cut_off()) SP_CHECK(client_->look_for("", {SteadyClock::now() + kAnswering, limits.stop}));
  return std::nullopt;
}

Delivery TopicConsumer::delivery_of(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t type{};
  const auto time = librdkafka().rd_kafka_message_timestamp(&message, &type);
  last_partition_ = message.partition;
  last_offset_ = message.offset;
  // With its time, because a topic that is deleted and made again begins anew with its offsets.
  Delivery delivery{.event = {.natural_key = fmt::format("kafka:{}:{}:{}:{}:{}", order_.connection, order_.topic,
                                                         message.partition, message.offset, time),
                              .comes_once = true}};
  ValueMap data{{"topic", order_.topic},
                {"partition", Value(std::int64_t{message.partition})},
                {"offset", Value(message.offset)},
                {"timestamp", Value(time)},
                {"headers", Value(headers_of(message))}};
  data.insert_or_assign("key",
                        message.key == nullptr ? Value() : text_or_base64(bytes_of(message.key, message.key_len)));
  if (message.len <= kMostEventBytes) add_value(data, message);
  delivery.event.data = Value(std::move(data));
  if (message.len > kMostEventBytes || !fits_event(delivery.event.data))
    delivery.unusable = fmt::format("a record is too large for the data of a trigger ({} KiB)", kMostEventBytes >> 10);
  return delivery;
}

PartitionsOwner TopicConsumer::place_of_last(std::int64_t offset) const {
  PartitionsOwner places(librdkafka().rd_kafka_topic_partition_list_new(1));
  librdkafka().rd_kafka_topic_partition_list_add(places.get(), order_.topic.c_str(), last_partition_)->offset = offset;
  return places;
}

// An offset that cannot be kept belongs to a partition that somebody else of the group has now.
StepResult<void> TopicConsumer::settle(const Delivery&, Settlement settlement, const CallLimits&) {
  const auto places = place_of_last(last_offset_ + 1);
  if (settlement == Settlement::held) {
    librdkafka().rd_kafka_pause_partitions(client_->get(), places.get());
  } else {
    librdkafka().rd_kafka_offsets_store(client_->get(), places.get());
  }
  return {};
}

}  // namespace sallyport::connectors::kafka
