#include "agent/connectors/kafka/producer.h"

#include <fmt/format.h>

#include <vector>

namespace sallyport::connectors::kafka {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct FreeHeaders {
  void operator()(rd_kafka_headers_t* headers) const { librdkafka().rd_kafka_headers_destroy(headers); }
};
using HeadersOwner = std::unique_ptr<rd_kafka_headers_t, FreeHeaders>;

StepResult<HeadersOwner> headers_of(const ValueMap& headers) {
  HeadersOwner made(librdkafka().rd_kafka_headers_new(headers.size()));
  for (const auto& [name, value] : headers) {
    if (!name.is(Value::Kind::string) || name.as_string().empty() || !value.is(Value::Kind::string))
      return step_fail("invalid", "a header has a name and is a text");
    const auto& [key, text] = std::pair(name.as_string(), value.as_string());
    librdkafka().rd_kafka_header_add(made.get(), key.data(), static_cast<ssize_t>(key.size()), text.data(),
                                     static_cast<ssize_t>(text.size()));
  }
  return made;
}

rd_kafka_vu_t bytes(rd_kafka_vtype_t type, const std::string& text) {
  rd_kafka_vu_t part{};
  part.vtype = type;
  part.u.mem = {const_cast<char*>(text.data()), text.size()};
  return part;
}

}  // namespace

StepResult<std::unique_ptr<Producer>> Producer::open(const policy::KafkaConnection& settings, const vault::Vault& vault,
                                                     const CallLimits& limits) {
  SP_TRY(auto client, Client::make(RD_KAFKA_PRODUCER, settings, vault,
                                   {{"enable.idempotence", "true"},
                                    {"acks", "all"},
                                    {"linger.ms", "0"},
                                    {"message.timeout.ms", "0"},  // our own limits purge it
                                    {"message.max.bytes", std::to_string(settings.max_message + (64u << 10))},
                                    {"partitioner", "murmur2_random"},
                                    {"topic.metadata.propagation.max.ms", "1000"}},
                                   note));
  SP_CHECK(client->look_for("", limits));
  return std::unique_ptr<Producer>(new Producer(std::move(client)));
}

void Producer::note(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto& report = *static_cast<Report*>(message->_private);
  report = {true, message->err, librdkafka().rd_kafka_message_status(message), {message->partition, message->offset}};
}

StepResult<Place> Producer::produce(const Record& record, const CallLimits& limits) {
  if (!known_topics_.contains(record.topic)) {
    SP_CHECK(client_->look_for(record.topic, limits));
    known_topics_.insert(record.topic);
  }
  Report report;
  SP_CHECK(send(record, report));
  await(report, limits);
  if (report.error == RD_KAFKA_RESP_ERR_NO_ERROR) return report.place;
  usable_ = false;
  if (report.status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
    return step_fail("in_doubt", fmt::format("it is not known whether the cluster has the record: {}",
                                             librdkafka().rd_kafka_err2str(report.error)));
  if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (SteadyClock::now() >= limits.deadline) return step_fail("timeout", "the cluster did not take the record in time");
  return std::unexpected(kafka_error(report.error, "the cluster does not take the record"));
}

StepResult<void> Producer::send(const Record& record, Report& report) {
  SP_TRY(auto headers, headers_of(record.headers));
  std::vector<rd_kafka_vu_t> parts;
  rd_kafka_vu_t part{};
  part.vtype = RD_KAFKA_VTYPE_TOPIC;
  part.u.cstr = record.topic.c_str();
  parts.push_back(part);
  parts.push_back(bytes(RD_KAFKA_VTYPE_VALUE, record.value));
  if (record.key) parts.push_back(bytes(RD_KAFKA_VTYPE_KEY, *record.key));
  part.vtype = RD_KAFKA_VTYPE_PARTITION;
  part.u.i32 = record.partition.value_or(RD_KAFKA_PARTITION_UA);
  parts.push_back(part);
  part.vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  part.u.i = RD_KAFKA_MSG_F_COPY;
  parts.push_back(part);
  part.vtype = RD_KAFKA_VTYPE_OPAQUE;
  part.u.ptr = &report;
  parts.push_back(part);
  part.vtype = RD_KAFKA_VTYPE_HEADERS;
  part.u.headers = headers.get();
  if (!record.headers.empty()) parts.push_back(part);
  auto* const failed = librdkafka().rd_kafka_produceva(client_->get(), parts.data(), parts.size());
  if (failed == nullptr) {
    if (!record.headers.empty()) (void)headers.release();  // librdkafka's now
    return {};
  }
  const auto code = librdkafka().rd_kafka_error_code(failed);
  librdkafka().rd_kafka_error_destroy(failed);
  return std::unexpected(kafka_error(code, "the record cannot be sent"));
}

// Until the report is there: with the limits the record is taken back, which is reported too.
void Producer::await(Report& report, const CallLimits& limits) {
  while (!report.is_there) {
    if (limits.stop.stop_requested() || SteadyClock::now() >= limits.deadline)
      librdkafka().rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    librdkafka().rd_kafka_poll(client_->get(), kSliceMs);
  }
}

}  // namespace sallyport::connectors::kafka
