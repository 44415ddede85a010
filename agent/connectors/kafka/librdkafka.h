#pragma once

#include "agent/platform/shared_library.h"

#include <memory>
#include <string>

#include <librdkafka/rdkafka.h>

namespace sallyport::connectors::kafka {

#define SALLYPORT_LIBRDKAFKA_FUNCTIONS(X)  \
  X(rd_kafka_conf_destroy)                 \
  X(rd_kafka_conf_new)                     \
  X(rd_kafka_conf_set)                     \
  X(rd_kafka_conf_set_dr_msg_cb)           \
  X(rd_kafka_conf_set_error_cb)            \
  X(rd_kafka_conf_set_log_cb)              \
  X(rd_kafka_conf_set_opaque)              \
  X(rd_kafka_consumer_close_queue)         \
  X(rd_kafka_consumer_closed)              \
  X(rd_kafka_consumer_poll)                \
  X(rd_kafka_destroy_flags)                \
  X(rd_kafka_err2str)                      \
  X(rd_kafka_error_code)                   \
  X(rd_kafka_error_destroy)                \
  X(rd_kafka_event_destroy)                \
  X(rd_kafka_header_add)                   \
  X(rd_kafka_header_get_all)               \
  X(rd_kafka_headers_destroy)              \
  X(rd_kafka_headers_new)                  \
  X(rd_kafka_message_destroy)              \
  X(rd_kafka_message_headers)              \
  X(rd_kafka_message_status)               \
  X(rd_kafka_message_timestamp)            \
  X(rd_kafka_metadata)                     \
  X(rd_kafka_metadata_destroy)             \
  X(rd_kafka_new)                          \
  X(rd_kafka_offsets_store)                \
  X(rd_kafka_pause_partitions)             \
  X(rd_kafka_poll)                         \
  X(rd_kafka_poll_set_consumer)            \
  X(rd_kafka_produceva)                    \
  X(rd_kafka_purge)                        \
  X(rd_kafka_queue_destroy)                \
  X(rd_kafka_queue_new)                    \
  X(rd_kafka_queue_poll)                   \
  X(rd_kafka_subscribe)                    \
  X(rd_kafka_topic_destroy)                \
  X(rd_kafka_topic_name)                   \
  X(rd_kafka_topic_new)                    \
  X(rd_kafka_topic_partition_list_add)     \
  X(rd_kafka_topic_partition_list_destroy) \
  X(rd_kafka_topic_partition_list_new)

// The functions of librdkafka, under their own names.
struct Librdkafka {
  SALLYPORT_LIBRDKAFKA_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// Errors: not_found, with what to install.
Result<Librdkafka> open_librdkafka(const std::string& file = "librdkafka.so.1");

// librdkafka is loaded by the first connection to a Kafka cluster (docs/decisions/0015).
Result<void> load_librdkafka();
// After load_librdkafka.
const Librdkafka& librdkafka();

struct FreeMessage {
  void operator()(rd_kafka_message_t* message) const { librdkafka().rd_kafka_message_destroy(message); }
};
using MessageOwner = std::unique_ptr<rd_kafka_message_t, FreeMessage>;
struct FreePartitions {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    librdkafka().rd_kafka_topic_partition_list_destroy(list);
  }
};
using PartitionsOwner = std::unique_ptr<rd_kafka_topic_partition_list_t, FreePartitions>;

}  // namespace sallyport::connectors::kafka
