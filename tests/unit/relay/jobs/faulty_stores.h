#pragma once

#include "relay/store/store.h"

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

// The ports that relay/jobs uses, over real ones, with a plan of faults in between.
namespace sallyport::test {

using boost::asio::awaitable;

struct FaultPlan {
  std::size_t fail_at = 0;  // the k-th call from now fails, once; 0: none
  Errc code = Errc::unavailable;
  std::function<bool(std::string_view call)> refuses;       // every call for which it holds fails
  std::function<awaitable<void>(std::string_view)> before;  // runs before each call: to hold it up
  std::vector<std::string_view> calls;                      // all there were

  template <class T>
  awaitable<Result<T>> pass(std::string_view name, awaitable<Result<T>> call) {
    calls.push_back(name);
    bool refused = refuses && refuses(name);
    if (!refused && fail_at > 0) {
      --fail_at;
      refused = fail_at == 0;
    }
    if (before) co_await before(name);
    if (refused) co_return fail(code, "planted fault");
    co_return co_await std::move(call);
  }
};

class FaultyAgents final : public store::Agents {
 public:
  FaultyAgents(store::Agents& real, FaultPlan& plan) : real_(real), plan_(plan) {}
  awaitable<Result<void>> add(OrgId org, store::Agent agent) override {
    return plan_.pass("agents.add", real_.add(org, std::move(agent)));
  }
  awaitable<Result<store::Agent>> find(OrgId org, AgentId id) override {
    return plan_.pass("agents.find", real_.find(org, id));
  }
  awaitable<Result<store::Page<store::Agent>>> list(OrgId org, store::AgentFilter filter,
                                                    store::PageQuery page) override {
    return plan_.pass("agents.list", real_.list(org, filter, page));
  }
  awaitable<Result<void>> rename(OrgId org, AgentId id, store::AgentRename change, store::AuditNote<> note) override {
    return plan_.pass("agents.rename", real_.rename(org, id, std::move(change), std::move(note)));
  }
  awaitable<Result<store::Agent>> move(OrgId org, AgentId id, store::AgentMove move,
                                       store::AuditNote<store::Agent> note) override {
    return plan_.pass("agents.move", real_.move(org, id, std::move(move), std::move(note)));
  }
  awaitable<Result<void>> seen(OrgId org, AgentId id, store::AgentSighting sighting) override {
    return plan_.pass("agents.seen", real_.seen(org, id, std::move(sighting)));
  }
  awaitable<Result<std::optional<store::JournalMark>>> journal(OrgId org, AgentId id) override {
    return plan_.pass("agents.journal", real_.journal(org, id));
  }
  awaitable<Result<void>> change_journal(OrgId org, AgentId id, store::JournalChange change,
                                         store::AuditNote<> note) override {
    return plan_.pass("agents.change_journal", real_.change_journal(org, id, change, std::move(note)));
  }
  awaitable<Result<void>> raise_journal(OrgId org, AgentId id, store::JournalMark mark) override {
    return plan_.pass("agents.raise_journal", real_.raise_journal(org, id, mark));
  }
  awaitable<Result<store::Agent>> confirm_generation(OrgId org, AgentId id, std::uint32_t generation) override {
    return plan_.pass("agents.confirm_generation", real_.confirm_generation(org, id, generation));
  }
  awaitable<Result<void>> revoke(OrgId org, AgentId id, WallTime now, store::AuditNote<> note) override {
    return plan_.pass("agents.revoke", real_.revoke(org, id, now, std::move(note)));
  }

 private:
  store::Agents& real_;
  FaultPlan& plan_;
};

class FaultyJobs final : public store::Jobs {
 public:
  FaultyJobs(store::Jobs& real, FaultPlan& plan) : real_(real), plan_(plan) {}
  awaitable<Result<store::AddedJob>> add(OrgId org, store::NewJob job,
                                         store::AuditNote<store::AddedJob> note) override {
    return plan_.pass("jobs.add", real_.add(std::move(org), std::move(job), std::move(note)));
  }
  awaitable<Result<store::Job>> find(OrgId org, JobId id) override {
    return plan_.pass("jobs.find", real_.find(std::move(org), std::move(id)));
  }
  awaitable<Result<Bytes>> sealed_trigger(OrgId org, JobId id) override {
    return plan_.pass("jobs.sealed_trigger", real_.sealed_trigger(std::move(org), std::move(id)));
  }
  awaitable<Result<store::Page<store::Job>>> list(OrgId org, store::JobFilter filter, store::PageQuery page) override {
    return plan_.pass("jobs.list", real_.list(std::move(org), std::move(filter), std::move(page)));
  }
  awaitable<Result<std::vector<store::Job>>> holding(OrgId org, AgentId agent) override {
    return plan_.pass("jobs.holding", real_.holding(std::move(org), std::move(agent)));
  }
  awaitable<Result<store::ClaimedJob>> claim(OrgId org, JobId id, store::Claim claim) override {
    return plan_.pass("jobs.claim", real_.claim(std::move(org), std::move(id), std::move(claim)));
  }
  awaitable<Result<store::Job>> release(OrgId org, JobId id, std::uint64_t epoch, store::Release release) override {
    return plan_.pass("jobs.release", real_.release(std::move(org), std::move(id), epoch, std::move(release)));
  }
  awaitable<Result<store::Job>> finish(OrgId org, JobId id, std::uint64_t epoch, store::JobOutcome outcome) override {
    return plan_.pass("jobs.finish", real_.finish(std::move(org), std::move(id), epoch, std::move(outcome)));
  }
  awaitable<Result<store::Job>> request_cancel(OrgId org, JobId id, store::Cancel cancel,
                                               store::AuditNote<store::Job> note) override {
    return plan_.pass("jobs.request_cancel",
                      real_.request_cancel(std::move(org), std::move(id), std::move(cancel), std::move(note)));
  }
  awaitable<Result<std::vector<store::Job>>> next_queued(std::vector<GroupId> among, std::size_t limit) override {
    return plan_.pass("jobs.next_queued", real_.next_queued(std::move(among), limit));
  }
  awaitable<Result<std::vector<store::Queue>>> queues() override { return plan_.pass("jobs.queues", real_.queues()); }
  awaitable<Result<store::Page<store::Job>>> active_all(store::PageQuery page) override {
    return plan_.pass("jobs.active_all", real_.active_all(std::move(page)));
  }
  awaitable<Result<std::vector<store::Job>>> queued_without_payload(std::size_t limit) override {
    return plan_.pass("jobs.queued_without_payload", real_.queued_without_payload(limit));
  }
  awaitable<Result<std::vector<store::StateCount>>> unfinished_counts() override {
    return plan_.pass("jobs.unfinished_counts", real_.unfinished_counts());
  }

 private:
  store::Jobs& real_;
  FaultPlan& plan_;
};

class FaultyHistory final : public store::History {
 public:
  FaultyHistory(store::History& real, FaultPlan& plan) : real_(real), plan_(plan) {}
  awaitable<Result<store::AppendResult>> append(OrgId org, JobId job, std::uint64_t epoch,
                                                std::vector<store::HistoryEntry> entries) override {
    return plan_.pass("history.append", real_.append(std::move(org), std::move(job), epoch, std::move(entries)));
  }
  awaitable<Result<store::Page<store::Step>>> steps(OrgId org, JobId job, store::StepFilter filter,
                                                    store::PageQuery page) override {
    return plan_.pass("history.steps", real_.steps(std::move(org), std::move(job), std::move(filter), std::move(page)));
  }
  awaitable<Result<std::vector<store::StepPayloads>>> payloads(OrgId org, JobId job,
                                                               std::vector<store::StepKey> steps) override {
    return plan_.pass("history.payloads", real_.payloads(std::move(org), std::move(job), std::move(steps)));
  }
  awaitable<Result<store::Events>> events(OrgId org, JobId job, store::EventQuery query) override {
    return plan_.pass("history.events", real_.events(std::move(org), std::move(job), query));
  }
  awaitable<Result<std::vector<store::KeptStep>>> completed(OrgId org, JobId job, std::size_t most_bytes) override {
    return plan_.pass("history.completed", real_.completed(std::move(org), std::move(job), most_bytes));
  }

 private:
  store::History& real_;
  FaultPlan& plan_;
};

class FaultyAssignments final : public store::Assignments {
 public:
  FaultyAssignments(store::Assignments& real, FaultPlan& plan) : real_(real), plan_(plan) {}
  awaitable<Result<store::AgentAssignments>> of_agent(OrgId org, AgentId agent) override {
    return plan_.pass("assignments.of_agent", real_.of_agent(std::move(org), std::move(agent)));
  }
  awaitable<Result<store::Assignment>> find(OrgId org, RecipeId recipe) override {
    return plan_.pass("assignments.find", real_.find(std::move(org), std::move(recipe)));
  }
  awaitable<Result<bool>> has_watched(OrgId org, RecipeId recipe, AgentId agent) override {
    return plan_.pass("assignments.has_watched",
                      real_.has_watched(std::move(org), std::move(recipe), std::move(agent)));
  }
  awaitable<Result<store::Page<store::Assignment>>> list(OrgId org, store::PageQuery page) override {
    return plan_.pass("assignments.list", real_.list(std::move(org), std::move(page)));
  }
  awaitable<Result<void>> assign(OrgId org, std::optional<AgentId> expected, store::Assignment next) override {
    return plan_.pass("assignments.assign", real_.assign(std::move(org), std::move(expected), std::move(next)));
  }
  awaitable<Result<void>> withdraw(OrgId org, RecipeId recipe) override {
    return plan_.pass("assignments.withdraw", real_.withdraw(std::move(org), std::move(recipe)));
  }

 private:
  store::Assignments& real_;
  FaultPlan& plan_;
};

class FaultyGroups final : public store::Groups {
 public:
  FaultyGroups(store::Groups& real, FaultPlan& plan) : real_(real), plan_(plan) {}
  awaitable<Result<void>> add(OrgId org, store::Group group, store::AuditNote<> note) override {
    return plan_.pass("groups.add", real_.add(std::move(org), std::move(group), std::move(note)));
  }
  awaitable<Result<store::Group>> find(OrgId org, GroupId id) override {
    return plan_.pass("groups.find", real_.find(std::move(org), std::move(id)));
  }
  awaitable<Result<store::Group>> find_by_name(OrgId org, std::string name) override {
    return plan_.pass("groups.find_by_name", real_.find_by_name(std::move(org), std::move(name)));
  }
  awaitable<Result<store::Page<store::Group>>> list(OrgId org, store::PageQuery page) override {
    return plan_.pass("groups.list", real_.list(std::move(org), std::move(page)));
  }
  awaitable<Result<void>> remove(OrgId org, GroupId id, WallTime now, store::AuditNote<> note) override {
    return plan_.pass("groups.remove", real_.remove(std::move(org), std::move(id), now, std::move(note)));
  }

 private:
  store::Groups& real_;
  FaultPlan& plan_;
};

class FaultyAuditLog final : public store::AuditLog {
 public:
  FaultyAuditLog(store::AuditLog& real, FaultPlan& plan) : real_(real), plan_(plan) {}
  awaitable<Result<store::AuditRow>> append(OrgId org, store::AuditEvent event) override {
    return plan_.pass("audit.append", real_.append(std::move(org), std::move(event)));
  }
  awaitable<Result<store::Page<store::AuditRow>>> list(OrgId org, store::AuditFilter filter,
                                                       store::PageQuery page) override {
    return real_.list(std::move(org), std::move(filter), std::move(page));
  }
  awaitable<Result<store::AuditVerdict>> verify(OrgId org) override { return real_.verify(std::move(org)); }

 private:
  store::AuditLog& real_;
  FaultPlan& plan_;
};

}  // namespace sallyport::test
