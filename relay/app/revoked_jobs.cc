#include "relay/app/revoked_jobs.h"

#include "shared/async/timeout.h"

namespace sallyport::app {
namespace asio = boost::asio;
namespace {
constexpr auto kRetry = std::chrono::seconds(5);
}

RevokedJobs::RevokedJobs(const asio::any_io_executor& loop, Parts parts, identity::Revocations& revocations)
    : parts_(parts), work_(loop), subscription_(revocations.subscribe([this](const OrgId& org, const AgentId& agent) {
        waiting_.emplace(org, agent);
        work_.set();
      })) {}

asio::awaitable<void> RevokedJobs::run() {
  while (!co_await enlist_all()) co_await sleep_for(kRetry);
  for (;;) {
    work_.clear();
    co_await take_back_all();
    if (waiting_.empty()) {
      co_await work_.wait();
    } else {
      co_await work_.wait_until(std::chrono::steady_clock::now() + kRetry);
    }
  }
}

asio::awaitable<Result<void>> RevokedJobs::enlist_all() {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.organisations.list_all(query));
    for (const auto& organisation : page.items) SP_CO_CHECK(co_await enlist(organisation.id));
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

asio::awaitable<Result<void>> RevokedJobs::enlist(OrgId org) {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    const store::AgentFilter revoked{.group = std::nullopt, .status = store::AgentStatus::revoked};
    SP_CO_TRY(const auto page, co_await parts_.agents.list(org, revoked, query));
    for (const auto& agent : page.items) waiting_.emplace(org, agent.id);
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

asio::awaitable<void> RevokedJobs::take_back_all() {
  for (auto& [org, agent] : std::set(waiting_)) {
    auto taken = co_await parts_.dispatcher.agent_revoked(org, agent);
    if (taken) {
      waiting_.erase({org, agent});
      parts_.assigner.reconsider(org);
    } else {
      parts_.log.error("agent.jobs_not_taken_back", {{"agent", agent.value}, {"message", taken.error().message}});
    }
  }
}

}  // namespace sallyport::app
