#include "relay/jobs/dispatcher.h"

#include "shared/async/task_group.h"

#include <algorithm>

namespace sallyport::jobs {
namespace {
constexpr std::size_t kRound = 32;  // jobs claimed side by side: one group commit
constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kFirstPause = std::chrono::seconds(1);
constexpr auto kLongestPause = std::chrono::seconds(30);
constexpr auto kSettling = std::chrono::seconds(30);  // a dispatch may be on its way for so long
}  // namespace

Dispatcher::Dispatcher(boost::asio::any_io_executor executor, Parts parts, LeaseTerms terms)
    : executor_(executor), parts_(parts), leases_(terms), work_(executor) {}

store::awaitable<Result<void>> Dispatcher::restore() {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.jobs.active_all(query));
    for (const auto& job : page.items) {
      if (job.lease_epoch == 0 || !job.agent) continue;
      leases_.grant({{job.org, job.id}, *job.agent, job.lease_epoch, {}, {}}, parts_.clock.steady());
    }
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

store::awaitable<void> Dispatcher::run() {
  for (;;) {
    work_.clear();
    answer_pings();
    co_await take_back_lost();
    while (co_await dispatch_round() == kRound) {
    }
    co_await work_.wait_until(parts_.clock.steady() + kTick);
  }
}

void Dispatcher::ping(AgentLink& link, std::uint64_t nonce) {
  if (auto* l = linked(link.who().agent); l != nullptr && l->link == &link) l->ping = nonce;
  wake();
}

void Dispatcher::answer_pings() {
  for (auto& [agent, linked] : links_) {
    if (const auto nonce = std::exchange(linked.ping, std::nullopt)) linked.link->pong(*nonce);
  }
}

bool Dispatcher::has_credit(const Linked& linked) const {
  return linked.slots > 0 && linked.resumes <= parts_.clock.steady();
}

// An agent that cannot take what its credit promised, because its disk is full for one, is asked again ever more
// rarely.
void Dispatcher::pause(const AgentId& agent) {
  auto* l = linked(agent);
  if (l == nullptr) return;
  l->slots = 0;
  l->pause = std::clamp<std::chrono::seconds>(l->pause * 2, kFirstPause, kLongestPause);
  l->resumes = parts_.clock.steady() + l->pause;
}

std::vector<GroupId> Dispatcher::groups_with_credit() const {
  std::vector<GroupId> groups;
  for (const auto& [agent, linked] : links_) {
    if (has_credit(linked)) groups.push_back(linked.link->who().group);
  }
  std::ranges::sort(groups);
  groups.erase(std::ranges::unique(groups).begin(), groups.end());
  return groups;
}

Dispatcher::Linked* Dispatcher::least_loaded(const GroupId& group) {
  Linked* best = nullptr;
  for (auto& [agent, linked] : links_) {
    if (linked.link->who().group != group || !has_credit(linked)) continue;
    if (best == nullptr || linked.slots > best->slots) best = &linked;
  }
  return best;
}

Dispatcher::Linked* Dispatcher::linked(const AgentId& agent) {
  const auto it = links_.find(agent);
  return it == links_.end() ? nullptr : &it->second;
}

// Gives back how many jobs it tried, so that a full round is followed by another.
store::awaitable<std::size_t> Dispatcher::dispatch_round() {
  auto groups = groups_with_credit();
  if (groups.empty()) co_return 0;
  auto queued = co_await parts_.jobs.next_queued(std::move(groups), kRound);
  if (!queued) {
    parts_.log.error("dispatch.failed", {{"message", queued.error().message}});
    co_return 0;
  }
  TaskGroup claims(executor_, [this](const std::string&, std::exception_ptr) { parts_.log.error("dispatch.fault"); });
  std::size_t tried = 0;
  for (auto& job : *queued) {
    Linked* agent = least_loaded(job.group);
    if (agent == nullptr) continue;
    --agent->slots;
    ++tried;
    claims.spawn("claim", dispatch_one(std::move(job), agent->link->who().agent));
  }
  co_await claims.join();
  co_return tried;
}

store::awaitable<void> Dispatcher::dispatch_one(store::Job job, AgentId agent) {
  const auto give_back_slot = [&] {
    if (auto* l = linked(agent)) ++l->slots;
  };
  const auto now = parts_.clock.wall();
  const auto length = leases_.terms().length;
  auto claimed = co_await parts_.jobs.claim(job.org, job.id, {agent, job.lease_epoch, now, now + length});
  if (!claimed) {
    give_back_slot();  // somebody was faster, or the concurrency limit is reached
    co_return;
  }
  const HeldJob held{{job.org, job.id}, agent, claimed->job.lease_epoch, {}, {}};
  leases_.grant(held, parts_.clock.steady());
  auto parcel = co_await parts_.parcels.make(*claimed, length);
  auto* target = linked(agent);
  if (!parcel && parcel.error().code == Errc::invalid) {
    give_back_slot();
    co_return co_await give_up(held, {"holder_lost", parcel.error().message + "; re-run the job", ""});
  }
  if (!parcel || target == nullptr) {
    give_back_slot();
    co_return co_await take_back(held, parcel ? store::ReleaseReason::not_started : store::ReleaseReason::holder_lost,
                                 parcel ? "link lost before the dispatch" : parcel.error().message);
  }
  if (auto posted = target->link->post(std::move(*parcel)); !posted) {
    co_return co_await take_back(held, store::ReleaseReason::not_started, posted.error().message);
  }
  parts_.feed.publish(job.org, job.recipe, {job.id, 0});
  parts_.log.info("job.dispatched",
                  {{"org", job.org.value}, {"job", job.id.value}, {"agent", agent.value}, {"epoch", held.epoch}});
}

store::awaitable<void> Dispatcher::take_back(HeldJob held, store::ReleaseReason reason, std::string_view why) {
  const std::string cause(why);
  auto released = co_await parts_.jobs.release(held.key.org, held.key.job, held.epoch, parts_.clock.wall(), reason);
  if (!released && released.error().code != Errc::conflict) {
    parts_.log.error("job.release_failed", {{"job", held.key.job.value}, {"message", released.error().message}});
    co_return;  // the lease stays, so the next tick tries again
  }
  leases_.end(held.key, held.epoch);
  if (!released) co_return;
  parts_.log.warn("job.taken_back", {{"job", held.key.job.value},
                                     {"agent", held.agent.value},
                                     {"epoch", held.epoch},
                                     {"state", domain::to_string(released->state)},
                                     {"reason", cause}});
  parts_.feed.publish(held.key.org, released->recipe, {held.key.job, 0});
  wake();
}

// Ends a job that no agent can go on with.
store::awaitable<void> Dispatcher::give_up(HeldJob held, store::JobError why) {
  const std::string message = why.message;
  auto ended = co_await parts_.jobs.finish(held.key.org, held.key.job, held.epoch,
                                           {domain::JobState::failed, parts_.clock.wall(), std::move(why)});
  leases_.end(held.key, held.epoch);
  parts_.log.warn("job.given_up", {{"job", held.key.job.value}, {"agent", held.agent.value}, {"reason", message}});
  if (ended) parts_.feed.publish(held.key.org, ended->recipe, {held.key.job, 0});
}

store::awaitable<void> Dispatcher::take_back_lost() {
  const auto now = parts_.clock.steady();
  for (auto& held : leases_.lost(now)) {
    co_await take_back(held, store::ReleaseReason::holder_lost, "the agent did not renew its lease");
  }
}

void Dispatcher::link_up(AgentLink& link) {
  links_.insert_or_assign(link.who().agent, Linked{.link = &link, .since = parts_.clock.steady()});
}

void Dispatcher::link_down(AgentLink& link) {
  const auto it = links_.find(link.who().agent);
  if (it != links_.end() && it->second.link == &link) links_.erase(it);
}

void Dispatcher::ready(AgentLink& link, std::uint32_t slots) {
  constexpr std::uint32_t kMostSlots = 1'000;
  if (auto* l = linked(link.who().agent); l != nullptr && l->link == &link) l->slots = std::min(slots, kMostSlots);
  wake();
}

store::awaitable<void> Dispatcher::holding(AgentLink& link, Holding holding) {
  auto* state = linked(link.who().agent);
  if (state == nullptr || state->link != &link) co_return;
  const bool first = std::exchange(state->first_holding, false);
  LeaseAnswer answer;
  for (auto& lease : holding.jobs) {
    if (lease.epoch == 0) continue;  // the agent's own: it needs no lease
    const auto verdict =
        leases_.renew(link.who().agent, {link.who().org, lease.job}, lease.epoch, parts_.clock.steady());
    lease.length = leases_.terms().length;
    (verdict == Verdict::renewed ? answer.renewed : answer.fenced).push_back(lease);
  }
  if (!link.post(std::move(answer))) co_return;
  co_await take_back_missing(link, holding.jobs, first);
  co_await repeat_cancels(link);
}

// A job that the agent should hold and does not name: its dispatch was lost with an earlier link, or its journal is
// gone.
store::awaitable<void> Dispatcher::take_back_missing(AgentLink& link, const std::vector<Lease>& held, bool first) {
  const auto* state = linked(link.who().agent);
  const auto before = first && state != nullptr ? state->since : parts_.clock.steady() - kSettling;
  const AgentId agent = link.who().agent;
  for (const auto& expected : leases_.of(agent)) {
    const bool named = std::ranges::any_of(
        held, [&](const Lease& l) { return l.job == expected.key.job && l.epoch == expected.epoch; });
    if (named || expected.granted >= before) continue;
    co_await take_back(expected, store::ReleaseReason::holder_lost, "the agent does not hold it");
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
    if (auto* l = linked(held->agent)) l->pause = {};
    co_return;
  }
  if (answer.error_class == "busy") {
    pause(held->agent);
    co_return co_await take_back(*held, store::ReleaseReason::not_started, "the agent is busy");
  }
  co_await give_up(*held, {answer.error_class, answer.message, ""});
}

void Dispatcher::tell_cancelled(const store::Job& job) {
  if (!job.agent) return;
  if (auto* l = linked(*job.agent)) (void)l->link->post(CancelJob{job.id, job.lease_epoch, "cancelled on request"});
}

void Dispatcher::tell_fenced(AgentLink& link, const JobId& job, std::uint64_t epoch) {
  LeaseAnswer answer;
  answer.fenced.push_back({job, epoch, {}});
  (void)link.post(std::move(answer));
}

void Dispatcher::job_ended(const store::Job& job) {
  leases_.end({job.org, job.id}, job.lease_epoch);
  wake();  // a place under a concurrency limit may be free
}

store::awaitable<void> Dispatcher::agent_revoked(OrgId org, AgentId agent) {
  auto holding = co_await parts_.jobs.holding(org, agent);
  if (!holding) co_return;
  for (auto& job : *holding) {
    if (job.lease_epoch > 0) {
      co_await take_back({{org, job.id}, agent, job.lease_epoch, {}, {}}, store::ReleaseReason::holder_lost,
                         "its agent was revoked");
      continue;
    }
    co_await give_up(
        {{org, job.id}, agent, 0, {}, {}},
        {"agent_revoked", "the agent that ran it was revoked; what it did after its last report is not known", ""});
  }
}

}  // namespace sallyport::jobs
