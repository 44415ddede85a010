#pragma once

#include "relay/jobs/agent_link.h"
#include "relay/jobs/feed.h"
#include "relay/jobs/leases.h"
#include "relay/jobs/parcel.h"
#include "relay/jobs/roster.h"
#include "relay/jobs/sealing.h"
#include "relay/store/jobs.h"
#include "shared/async/event.h"
#include "shared/base/log.h"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <map>

namespace sallyport::jobs {

// Hands queued jobs to linked agents that have credit, least loaded first, and takes them back when their holder is
// lost. The store is the arbiter (claims are compare-and-set); this object only decides whom to ask. Lives on one loop;
// nothing here blocks it.
class Dispatcher {
 public:
  struct Parts {
    store::Jobs& jobs;
    ParcelMaker& parcels;
    VolatilePayloads& memory;
    keys::Envelope& envelope;
    LocalJobFeed& feed;
    const Clock& clock;
    const Log& log;
    // Whether what is sealed of an organisation can be read now. Where it cannot, its jobs stay as they are: none is
    // given out, none is taken back. Empty: it always can.
    std::function<bool(const OrgId&)> readable = {};
  };

  Dispatcher(const boost::asio::any_io_executor& executor, Parts parts, LeaseTerms terms = {});

  // Before run(): gives every active job of the store a full lease, so that its agent has time to come back, and ends
  // those that wait for an agent and whose payload an earlier relay had in its memory.
  store::awaitable<Result<void>> restore();
  // Dispatches and expires until cancelled.
  store::awaitable<void> run();
  // A job was queued, or may go to somebody by now.
  void wake() {
    due_ = true;
    work_.set();
  }

  // What is sealed of the organisation can be read again. Its agents may not have been heard meanwhile, so their leases
  // begin anew.
  void readable_again(const OrgId& org);

  // --- one jobs channel; the link outlives each of these calls
  void link_up(AgentLink& link);
  void link_down(AgentLink& link);
  void ready(AgentLink& link, std::uint32_t slots);
  // Answered by run() between two rounds of work, which is what the agent wants to know: that jobs are being handed
  // out. The link must be forgotten before it dies.
  void ping(PingedLink& link, std::uint64_t nonce);
  void forget(PingedLink& link) { pings_.erase(&link); }
  // Answers with the leases that stand and fences the others. The first of a link also takes back what the agent should
  // hold but does not.
  store::awaitable<void> holding(AgentLink& link, Holding holding);
  store::awaitable<void> answered(AgentLink& link, DispatchAnswer answer);

  // --- what others did to jobs
  void tell_cancelled(const store::Job& job);
  void tell_fenced(AgentLink& link, const JobId& job, std::uint64_t epoch);
  void job_ended(const store::Job& job);
  // The agent is revoked: its jobs go back to the queue; those that only it could run end as failed. An error: the
  // store did not take all of it; call again.
  store::awaitable<Result<void>> agent_revoked(OrgId org, AgentId agent);
  // The agent at this link does not know any more what it did: its jobs go back to the queue as lost by their holder,
  // those that only it could run end in doubt, and it is told to drop them. Before its first Holding is answered: its
  // leases are not renewed then. An error: as above.
  store::awaitable<Result<void>> journal_lost(AgentLink& link);

  const Leases& leases() const { return leases_; }

 private:
  bool is_readable(const OrgId& org) const { return !parts_.readable || parts_.readable(org); }
  void answer_pings();
  void pause(const AgentId& agent);
  enum class Round { more, done };  // is another round worth its query at once?
  store::awaitable<Round> dispatch_round();
  store::awaitable<void> claim_and_hand_over(store::Job job, AgentId agent, std::uint64_t link, std::size_t& claimed);
  store::awaitable<void> hand_over(store::ClaimedJob job, HeldJob held, std::uint64_t link, std::uint64_t holding);
  store::awaitable<Result<void>> end_all_forgotten();
  store::awaitable<void> end_forgotten(store::Job job, Result<void>& outcome);
  bool is_forgotten(const store::Job& job) const;
  store::awaitable<Fault> tellable(HeldJob held, Fault why);
  store::awaitable<void> not_sendable(HeldJob held, Error why);
  store::awaitable<Result<void>> take_back(HeldJob held, domain::ReleaseReason reason);
  // Why an agent goes on with none of its jobs.
  struct Loss {
    domain::ReleaseReason of_leased;
    Fault of_own;
  };
  store::awaitable<Result<void>> give_up(HeldJob held, Fault why);
  store::awaitable<store::JobError> sealed(JobKey key, Fault why);
  store::awaitable<Result<std::vector<JobId>>> take_all(OrgId org, AgentId agent, Loss why);  // its own, that ended
  store::awaitable<void> take_back_missing(AgentLink& link, const std::vector<Lease>& held, SteadyTime linked_since);
  store::awaitable<void> repeat_cancels(AgentLink& link);
  store::awaitable<void> take_back_lost();
  store::awaitable<void> take_back_unsent();

  boost::asio::any_io_executor executor_;
  Parts parts_;
  Leases leases_;
  Event work_;
  bool due_ = true;  // a round of dispatches, before the next tick; not for a ping
  Roster roster_;
  std::map<PingedLink*, std::uint64_t> pings_;             // the newest of each link that waits for its answer
  std::map<JobKey, std::optional<CancelJob>> being_sent_;  // claimed, but not posted yet; what must follow
  std::vector<HeldJob> unsent_;  // their dispatch could not be put together; tried again after a while
};

}  // namespace sallyport::jobs
