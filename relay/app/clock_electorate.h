#pragma once

#include "relay/gateway/agent_clocks.h"
#include "relay/store/agents.h"
#include "relay/store/organisations.h"
#include "shared/base/log.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <optional>

namespace sallyport::app {

// Tells the clocks of agents how many organisations have agents that may link (docs/decisions/0039), as long as the
// relay runs: agents that are active and were seen within the life of a certificate before `believed`. While the store
// cannot be asked, what was counted last counts. The parts outlive it.
class ClockElectorate {
 public:
  struct Parts {
    store::Organisations& organisations;
    store::Agents& agents;
    gateway::AgentClocks& clocks;
    std::function<std::optional<WallTime>()> believed;  // nothing: not known now, and every agent ever seen counts
    const Log& log;
  };

  explicit ClockElectorate(Parts parts) : parts_(std::move(parts)) {}
  boost::asio::awaitable<void> run();  // until cancelled
  boost::asio::awaitable<Result<std::size_t>> count();

 private:
  boost::asio::awaitable<Result<bool>> may_vote(OrgId org, WallTime seen_since);

  Parts parts_;
};

}  // namespace sallyport::app
