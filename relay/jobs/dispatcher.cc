#include "relay/jobs/dispatcher.h"

#include "relay/jobs/sealing.h"
#include "relay/jobs/zero_retention.h"
#include "shared/async/task_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::jobs {
using namespace std::chrono_literals;
namespace {
constexpr std::size_t kRound = 32;  // jobs claimed side by side: one group commit
constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kUnsentAgain = std::chrono::seconds(30);
}  // namespace

Dispatcher::Dispatcher(const boost::asio::any_io_executor& executor, Parts parts, LeaseTerms terms)
    : executor_(executor), parts_(std::move(parts)), leases_(terms), work_(executor) {}

store::awaitable<Result<void>> Dispatcher::restore() {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.jobs.active_all(query));
    for (const auto& job : page.items) {
      if (job.lease_epoch == 0 || !job.agent) continue;
      const auto told = job.lease_until && job.dispatched_at ? *job.lease_until - *job.dispatched_at : 0ms;
      leases_.restore({{job.org, job.id}, *job.agent, job.lease_epoch, {}, {}}, told, parts_.clock.steady());
    }
    query.after = page.next;
  } while (!query.after.empty());
  co_return co_await end_all_forgotten();
}

store::awaitable<void> Dispatcher::run() {
  for (SteadyTime tick{};;) {
    work_.clear();
    answer_pings();
    if (const auto now = parts_.clock.steady(); std::exchange(due_, false) || now >= tick) {
      tick = now + kTick;
      co_await take_back_lost();
      co_await take_back_unsent();
      if (co_await dispatch_round() == Round::more) due_ = true;
    }
    if (due_) continue;
    co_await work_.wait_until(tick);
    due_ = due_ || !work_.is_set();
  }
}

store::awaitable<Dispatcher::Round> Dispatcher::dispatch_round() {
  auto groups = roster_.groups_with_credit(parts_.clock.steady(), parts_.readable);
  if (groups.empty()) co_return Round::done;
  auto queued = co_await parts_.jobs.next_queued(std::move(groups), kRound);
  if (!queued) {
    parts_.log.error("dispatch.failed", {{"message", queued.error().message}});
    co_return Round::done;
  }
  TaskGroup claims(executor_, [this](const std::string&, const std::string& why) {
    parts_.log.error("dispatch.fault", {{"why", why}});
  });
  std::size_t claimed = 0;
  for (auto& job : *queued) {
    Linked* agent = roster_.least_loaded(job.group, parts_.clock.steady());
    if (agent == nullptr) continue;
    roster_.set_slots(*agent, agent->slots - 1);
    ++agent->claiming;
    const AgentId id = agent->link->who().agent;
    claims.spawn("claim", claim_and_hand_over(std::move(job), id, agent->number, claimed));
  }
  co_await claims.join();
  // Without a claim the store refuses: asking again at once would only repeat that.
  co_return queued->size() == kRound&& claimed > 0 ? Round::more : Round::done;
}

store::awaitable<void> Dispatcher::claim_and_hand_over(store::Job job, AgentId agent, std::uint64_t link,
                                                       std::size_t& claimed) {
  const auto now = parts_.clock.wall();
  auto won = co_await parts_.jobs.claim(job.org, job.id, {agent, job.lease_epoch, now, now + leases_.terms().length});
  if (!won) {  // somebody was faster, or the concurrency limit is reached
    if (auto* l = roster_.find(agent, link)) {
      roster_.set_slots(*l, l->slots + 1);
      --l->claiming;
    }
    if (won.error().code != Errc::conflict && won.error().code != Errc::exhausted)
      parts_.log.error("dispatch.failed", {{"job", job.id.value}, {"message", won.error().message}});
    co_return;
  }
  ++claimed;
  const HeldJob held{{job.org, job.id}, agent, won->job.lease_epoch, {}, {}};
  const auto* target = roster_.find(agent, link);
  const std::uint64_t holding = target == nullptr ? 0 : target->holding;  // before the grant, or it would prove nothing
  leases_.grant(held, parts_.clock.steady());
  co_await hand_over(std::move(*won), held, link, holding);
}

// The agent may have got another link meanwhile, which named its jobs without this one: then it is not sent.
store::awaitable<void> Dispatcher::hand_over(store::ClaimedJob job, HeldJob held, std::uint64_t link,
                                             std::uint64_t holding) {
  being_sent_.insert_or_assign(held.key, std::nullopt);
  auto parcel = co_await parts_.parcels.make(job, leases_.terms().length);
  const auto cancelled = being_sent_.extract(held.key).mapped();
  auto* target = roster_.find(held.agent, link);
  if (target != nullptr) --target->claiming;
  Result<void> posted;
  const bool is_dry = job.job.mode == store::Mode::dry_run;
  if (is_dry && target != nullptr && !target->link->who().knows_dry_runs) {
    roster_.set_slots(*target, target->slots + 1);
    (void)co_await give_up(held, {"invalid", fmt::format("agent {} is of a version that knows no dry runs, and did not "
                                                         "get this one: update the agents of the group",
                                                         held.agent.value)});
    co_return;
  }
  if (!parcel) {
    posted = std::unexpected(parcel.error());
  } else if (target == nullptr) {
    posted = fail(Errc::unavailable, "link lost before the dispatch");
  } else {
    parcel->holding = holding;
    posted = target->link->post(std::move(*parcel));
  }
  if (!posted) {
    if (target != nullptr && posted.error().code != Errc::exhausted) roster_.set_slots(*target, target->slots + 1);
    if (parcel && posted.error().code != Errc::too_large) {
      (void)co_await take_back(held, domain::ReleaseReason::link_lost);
    } else {
      co_await not_sendable(held, posted.error());
    }
    co_return;
  }
  if (cancelled) (void)target->link->post(*cancelled);
  parts_.feed.publish(held.key.org, job.job.recipe, {held.key.job, 0});
  parts_.log.info(
      "job.dispatched",
      {{"org", held.key.org.value}, {"job", held.key.job.value}, {"agent", held.agent.value}, {"epoch", held.epoch}});
}

// What will never be sendable ends here. Anything else may pass (the store is overloaded, a key cannot be fetched): the
// job comes back, but not at once.
store::awaitable<void> Dispatcher::not_sendable(HeldJob held, Error why) {
  parts_.log.error("dispatch.failed", {{"job", held.key.job.value}, {"message", why.message}});
  if (why.code == Errc::invalid)
    (void)co_await give_up(held, {"holder_lost", why.message + "; re-run the job"});
  else if (why.code == Errc::too_large)
    (void)co_await give_up(held, {"too_large", why.message + "; re-run the job"});
  else if (why.code == Errc::internal)
    (void)co_await give_up(held, {"damaged", why.message});
  else if (why.code == Errc::not_found)
    (void)co_await give_up(held, {std::string(kZeroRetention), why.message});
  else if (const auto current = leases_.find(held.key))
    unsent_.push_back(*current);
}

store::awaitable<store::JobError> Dispatcher::sealed(JobKey key, Fault why) {
  co_return co_await seal_fault({parts_.envelope, parts_.log}, std::move(key.org), std::move(key.job), std::move(why));
}

// Its lease goes first: what the store has taken back must not be renewed while it does so.
store::awaitable<Result<void>> Dispatcher::take_back(HeldJob held, domain::ReleaseReason reason) {
  const auto lease = leases_.find(held.key);
  leases_.end(held.key, held.epoch);
  auto if_dead = co_await sealed(
      held.key,
      {"holder_lost", fmt::format("{}: {}. The job was not given to another agent: it was to be cancelled, or "
                                  "had been given to agents {} times",
                                  held.agent.value, domain::words_for(reason), domain::kMaxRuns)});
  auto released = co_await parts_.jobs.release(held.key.org, held.key.job, held.epoch,
                                               {parts_.clock.wall(), reason, std::move(if_dead)});
  if (!released && released.error().code != Errc::conflict) {
    parts_.log.error("job.release_failed", {{"job", held.key.job.value}, {"message", released.error().message}});
    if (lease && lease->epoch == held.epoch) leases_.keep(*lease);  // a later tick tries again
    co_return std::unexpected(released.error());
  }
  if (!released) co_return Result<void>();
  parts_.log.warn("job.taken_back", {{"job", held.key.job.value},
                                     {"agent", held.agent.value},
                                     {"epoch", held.epoch},
                                     {"state", domain::to_string(released->state)},
                                     {"reason", domain::to_string(reason)}});
  parts_.feed.publish(held.key.org, released->recipe, {held.key.job, 0});
  if (domain::is_final(released->state)) parts_.memory.forget(held.key);
  Result<void> outcome;
  if (is_forgotten(*released)) co_await end_forgotten(*std::move(released), outcome);
  wake();
  co_return outcome;
}

// Ends a job that no agent can go on with. Its message may be an agent's, with values in it: it is not logged.
store::awaitable<Result<void>> Dispatcher::give_up(HeldJob held, Fault why) {
  const std::string error_class = why.error_class;
  const auto state = why.state;
  auto error = co_await sealed(held.key, std::move(why));
  auto ended = co_await parts_.jobs.finish(held.key.org, held.key.job, held.epoch,
                                           {state, parts_.clock.wall(), std::move(error)});
  if (!ended && ended.error().code != Errc::conflict) {
    parts_.log.error("job.finish_failed", {{"job", held.key.job.value}, {"message", ended.error().message}});
    co_return std::unexpected(ended.error());  // the lease stays: it will be lost, and the job tried again
  }
  leases_.end(held.key, held.epoch);
  if (!ended) co_return Result<void>();
  parts_.memory.forget(held.key);
  parts_.log.warn("job.given_up", {{"job", held.key.job.value}, {"agent", held.agent.value}, {"class", error_class}});
  parts_.feed.publish(held.key.org, ended->recipe, {held.key.job, 0});
  wake();  // a place under a concurrency limit may be free
  co_return Result<void>();
}

store::awaitable<void> Dispatcher::take_back_lost() {
  const auto now = parts_.clock.steady();
  for (auto& held : leases_.lost(now)) {
    const auto current = leases_.find(held.key);
    if (!current || current->epoch != held.epoch || current->ends != held.ends) continue;  // renewed meanwhile
    if (!is_readable(held.key.org)) continue;
    (void)co_await take_back(held, domain::ReleaseReason::holder_lost);
  }
}

store::awaitable<void> Dispatcher::take_back_unsent() {
  const auto before = parts_.clock.steady() - kUnsentAgain;
  for (auto& held : std::exchange(unsent_, {})) {
    const auto current = leases_.find(held.key);
    if (!current || current->epoch != held.epoch) continue;
    const bool early = held.granted > before;
    if (early || !is_readable(held.key.org) || !co_await take_back(held, domain::ReleaseReason::not_sendable))
      unsent_.push_back(std::move(held));
  }
}

}  // namespace sallyport::jobs
