#pragma once

#include "relay/identity/revocations.h"
#include "relay/jobs/assigner.h"
#include "relay/jobs/dispatcher.h"

#include <set>

namespace sallyport::app {

// Takes back the jobs of revoked agents, as long as the relay runs: those of agents that are revoked now, and first
// those of agents that were revoked before a crash. What the store does not take is tried again. Lives on the relay's
// loop; the parts outlive it.
class RevokedJobs {
 public:
  struct Parts {
    store::Organisations& organisations;
    store::Agents& agents;
    jobs::Dispatcher& dispatcher;
    jobs::Assigner& assigner;
    const Log& log;
  };

  RevokedJobs(const boost::asio::any_io_executor& loop, Parts parts, identity::Revocations& revocations);
  boost::asio::awaitable<void> run();  // until cancelled

 private:
  using Revoked = std::pair<OrgId, AgentId>;

  boost::asio::awaitable<Result<void>> enlist_all();
  boost::asio::awaitable<Result<void>> enlist(OrgId org);
  boost::asio::awaitable<void> take_back_all();

  Parts parts_;
  Event work_;
  std::set<Revoked> waiting_;
  identity::Revocations::Subscription subscription_;
};

}  // namespace sallyport::app
