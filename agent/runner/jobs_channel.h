#pragma once

#include "agent/runner/engine.h"
#include "shared/async/event.h"

#include <boost/asio/awaitable.hpp>

namespace sallyport::link {
class Session;
}

namespace sallyport::runner {

// The purpose under which the agent opens it (docs/protocol.md).
inline constexpr std::string_view kJobsPurpose = "jobs/1";

// The agent's end of the jobs channel, on one link after the other. Lives on the engine's executor.
class JobsChannel {
 public:
  JobsChannel(const boost::asio::any_io_executor& executor, Engine& engine) : engine_(engine), leave_(executor) {}

  // Opens the channel on a link that is up and runs it between relay and engine until either side ends it, and nothing
  // of it is under way any more. One at a time. The error says why it ended; Errc::invalid: the relay broke the
  // protocol.
  boost::asio::awaitable<Result<void>> run(link::Session& session);
  // If the channel is on this link: says no more, lets the relay confirm what it got, and ends, within 3 s.
  void leave(const link::Session& session);

 private:
  Engine& engine_;
  Event leave_;
  const link::Session* on_ = nullptr;
};

}  // namespace sallyport::runner
