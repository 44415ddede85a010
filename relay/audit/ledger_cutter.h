#pragma once

#include "relay/audit/audit.h"
#include "relay/store/audit_cuts.h"
#include "relay/store/job_keys.h"
#include "shared/base/log.h"

#include <chrono>
#include <functional>
#include <optional>

namespace sallyport {

// Cuts off what ledgers have kept for long enough: whole hours at a time, up to the first row that is younger. Each cut
// is an event of the ledger itself. One executor.
class LedgerCutter {
 public:
  struct Parts {
    store::AuditCuts& cuts;
    store::JobKeys& space;  // gives it back to the file system
    const Audit& audit;
    const Log& log;
    // What time it is at the earliest; nothing: not known now, and nothing is cut.
    std::function<std::optional<WallTime>()> believed;
    std::function<boost::asio::awaitable<Result<std::chrono::hours>>(OrgId ledger)> kept;
  };
  explicit LedgerCutter(Parts parts) : parts_(std::move(parts)) {}

  boost::asio::awaitable<void> run();  // a pass every kPause
  // Everything that is due at `now`; how many rows went. One ledger's trouble is not another's: the error is the first.
  boost::asio::awaitable<Result<std::size_t>> pass(WallTime now);

  static constexpr std::chrono::seconds kPause{60};
  static constexpr std::size_t kMostAtOnce = 20'000;  // rows of one cut; the next pass goes on
  static constexpr std::size_t kRowsAtOnce = 500;     // in one transaction, so that others are not kept waiting

 private:
  boost::asio::awaitable<void> pass_and_tell(WallTime now);
  boost::asio::awaitable<Result<std::size_t>> shorten(OrgId ledger, WallTime now);

  Parts parts_;
};

}  // namespace sallyport
