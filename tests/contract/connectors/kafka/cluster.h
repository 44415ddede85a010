#pragma once

#include "agent/connectors/kafka/kafka_actions.h"
#include "agent/connectors/kafka/librdkafka.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "tests/support/connector_site.h"

#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::test {

#define SALLYPORT_KAFKA_MOCK_FUNCTIONS(X)    \
  X(rd_kafka_committed)                      \
  X(rd_kafka_mock_broker_set_down)           \
  X(rd_kafka_mock_broker_set_rtt)            \
  X(rd_kafka_mock_broker_set_up)             \
  X(rd_kafka_mock_cluster_bootstraps)        \
  X(rd_kafka_mock_cluster_destroy)           \
  X(rd_kafka_mock_cluster_new)               \
  X(rd_kafka_mock_push_request_errors_array) \
  X(rd_kafka_mock_topic_create)

// The cluster that librdkafka brings for tests, with one broker on a loopback port, and an agent with the connection
// "events" to it. It knows neither TLS nor logins.
class Cluster {
 public:
  Cluster();
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  std::string address() const;
  void topic(const std::string& name, int partitions = 1);
  void down();  // its broker is gone, and refuses connections
  void up();
  void slow(std::chrono::milliseconds answering);
  // Its answers to the next requests of this kind.
  void answer(std::int16_t request, std::vector<rd_kafka_resp_err_t> errors);

  // By Debian's kcat, past the agent.
  void put(const std::string& topic, const std::string& text, const std::string& more = "") const;
  std::string get(const std::string& topic, const std::string& format = "%s\n") const;  // all of it
  // Where the group "sallyport" goes on in "orders"; -1001 when the cluster knows nothing of it.
  std::int64_t committed(std::int32_t partition = 0) const;

 private:
  struct Functions {
    SALLYPORT_KAFKA_MOCK_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
  };
  Result<void> find_functions();

  TempDir dir_;
  Functions functions_;
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

struct Sender {
  // `settings` stand beside kind; without them the cluster's address, in clear text.
  explicit Sender(const std::string& settings);
  connectors::StepResult<Value> produce(ValueMap arguments);  // to the topic "orders" unless it says otherwise
  std::string classes(ValueMap arguments);                    // of the error, joined by a comma; "none"

  std::unique_ptr<ConnectorSite> agent;
  std::unique_ptr<connectors::Action> action;
};
std::string clear_text(const std::string& address);

// kafka.consume@1 on the topic "orders", and what its sink was given.
struct Consumed {
  Consumed(boost::asio::any_io_executor executor, const std::string& address);
  void start(ValueMap more = {});
  boost::asio::awaitable<void> until(std::function<bool()> done);
  boost::asio::awaitable<void> stop();
  std::string bodies() const;  // of the events, each with a blank behind it
  bool told(std::string_view word) const;

  Sender sender;
  std::vector<connectors::TriggerEvent> events;
  std::vector<std::string> troubles;
  std::function<std::string(const connectors::TriggerEvent&)> failure;  // class of the sink's error; "": it takes it
  int offered = 0;
  std::optional<connectors::StepResult<void>> ended;

 private:
  boost::asio::awaitable<void> consume(ValueMap arguments);
  boost::asio::awaitable<connectors::StepResult<void>> take(connectors::TriggerEvent event);

  boost::asio::any_io_executor executor_;
  connectors::kafka::ConsumeTrigger trigger_;
  Event changed_;
  std::unique_ptr<TaskGroup> tasks_;
};

}  // namespace sallyport::test
