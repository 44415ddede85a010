#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace sallyport::jobs {

struct LeaseTerms {
  std::chrono::milliseconds length{60'000};    // an agent that heard nothing for so long starts no further step
  std::chrono::milliseconds failover{60'000};  // and so long after that somebody else may take the job
};

// Job ids are unique within an organisation only: an agent may have made them.
struct JobKey {
  OrgId org;
  JobId job;
  friend auto operator<=>(const JobKey&, const JobKey&) = default;
};

// One job that an agent holds, as the relay knows it.
struct HeldJob {
  JobKey key;
  AgentId agent;
  std::uint64_t epoch = 0;
  SteadyTime granted;
  SteadyTime ends;
};

enum class Verdict {
  renewed,  // the agent holds it, with this epoch
  fenced,   // somebody else holds it, or nobody
};

// Who holds which job until when. Monotonic time is handed in; no IO. A job is held by one agent at a time, and a lease
// of an older epoch never comes back, and one that was granted is never shortened: its agent may rely on it.
class Leases {
 public:
  explicit Leases(LeaseTerms terms) : terms_(terms) {}

  void grant(HeldJob held, SteadyTime now);  // fills granted and ends; replaces an older epoch
  // After a restart: what its agent was told before still stands, also when it was more than the terms give now.
  void restore(HeldJob held, std::chrono::milliseconds told, SteadyTime now);
  Verdict renew(const AgentId& agent, const JobKey& job, std::uint64_t epoch, SteadyTime now);
  void prolong(const OrgId& org, SteadyTime now);    // all of the organisation, for a whole term from now
  void keep(HeldJob held);                           // as it was: what was to end did not
  void end(const JobKey& job, std::uint64_t epoch);  // the job finished or was released; a newer epoch stays

  std::optional<HeldJob> find(const JobKey& job) const;
  std::vector<HeldJob> of(const AgentId& agent) const;
  std::vector<HeldJob> lost(SteadyTime now) const;  // lease and failover time are over
  std::optional<SteadyTime> next_loss() const;      // when lost() will first return something
  std::size_t size() const { return held_.size(); }
  const LeaseTerms& terms() const { return terms_; }

 private:
  LeaseTerms terms_;
  std::map<JobKey, HeldJob> held_;
};

}  // namespace sallyport::jobs
