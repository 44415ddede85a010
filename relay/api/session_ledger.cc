#include "relay/api/session_ledger.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace sallyport::api {

namespace asio = boost::asio;

SessionFacts facts_of(const Caller& caller, std::string target, std::string from, std::string request_id) {
  return {caller.org, caller.actor(), caller.user, std::move(target), std::move(from), std::move(request_id)};
}

asio::awaitable<Result<void>> SessionLedger::opened(SessionFacts facts) {
  AuditRecord row{.actor = facts.actor, .action = "tunnel.open"};
  co_return co_await tell(std::move(facts), std::move(row), "");
}

asio::awaitable<void> SessionLedger::refused(SessionFacts facts, std::string reason) {
  AuditRecord row{.actor = facts.actor, .action = "tunnel.open", .outcome = AuditOutcome::refused};
  (void)co_await tell(std::move(facts), std::move(row), std::move(reason));  // it stays refused either way
}

asio::awaitable<void> SessionLedger::cut(SessionFacts facts, std::string reason) {
  AuditRecord row{.actor = "system", .action = "tunnel.cut", .detail = {{Value("session_of"), Value(facts.actor)}}};
  (void)co_await tell(std::move(facts), std::move(row), std::move(reason));
}

asio::awaitable<void> SessionLedger::run() {
  over_.emplace(co_await asio::this_coro::executor);
  for (bool last = false; !last;) {
    co_await over_->wait_until(std::chrono::steady_clock::now() + bounds_.look);
    last = over_->is_set();  // whoever stops it in the middle of a round gets one more
    co_await tell_rests(last ? SteadyTime::max() : clock_.steady());
  }
}

void SessionLedger::stop() {
  if (over_) over_->set();
}

// Null: stay quiet.
SessionLedger::Told* SessionLedger::turn_of(const std::string& key) {
  const auto now = clock_.steady();
  const auto known = told_.find(key);
  if (known != told_.end() && now < known->second.quiet_until) return nullptr;
  if (known == told_.end() && told_.size() >= bounds_.most) make_room();
  auto& told = told_[key];
  told.quiet_until = now + kEvery;
  return &told;
}

// Of those that nothing is unsaid of, the next is told once more; when there are none such, of all, and what was unsaid
// is in the log only.
void SessionLedger::make_room() {
  std::erase_if(told_, [](const auto& one) { return !one.second.unsaid; });
  if (told_.size() < bounds_.most) return;
  std::int64_t lost = 0;
  for (const auto& [key, told] : told_) lost += told.unsaid ? told.unsaid->count : 0;
  log_.warn("audit.sessions_uncounted", {{"sessions", lost}});
  told_.clear();
}

asio::awaitable<Result<void>> SessionLedger::tell(SessionFacts facts, AuditRecord row, std::string reason) {
  auto key =
      fmt::format("{} {} {} {} {}", facts.target, facts.actor, row.action, static_cast<int>(row.outcome), reason);
  row.target = facts.target;
  row.request_id = facts.request_id;
  row.detail.emplace(Value("from"), Value(facts.from));
  row.detail.emplace(Value("user"), Value(facts.user.value));
  if (!reason.empty()) row.detail.emplace(Value("reason"), Value(reason));
  if (auto* told = turn_of(key)) {
    auto unsaid = std::exchange(told->unsaid, std::nullopt);
    if (unsaid) row.detail.emplace(Value("unsaid"), Value(unsaid->count));
    co_return co_await write(std::move(key), std::move(facts.org), std::move(row), std::move(unsaid));
  }
  auto& unsaid = told_.at(key).unsaid;
  const auto count = unsaid ? unsaid->count : 0;
  unsaid = Unsaid{std::move(facts.org), std::move(row), clock_.wall(), count + 1};
  co_return Result<void>();
}

asio::awaitable<void> SessionLedger::tell_rests(SteadyTime due) {
  std::erase_if(told_, [&](const auto& one) { return one.second.quiet_until <= due && !one.second.unsaid; });
  std::vector<std::string> keys;
  for (const auto& [key, told] : told_) {
    if (told.quiet_until <= due) keys.push_back(key);
  }
  for (auto& key : keys) co_await tell_rest(std::move(key));
}

asio::awaitable<void> SessionLedger::tell_rest(std::string key) {
  const auto at = told_.find(key);
  if (at == told_.end()) co_return;
  auto rest = std::exchange(at->second.unsaid, std::nullopt);
  if (!rest) co_return;  // one came meanwhile
  at->second.quiet_until = clock_.steady() + kEvery;
  auto org = rest->org;
  auto row = rest->last;
  row.detail.emplace(Value("last_at"), Value(rfc3339(rest->last_at)));
  if (rest->count > 1) row.detail.emplace(Value("unsaid"), Value(rest->count - 1));
  (void)co_await write(std::move(key), std::move(org), std::move(row), std::move(rest));
}

// What could not be written, and `unsaid` with it, is tried again the next time.
asio::awaitable<Result<void>> SessionLedger::write(std::string key, OrgId org, AuditRecord row,
                                                   std::optional<Unsaid> unsaid) {
  const auto request_id = row.request_id;
  auto written = co_await audit_.record(std::move(org), std::move(row));
  if (written) co_return written;
  log_.error("audit.failed", {{"request_id", request_id}, {"reason", written.error().message}});
  const auto again = told_.find(key);
  if (again == told_.end()) co_return written;
  again->second.quiet_until = clock_.steady();
  if (auto& newer = again->second.unsaid; newer && unsaid) {
    newer->count += unsaid->count;
  } else if (unsaid) {
    newer = std::move(unsaid);
  }
  co_return written;
}

}  // namespace sallyport::api
