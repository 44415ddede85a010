#include "relay/audit/ledger_cutter.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sallyport {

namespace asio = boost::asio;

namespace {

AuditRecord event_of(const store::DueCut& due) {
  AuditRecord record{.actor = "system", .action = std::string(store::kLedgerCut), .target = ""};
  record.detail = {{"seq", due.cut.seq}, {"hash", hex(due.cut.hash)}, {"rows", due.rows}};
  if (due.bad_seq) record.detail.emplace("bad_seq", *due.bad_seq);
  return record;
}

}  // namespace

asio::awaitable<void> LedgerCutter::run() {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (;;) {
    if (const auto now = parts_.believed()) co_await pass_and_tell(*now);
    pause.expires_after(kPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> LedgerCutter::pass_and_tell(WallTime now) {
  const auto gone = co_await pass(now);
  if (!gone) {
    parts_.log.error("ledger.not_cut", {{"reason", gone.error().message}});
  } else if (*gone > 0) {
    parts_.log.info("ledger.cut", {{"count", *gone}});
  }
}

asio::awaitable<Result<std::size_t>> LedgerCutter::pass(WallTime now) {
  SP_CO_TRY(const auto ledgers, co_await parts_.cuts.ledgers());
  std::size_t all = 0;
  Result<void> trouble;
  for (const auto& ledger : ledgers) {
    const auto gone = co_await shorten(ledger, now);
    if (!gone && trouble) trouble = in_context("the ledger of " + ledger.value, gone.error());
    all += gone.value_or(0);
  }
  bool more = all > 0;
  while (more) {
    SP_CO_TRY(more, co_await parts_.space.reclaim());
  }
  if (!trouble) co_return std::unexpected(std::move(trouble).error());
  co_return all;
}

asio::awaitable<Result<std::size_t>> LedgerCutter::shorten(OrgId ledger, WallTime now) {
  SP_CO_TRY(const auto kept, co_await parts_.kept(ledger));
  const WallTime before = std::chrono::floor<std::chrono::hours>(now) - kept;
  SP_CO_TRY(const auto due, co_await parts_.cuts.due(ledger, before, kMostAtOnce));
  if (due) SP_CO_CHECK(co_await parts_.cuts.cut(ledger, due->cut, parts_.audit.note(ledger, event_of(*due))));
  std::size_t all = 0;
  for (std::size_t gone = kRowsAtOnce; gone == kRowsAtOnce;) {  // also what an earlier pass left when it was cut short
    SP_CO_TRY(gone, co_await parts_.cuts.remove(ledger, kRowsAtOnce));
    all += gone;
  }
  co_return all;
}

}  // namespace sallyport
