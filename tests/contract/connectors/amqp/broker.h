#pragma once

#include "agent/connectors/amqp/amqp_actions.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "tests/support/connector_site.h"
#include "tests/support/pki.h"
#include "tests/support/rabbitmq.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::test {

// The broker of this test program, and the files of its certificate: good for 127.0.0.1.
struct Broker {
  static Broker& get();
  // A durable queue that no other test uses; empty.
  std::string fresh_queue();

  TempDir files;
  Pki pki;
  std::string ca, other_ca, password, wrong_password, client_certificate, client_key;
  std::unique_ptr<RabbitMq> rabbit;

 private:
  explicit Broker(const Clock& clock);
  int queues_ = 0;
};

// An agent with one connection "mq".
struct Messenger {
  // `settings` stand beside host and kind; without them the test program's broker, in clear text.
  explicit Messenger(const std::string& settings = "");

  connectors::StepResult<Value> publish(ValueMap arguments);
  std::string classes(ValueMap arguments);  // of the error, joined by a comma; "none"

  std::unique_ptr<ConnectorSite> agent;
  std::unique_ptr<connectors::Action> action;
};

// amqp.consume@1 on one queue, and what its sink was given.
struct Consumed {
  Consumed(boost::asio::any_io_executor executor, std::string queue, const std::string& settings = "");

  void start(ValueMap more = {});
  boost::asio::awaitable<void> until(std::function<bool()> done);
  boost::asio::awaitable<void> stop();
  std::string bodies() const;  // of the events, each with a blank behind it

  Messenger messenger;
  std::vector<connectors::TriggerEvent> events;
  std::vector<std::string> troubles;
  std::string failure;  // class of the sink's error; empty: it takes events
  int offered = 0;
  std::optional<connectors::StepResult<void>> ended;

 private:
  boost::asio::awaitable<void> consume(ValueMap arguments);
  boost::asio::awaitable<connectors::StepResult<void>> take(connectors::TriggerEvent event);

  boost::asio::any_io_executor executor_;
  std::string queue_;
  connectors::amqp::ConsumeTrigger trigger_;
  Event changed_;
  std::unique_ptr<TaskGroup> tasks_;
};

}  // namespace sallyport::test
