#include "relay/gateway/health_notes.h"

#include "relay/gateway/peer_summary.h"
#include "relay/jobs/sealing.h"
#include "shared/async/timeout.h"

#include <algorithm>

namespace sallyport::gateway {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kMaxWaiting = 1'000;
constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxClass = 64;
constexpr auto kPause = std::chrono::seconds(1);

bool is_word(std::string_view text, std::string_view more) {
  return std::ranges::all_of(
      text, [&](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.contains(c); });
}

bool may_be(const jobs::ReportedUse& use) {
  return !use.connection.empty() && use.connection.size() <= kMaxName &&
         is_word(use.connection, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-.") && use.error_class.size() <= kMaxClass &&
         is_word(use.error_class, "_") && health_of(use.health) != store::ConnectionHealth::unknown;
}

}  // namespace

HealthNotes::HealthNotes(Services services, OrgId org, AgentId agent)
    : services_(services), org_(std::move(org)), agent_(std::move(agent)) {}

void HealthNotes::take(jobs::ReportedUses told) {
  for (auto& use : told.uses) {
    const bool fits = waiting_.size() < kMaxWaiting || waiting_.contains(use.connection);
    if (!may_be(use) || !fits) continue;
    auto name = use.connection;
    waiting_.insert_or_assign(std::move(name), std::move(use));
  }
}

asio::awaitable<void> HealthNotes::run() {
  while (!waiting_.empty()) {
    if (auto stored = co_await write(std::exchange(waiting_, {})); !stored)
      services_.log.warn("health.not_noted", {{"agent", agent_.value}, {"message", stored.error().message}});
    co_await sleep_for(kPause);
  }
}

asio::awaitable<Result<void>> HealthNotes::write(std::map<std::string, jobs::ReportedUse> told) {
  const WallTime now = services_.clock.wall();
  std::vector<store::ConnectionUse> uses;
  for (auto& [name, use] : told) {
    store::ConnectionUse noted{
        .name = name, .health = health_of(use.health), .sealed_detail = {}, .at = not_after(use.at_ms, now)};
    auto identity = jobs::connection_identity(org_, agent_, name);
    SP_CO_TRY(noted.sealed_detail,
              co_await jobs::seal_any(services_.envelope, std::move(identity), std::move(use.error_class)));
    uses.push_back(std::move(noted));
  }
  co_return co_await services_.connections.note_uses(org_, agent_, std::move(uses));
}

}  // namespace sallyport::gateway
