#pragma once

#include "agent/connectors/amqp/connection.h"
#include "shared/base/value.h"

namespace sallyport::connectors::amqp {

struct Message {
  std::string exchange, routing_key;
  std::string content_type, correlation_id, reply_to, message_id;  // empty: left out
  ValueMap headers;                                                // texts, integers, numbers, booleans
  enum class Keeping { memory = 1, disk = 2 } keeping = Keeping::disk;
  enum class Unrouted { dropped, refused } unrouted = Unrouted::refused;
  std::string body;
};

// A connection whose broker confirms what it takes.
class Publisher {
 public:
  static StepResult<std::unique_ptr<Publisher>> open(const policy::AmqpConnection& settings, const vault::Vault& vault,
                                                     const CallLimits& limits);

  // Returns when the broker has taken the message. Class "not_found" when no queue gets it, or the exchange is not
  // there; "in_doubt" when it was whole and the broker did not say, also by the limits; "invalid" for a header that
  // AMQP cannot hold.
  StepResult<void> publish(const Message& message, const CallLimits& limits);
  bool is_usable() const { return !in_the_middle_ && connection_->is_usable(); }

 private:
  explicit Publisher(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
  StepResult<void> send(const Message& message, const CallLimits& limits);
  StepResult<void> await_confirm(const CallLimits& limits);

  std::unique_ptr<Connection> connection_;
  std::uint64_t published_ = 0;  // on this channel: the number of the last one's confirm
  bool in_the_middle_ = false;
};

}  // namespace sallyport::connectors::amqp
