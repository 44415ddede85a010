#include "relay/app/clock_electorate.h"

#include "shared/async/timeout.h"

#include <algorithm>

namespace sallyport::app {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::minutes kEvery{10};
constexpr std::chrono::seconds kRetry{5};
constexpr std::chrono::days kCertificateLife{30};  // who was not seen for longer cannot link

}  // namespace

asio::awaitable<void> ClockElectorate::run() {
  for (;;) {
    const auto counted = co_await count();
    if (counted) parts_.clocks.expect(*counted);
    if (!counted) parts_.log.warn("clock.not_counted", {{"reason", counted.error().message}});
    co_await sleep_for(counted ? std::chrono::seconds(kEvery) : kRetry);
  }
}

asio::awaitable<Result<std::size_t>> ClockElectorate::count() {
  const auto seen_since = parts_.believed().value_or(WallTime(kCertificateLife)) - kCertificateLife;
  std::size_t counted = 0;
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.organisations.list_all(query));
    for (const auto& organisation : page.items) {
      SP_CO_TRY(const bool may, co_await may_vote(organisation.id, seen_since));
      counted += may ? 1 : 0;
    }
    query.after = page.next;
  } while (!query.after.empty());
  co_return counted;
}

asio::awaitable<Result<bool>> ClockElectorate::may_vote(OrgId org, WallTime seen_since) {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    const store::AgentFilter active{.group = std::nullopt, .status = store::AgentStatus::active};
    SP_CO_TRY(const auto page, co_await parts_.agents.list(org, active, query));
    if (std::ranges::any_of(page.items, [&](const auto& agent) { return agent.last_seen_at >= seen_since; }))
      co_return true;
    query.after = page.next;
  } while (!query.after.empty());
  co_return false;
}

}  // namespace sallyport::app
