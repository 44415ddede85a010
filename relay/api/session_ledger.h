#pragma once

#include "relay/api/caller.h"
#include "relay/audit/audit.h"
#include "shared/async/event.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::api {

// Who asks for a tunnel, or has it open, from a workstation.
struct SessionFacts {
  OrgId org;
  std::string actor;  // "token:tok_..."
  UserId user;
  std::string target;  // "tunnel:tun_...", or "path:..." where no tunnel is known
  std::string from;    // address of the workstation
  std::string request_id;
};
SessionFacts facts_of(const Caller& caller, std::string target, std::string from, std::string request_id);

// What the audit ledger hears of sessions of workstations: `tunnel.open` that was done or refused, and `tunnel.cut`,
// each with its reason. Of one tunnel, actor and reason the first is written, and then one every kEvery, which says how
// many were not (`unsaid`): a client that comes again and again does not fill the ledger. When none comes after them,
// run() writes the last of those that were not, with the time it was at (`last_at`). Bounded; on the relay's loop.
class SessionLedger {
 public:
  static constexpr std::chrono::minutes kEvery{10};

  struct Bounds {
    std::size_t most = 10'000;               // how many it remembers
    std::chrono::milliseconds look{60'000};  // how often run() looks
  };
  SessionLedger(Audit& audit, const Clock& clock, const Log& log) : SessionLedger(audit, clock, log, Bounds{}) {}
  SessionLedger(Audit& audit, const Clock& clock, const Log& log, Bounds bounds)
      : audit_(audit), clock_(clock), log_(log), bounds_(bounds) {}

  // An error: it could not be written, so it must not be opened.
  boost::asio::awaitable<Result<void>> opened(SessionFacts facts);
  boost::asio::awaitable<void> refused(SessionFacts facts, std::string reason);
  boost::asio::awaitable<void> cut(SessionFacts facts, std::string reason);
  // Until stop(), and then until everything is written. Once.
  boost::asio::awaitable<void> run();
  void stop();
  std::size_t size() const { return told_.size(); }

 private:
  struct Unsaid {
    OrgId org;
    AuditRecord last;
    WallTime last_at;
    std::int64_t count = 0;
  };
  struct Told {
    SteadyTime quiet_until;
    std::optional<Unsaid> unsaid = {};
  };
  boost::asio::awaitable<Result<void>> tell(SessionFacts facts, AuditRecord row, std::string reason);
  boost::asio::awaitable<void> tell_rest(std::string key);
  boost::asio::awaitable<void> tell_rests(SteadyTime due);
  boost::asio::awaitable<Result<void>> write(std::string key, OrgId org, AuditRecord row, std::optional<Unsaid> unsaid);
  Told* turn_of(const std::string& key);
  void make_room();

  Audit& audit_;
  const Clock& clock_;
  const Log& log_;
  Bounds bounds_;
  std::map<std::string, Told> told_;
  std::optional<Event> over_;  // while run() runs
};

}  // namespace sallyport::api
