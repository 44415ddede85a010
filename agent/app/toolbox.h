#pragma once

#include "agent/connectors/amqp/amqp_actions.h"
#include "agent/connectors/connection_test.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/file/file_watch_trigger.h"
#include "agent/connectors/kafka/kafka_actions.h"
#include "agent/connectors/site.h"
#include "agent/connectors/sql/poll_trigger.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <vector>

namespace sallyport::app {

// Every connector this agent has, built once. `site` and `pool` outlive it.
class Toolbox {
 public:
  Toolbox(connectors::Site site, boost::asio::thread_pool& pool);

  std::vector<connectors::Action*> actions() const;
  std::vector<connectors::TriggerSource*> triggers();
  std::vector<connectors::HandleOpener*> openers() const;

 private:
  void add(std::vector<std::unique_ptr<connectors::Action>> actions, const connectors::Site& site);

  connectors::sql::SharedDatabases databases_;
  std::vector<std::unique_ptr<connectors::Action>> actions_;
  std::vector<std::unique_ptr<connectors::HandleOpener>> openers_;
  connectors::file::FileWatchTrigger file_watch_;
  connectors::sql::PollTrigger sql_poll_;
  std::vector<std::unique_ptr<connectors::TriggerSource>> watches_;  // of servers, and for requests
  connectors::amqp::ConsumeTrigger amqp_consume_;
  connectors::kafka::ConsumeTrigger kafka_consume_;
};

// One for each kind of connection.
std::vector<std::unique_ptr<connectors::ConnectionTest>> make_connection_tests(const connectors::Site& site);

}  // namespace sallyport::app
