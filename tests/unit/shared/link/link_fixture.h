#pragma once

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/link/session.h"
#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"
#include "tests/support/scripted_owner.h"

#include <functional>

namespace sallyport::test {

// An agent's and a relay's session on a line in memory. start() before anything else; join() before it dies.
struct LinkPair {
  explicit LinkPair(boost::asio::any_io_executor executor);
  void start();
  boost::asio::awaitable<void> join() { return tasks.join(); }
  // Until `holds`, thirty seconds at most.
  boost::asio::awaitable<bool> until(std::function<bool()> holds);

  boost::asio::any_io_executor on;
  TaskGroup tasks;
  MemoryLine line;
  link::SessionOptions agent_options = patient_options(mux::Side::agent);
  link::SessionOptions relay_options = patient_options(mux::Side::relay);
  LinkEndpoint agent, relay;
};

}  // namespace sallyport::test
