#pragma once

#include "agent/connectors/kafka/client.h"
#include "shared/base/value.h"

#include <set>

namespace sallyport::connectors::kafka {

struct Record {
  std::string topic, value;
  std::optional<std::string> key;
  std::optional<std::int32_t> partition;  // without one the key chooses, as in Java's clients
  ValueMap headers;                       // texts
};

struct Place {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

// An idempotent producer: a record that it sends again inside one call is there once. Every replica in sync has what it
// was told was delivered (acks=all).
class Producer {
 public:
  static StepResult<std::unique_ptr<Producer>> open(const policy::KafkaConnection& settings, const vault::Vault& vault,
                                                    const CallLimits& limits);

  // Returns when the cluster has the record. Class "in_doubt" when it was sent and no report came, also by the limits.
  StepResult<Place> produce(const Record& record, const CallLimits& limits);
  bool is_usable() const { return usable_; }

 private:
  // What became of the record under way; made with it, and told by Client's poll.
  struct Report {
    bool is_there = false;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_msg_status_t status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    Place place;
  };
  explicit Producer(std::unique_ptr<Client> client) : client_(std::move(client)) {}
  static void note(rd_kafka_t* handle, const rd_kafka_message_t* message, void* self);
  StepResult<void> send(const Record& record, Report& report);
  void await(Report& report, const CallLimits& limits);

  std::unique_ptr<Client> client_;
  std::set<std::string, std::less<>> known_topics_;
  bool usable_ = true;
};

}  // namespace sallyport::connectors::kafka
