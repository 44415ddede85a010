#pragma once

#include "agent/link/transport.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <string>

namespace sallyport::app {

struct LinkVisit {
  std::string relay_software;
  std::chrono::milliseconds round_trip{0};
  std::chrono::milliseconds clock_ahead{0};  // of this machine, as far as a round trip tells
};

// One link of this agent, up to the first proof that the relay's dispatch path answers, and then its end. Takes no job.
// The caller holds the state directory: while an agent runs there, the relay would take this for a copy of it.
boost::asio::awaitable<Result<LinkVisit>> visit_relay(agent::Transport& transport, agent::Endpoint relay,
                                                      std::string policy_summary_json, const Clock& clock,
                                                      SteadyTime deadline);

}  // namespace sallyport::app
