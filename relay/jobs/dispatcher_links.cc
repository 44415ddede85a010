#include "relay/jobs/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::jobs {
namespace {
constexpr auto kFirstPause = std::chrono::seconds(1);
constexpr auto kLongestPause = std::chrono::seconds(30);
}  // namespace

void Dispatcher::ping(PingedLink& link, std::uint64_t nonce) {
  pings_.insert_or_assign(&link, nonce);
  work_.set();
}

void Dispatcher::answer_pings() {
  for (const auto& [link, nonce] : std::exchange(pings_, {})) link->pong(nonce);
}

void Dispatcher::link_up(AgentLink& link) { roster_.link_up(link, parts_.clock.steady()); }

void Dispatcher::link_down(AgentLink& link) { roster_.link_down(link); }

void Dispatcher::ready(AgentLink& link, std::uint32_t slots) {
  constexpr std::uint32_t kMostSlots = 1'000;
  if (auto* l = roster_.find(link)) roster_.set_slots(*l, std::min(slots, kMostSlots));
  wake();
}

// An agent that cannot take what its credit promised, because its disk is full for one, is asked again ever more
// rarely. What was on its way to it meanwhile says nothing new.
void Dispatcher::pause(const AgentId& agent) {
  auto* l = roster_.find(agent);
  if (l == nullptr) return;
  roster_.set_slots(*l, 0);
  const auto now = parts_.clock.steady();
  if (l->resumes > now) return;
  l->pause = std::clamp<std::chrono::seconds>(l->pause * 2, kFirstPause, kLongestPause);
  l->resumes = now + l->pause;
}

void Dispatcher::readable_again(const OrgId& org) {
  leases_.prolong(org, parts_.clock.steady());
  wake();
}

store::awaitable<void> Dispatcher::holding(AgentLink& link, Holding holding) {
  auto* state = roster_.find(link);
  if (state == nullptr) co_return;
  const bool first = std::exchange(state->first_holding, false);
  const SteadyTime since = state->since;
  state->holding = holding.number;
  LeaseAnswer answer;
  answer.holding = holding.number;
  for (auto& lease : holding.jobs) {
    if (lease.epoch == 0) continue;  // the agent's own: it needs no lease
    const auto verdict =
        leases_.renew(link.who().agent, {link.who().org, lease.job}, lease.epoch, parts_.clock.steady());
    lease.length = leases_.terms().length;
    (verdict == Verdict::renewed ? answer.renewed : answer.fenced).push_back(lease);
  }
  if (!link.post(std::move(answer))) co_return;
  if (first) co_await take_back_missing(link, holding.jobs, since);
  co_await repeat_cancels(link);
}

// A job of an earlier link that the agent should hold and does not name: its dispatch was lost with that link, which
// the agent has read for the last time, or its journal is gone. What was sent over this link may still be on its way.
store::awaitable<void> Dispatcher::take_back_missing(AgentLink& link, const std::vector<Lease>& held,
                                                     SteadyTime linked_since) {
  for (const auto& expected : leases_.of(link.who().agent)) {
    const bool named = std::ranges::any_of(
        held, [&](const Lease& l) { return l.job == expected.key.job && l.epoch == expected.epoch; });
    if (named || expected.granted >= linked_since) continue;
    (void)co_await take_back(expected, domain::ReleaseReason::not_held);
  }
}

store::awaitable<void> Dispatcher::repeat_cancels(AgentLink& link) {
  auto holding = co_await parts_.jobs.holding(link.who().org, link.who().agent);
  if (!holding) co_return;
  for (const auto& job : *holding) {
    if (job.cancel_requested_at) tell_cancelled(job);
  }
}

store::awaitable<void> Dispatcher::answered(AgentLink& link, DispatchAnswer answer) {
  const JobKey key{link.who().org, answer.job};
  const auto held = leases_.find(key);
  if (!held || held->agent != link.who().agent || held->epoch != answer.epoch) co_return;
  if (answer.accepted) {
    leases_.renew(held->agent, key, answer.epoch, parts_.clock.steady());
    if (auto* l = roster_.find(held->agent)) l->pause = {};
    co_return;
  }
  if (answer.error_class == "busy") {
    pause(held->agent);
    (void)co_await take_back(*held, domain::ReleaseReason::busy);
    co_return;
  }
  auto why = co_await tellable(*held, {std::move(answer.error_class), std::move(answer.message)});
  (void)co_await give_up(*held, std::move(why));
}

void Dispatcher::tell_cancelled(const store::Job& job) {
  if (!job.agent) return;
  CancelJob cancel{job.id, job.lease_epoch, "cancelled on request"};
  if (const auto it = being_sent_.find({job.org, job.id}); it != being_sent_.end())
    it->second = std::move(cancel);  // an agent does not know a job before its dispatch
  else if (auto* l = roster_.find(*job.agent))
    (void)l->link->post(std::move(cancel));
}

void Dispatcher::tell_fenced(AgentLink& link, const JobId& job, std::uint64_t epoch) {
  LeaseAnswer answer;
  answer.fenced.push_back({job, epoch, {}});
  (void)link.post(std::move(answer));
}

void Dispatcher::job_ended(const store::Job& job) {
  leases_.end({job.org, job.id}, job.lease_epoch);
  parts_.memory.forget({job.org, job.id});
  wake();  // a place under a concurrency limit may be free
}

store::awaitable<Result<void>> Dispatcher::agent_revoked(OrgId org, AgentId agent) {
  Loss why{domain::ReleaseReason::agent_revoked,
           {"agent_revoked", "the agent that ran it was revoked; what it did after its last report is not known"}};
  SP_CO_CHECK(co_await take_all(std::move(org), std::move(agent), std::move(why)));
  co_return Result<void>();
}

store::awaitable<Result<void>> Dispatcher::journal_lost(AgentLink& link) {
  const auto& who = link.who();
  Fault of_own{"journal_lost",
               fmt::format("{} lost the journal in which it ran this job: it was deleted, or an older copy was put in "
                           "its place. What the job did after its last report is not known: look at the systems that "
                           "its steps change, then re-run it, or leave it as it is",
                           who.agent.value),
               domain::JobState::in_doubt};
  SP_CO_TRY(const auto own,
            co_await take_all(who.org, who.agent, {domain::ReleaseReason::journal_lost, std::move(of_own)}));
  for (const auto& job : own) tell_fenced(link, job, 0);
  co_return Result<void>();
}

store::awaitable<Result<std::vector<JobId>>> Dispatcher::take_all(OrgId org, AgentId agent, Loss why) {
  std::vector<JobId> own;
  for (;;) {
    SP_CO_TRY(const auto jobs, co_await parts_.jobs.holding(org, agent));
    if (jobs.empty()) co_return own;
    for (const auto& job : jobs) {
      HeldJob held{{job.org, job.id}, agent, job.lease_epoch, {}, {}};
      if (job.lease_epoch > 0) {
        SP_CO_CHECK(co_await take_back(std::move(held), why.of_leased));
      } else {
        SP_CO_CHECK(co_await give_up(std::move(held), why.of_own));
        own.push_back(job.id);
      }
    }
  }
}

}  // namespace sallyport::jobs
