#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kAmqp{"amqp"sv};
constexpr std::array kSendErrors{"connection"sv, "timeout"sv,    "policy"sv,     "invalid"sv,
                                 "not_found"sv,  "constraint"sv, "permission"sv, "too_large"sv,
                                 "changed"sv,    "disk_full"sv,  "format"sv,     "in_doubt"sv};
constexpr std::array kKafka{"kafka"sv};
constexpr std::array kOneBody{"text"sv, "json"sv, "body"sv};

constexpr Field kText{.name = "text", .types = Types::text | Types::bytes, .doc = "the message as it is"};
constexpr Field kJson{.name = "json", .types = Types::any, .doc = "the message as JSON, made of this value"};
constexpr Field kBody{.name = "body", .types = Types::body, .doc = "the message as a body; held in memory as a whole"};

constexpr std::array kPublishFields{
    Field{.name = "exchange",
          .doc = "where it goes; empty: to the queue that the routing key names",
          .default_json = "\"\""},
    Field{.name = "routing_key", .doc = "what the exchange chooses queues by", .default_json = "\"\""},
    kText,
    kJson,
    kBody,
    Field{.name = "content_type", .doc = "its media type; without it `application/json` for `json`, else none"},
    Field{.name = "headers", .types = Types::map, .doc = "headers by name: texts, integers, numbers, true and false"},
    Field{.name = "correlation_id", .doc = "for whoever relates messages"},
    Field{.name = "reply_to", .doc = "where answers go"},
    Field{.name = "message_id",
          .doc = "by which receivers know a message that comes twice; without it one made for the step, the same for "
                 "every run of it"},
    Field{.name = "persistent",
          .types = Types::boolean,
          .doc = "durable queues keep it over a restart of the broker",
          .default_json = "true"},
    Field{.name = "mandatory",
          .types = Types::boolean,
          .doc = "an error (`not_found`) when no queue gets it",
          .default_json = "true"}};
constexpr std::array kPublishOutput{OutputField{"message_id", Types::text, "the message's id"},
                                    OutputField{"bytes", Types::integer, "its size, without headers"}};

constexpr std::array kProduceFields{
    Field{.name = "topic", .traits = Traits::required, .doc = "where it goes; it has to be there"},
    Field{.name = "key", .doc = "records with one key keep their order; without it any partition is chosen"},
    kText,
    kJson,
    kBody,
    Field{.name = "headers", .types = Types::map, .doc = "headers by name: texts"},
    Field{.name = "partition",
          .types = Types::integer,
          .doc = "which one, instead of the key's choice",
          .min = 0,
          .max = 1'000'000}};
constexpr std::array kProduceOutput{OutputField{"partition", Types::integer, "where the record is"},
                                    OutputField{"offset", Types::integer, "its number there"},
                                    OutputField{"bytes", Types::integer, "its size, without key and headers"}};

constexpr std::array kActions{
    ActionInfo{.name = "amqp.publish@1",
               .doc = "Publishes a message and waits until the broker confirms that it has taken it.",
               .connections = kAmqp,
               .fields = kPublishFields,
               .exactly_one = kOneBody,
               .output = kPublishOutput,
               .effect = Effect::write,
               .repeat = Repeat::unknown,
               .error_classes = kSendErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "kafka.produce@1",
               .doc = "Produces a record and waits until every replica in sync has it.",
               .connections = kKafka,
               .fields = kProduceFields,
               .exactly_one = kOneBody,
               .output = kProduceOutput,
               .effect = Effect::write,
               .repeat = Repeat::unknown,
               .error_classes = kSendErrors,
               .dry_run = DryRun::planned},
};

constexpr std::array kHoldOrReject{"hold"sv, "reject"sv};
constexpr std::array kConsumeFields{
    Field{.name = "queue", .traits = Traits::required | Traits::literal_only, .doc = "it has to be there"},
    Field{.name = "prefetch",
          .types = Types::integer,
          .traits = Traits::literal_only,
          .doc = "messages that the broker hands out before it gets an acknowledgement",
          .default_json = "10",
          .min = 1,
          .max = 1'000},
    Field{.name = "unusable",
          .traits = Traits::literal_only,
          .doc =
              "what becomes of a message that can start no job: `hold` leaves it unacknowledged, within `prefetch`, "
              "until the connection ends; `reject` gives it to the queue's dead-letter exchange, or drops it when it "
              "has none",
          .default_json = "\"hold\"",
          .choices = kHoldOrReject}};
constexpr OutputField kDataBody{"body", Types::text, "the message as text; null when it is none (UTF-8)"};
constexpr OutputField kDataBase64{"base64", Types::text, "the message in base64, when it is no text; else null"};
constexpr OutputField kDataJson{"json", Types::any,
                                "the message as a value, when it is a JSON object or list; else null"};
constexpr OutputField kDataHeaders{"headers", Types::map, "headers by name"};
constexpr std::array kAmqpData{
    kDataBody,
    kDataBase64,
    kDataJson,
    kDataHeaders,
    OutputField{"content_type", Types::text, "the media type that it says it has; may be empty, as all below"},
    OutputField{"message_id", Types::text, "the id that the sender gave it"},
    OutputField{"correlation_id", Types::text, "what it belongs to"},
    OutputField{"reply_to", Types::text, "where an answer goes"},
    OutputField{"exchange", Types::text, "where it was published to"},
    OutputField{"routing_key", Types::text, "with which key"},
    OutputField{"redelivered", Types::boolean, "the broker has handed it out before"}};

constexpr std::array kHoldOrSkip{"hold"sv, "skip"sv};
constexpr std::array kStarts{"earliest"sv, "latest"sv};
constexpr std::array kKafkaFields{
    Field{.name = "topic", .traits = Traits::required | Traits::literal_only, .doc = "it has to be there"},
    Field{.name = "group",
          .traits = Traits::required | Traits::literal_only,
          .doc = "the consumers that share the topic's records; the cluster remembers how far it has come"},
    Field{.name = "start",
          .traits = Traits::literal_only,
          .doc = "where a group begins that the cluster knows nothing of",
          .default_json = "\"earliest\"",
          .choices = kStarts},
    Field{.name = "unusable",
          .traits = Traits::literal_only,
          .doc = "what becomes of a record that can start no job: `hold` stops its partition there until the session "
                 "ends, then it is tried again; `skip` goes on behind it",
          .default_json = "\"hold\"",
          .choices = kHoldOrSkip}};
constexpr std::array kKafkaData{kDataBody,
                                kDataBase64,
                                kDataJson,
                                kDataHeaders,
                                OutputField{"key", Types::text, "its key (base64 when it is no text), or null"},
                                OutputField{"topic", Types::text, "the topic"},
                                OutputField{"partition", Types::integer, "where the record is"},
                                OutputField{"offset", Types::integer, "its number there"},
                                OutputField{"timestamp", Types::integer, "its time, in milliseconds since 1970"}};

constexpr std::array kTriggers{
    TriggerInfo{
        .name = "amqp.consume@1",
        .doc =
            "Starts for each message of a queue, also while the link is down. A message is acknowledged when its job "
            "is "
            "kept on this machine; one that comes again with the same `message_id` and body starts no second job. Its "
            "data has at most 240 KiB (`docs/connectors/amqp.md`).",
        .connections = kAmqp,
        .fields = kConsumeFields,
        .data = kAmqpData},
    TriggerInfo{
        .name = "kafka.consume@1",
        .doc =
            "Starts for each record of a topic, also while the link is down. The group's offset moves on when the job "
            "is kept on this machine; a record that comes again starts no second job. Its data has at most 240 KiB "
            "(`docs/connectors/kafka.md`).",
        .connections = kKafka,
        .fields = kKafkaFields,
        .data = kKafkaData}};

}  // namespace

std::span<const ActionInfo> brokers() { return kActions; }
std::span<const TriggerInfo> broker_triggers() { return kTriggers; }

}  // namespace sallyport::recipe::tables
