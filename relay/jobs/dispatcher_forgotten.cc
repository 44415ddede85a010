#include "relay/jobs/dispatcher.h"
#include "relay/jobs/zero_retention.h"
#include "shared/async/task_group.h"

// Jobs whose payload was in memory only, and is not any more.
namespace sallyport::jobs {

static constexpr std::size_t kSideBySide = 32;  // one group commit

bool Dispatcher::is_forgotten(const store::Job& job) const {
  return job.state == domain::JobState::queued && job.payload == store::Payload::none &&
         parts_.memory.find({job.org, job.id}) == nullptr;
}

// At the start no other one waits without payload: nothing is in memory yet.
store::awaitable<Result<void>> Dispatcher::end_all_forgotten() {
  Result<void> outcome;
  while (outcome) {
    SP_CO_TRY(auto waiting, co_await parts_.jobs.queued_without_payload(kSideBySide));
    if (waiting.empty()) break;
    TaskGroup ends(executor_, [&](const std::string&, const std::string& why) {
      outcome = fail(Errc::internal, "ending jobs whose payload is gone: " + why);
    });
    for (auto& job : waiting) ends.spawn("end", end_forgotten(std::move(job), outcome));
    co_await ends.join();
  }
  co_return outcome;
}

store::awaitable<void> Dispatcher::end_forgotten(store::Job job, Result<void>& outcome) {
  const HeldJob held{{job.org, job.id}, job.agent.value_or(AgentId()), job.lease_epoch, {}, {}};
  auto ended = co_await give_up(held, {std::string(kZeroRetention), trigger_forgotten(job)});
  if (!ended) outcome = std::unexpected(ended.error());
}

// What an agent says of a job without payload is not stored.
store::awaitable<Fault> Dispatcher::tellable(HeldJob held, Fault why) {
  const auto job = co_await parts_.jobs.find(held.key.org, held.key.job);
  if (!job || job->payload == store::Payload::none) why.message = "the agent refused the job; its words are not kept";
  co_return why;
}

}  // namespace sallyport::jobs
