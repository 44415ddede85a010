#pragma once

#include "agent/connectors/trigger.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "tests/support/connector_site.h"

#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::test {

// A run of a trigger that watches a server, and what it was given.
class WatchedServer {
 public:
  WatchedServer(boost::asio::any_io_executor executor, connectors::TriggerSource& trigger, std::string connection)
      : trigger_(trigger),
        connection_(std::move(connection)),
        arrived_(executor),
        tasks_(executor, [](auto&, auto) { FAIL("no task throws"); }) {}

  void start(ValueMap arguments) { tasks_.spawn("watch", watch(std::move(arguments))); }
  boost::asio::awaitable<bool> wait_for(std::size_t count) {
    co_await wait([this, count] { return events.size() >= count; });
    co_return events.size() == count;
  }
  boost::asio::awaitable<bool> hears(std::string part) {
    const auto told = [&] {
      return std::ranges::any_of(troubles, [&](const auto& text) { return text.contains(part); });
    };
    co_await wait(told);
    co_return told();
  }
  boost::asio::awaitable<void> finish() {
    tasks_.stop();
    co_await tasks_.join();
  }
  std::string name_of(std::size_t index) const { return events.at(index).data.find("file")->find("name")->as_string(); }

  std::vector<connectors::TriggerEvent> events;
  std::vector<std::string> troubles;
  std::optional<connectors::StepResult<void>> ended;
  int failures = 0;  // of the sink, before it takes an event

 private:
  boost::asio::awaitable<void> watch(ValueMap arguments) {
    auto sink = [this](connectors::TriggerEvent event) { return take(std::move(event)); };
    auto trouble = [this](auto, std::string message) { return hear(std::move(message)); };
    ended = co_await trigger_.run({"orders", connection_, Value(std::move(arguments))}, sink, trouble);
    arrived_.set();
  }
  boost::asio::awaitable<connectors::StepResult<void>> take(connectors::TriggerEvent event) {
    if (failures > 0) {
      --failures;
      co_return connectors::step_fail("disk_full", "the journal is full");
    }
    events.push_back(std::move(event));
    arrived_.set();
    co_return connectors::StepResult<void>();
  }
  boost::asio::awaitable<void> hear(std::string message) {
    troubles.push_back(std::move(message));
    arrived_.set();
    co_return;
  }
  template <class Done>
  boost::asio::awaitable<void> wait(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && !ended && std::chrono::steady_clock::now() < deadline) {
      arrived_.clear();
      co_await arrived_.wait_until(deadline);
    }
  }

  connectors::TriggerSource& trigger_;
  std::string connection_;
  Event arrived_;
  TaskGroup tasks_;
};

}  // namespace sallyport::test
