#pragma once

#include "relay/store/audit_log.h"
#include "relay/store/audit_note.h"
#include "shared/base/value.h"

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace sallyport {

enum class AuditOutcome { done, refused, failed };

struct AuditRecord {
  std::string actor;   // "user:usr_...", "agent:agt_...", "token:tok_...", "system"
  std::string action;  // noun.verb: "agent.enrol"
  std::string target;  // "agent:agt_...", may be empty
  AuditOutcome outcome = AuditOutcome::done;
  ValueMap detail;         // small, no payload, no secret; labelled values are stored as "***"
  std::string request_id;  // may be empty
};

// Makes audit events. A change is told by a note, which the store writes in the change's own transaction; what changed
// nothing (a refusal, a failure, what an agent reports) by a row of its own.
class Audit {
 public:
  Audit(store::AuditLog& log, const Clock& clock) : log_(log), clock_(clock) {}

  // One call, one row in the organisation's hash chain.
  // Errc::invalid: the action is not noun.verb in lower case, or the event is larger than 16 KiB.
  boost::asio::awaitable<Result<void>> record(OrgId ledger, AuditRecord record);

  // For a change of the store: dated now, written with the change, which fails where record() would. `complete` adds
  // what is known only when the change is made; it runs on the store's thread, perhaps more than once.
  template <class... Came>
  using Complete = std::function<void(AuditRecord&, const Came&...)>;
  template <class... Came>
  store::AuditNote<Came...> note(OrgId ledger, AuditRecord record, Complete<Came...> complete = {}) const {
    return {[stamp = stamp_now(), ledger = std::move(ledger), record = std::move(record),
             complete = std::move(complete)](const Came&... came) {
              AuditRecord full = record;
              if (complete) complete(full, came...);
              return entry_of(stamp, ledger, full);
            },
            nullptr};
  }

  // For a note's `more`: a row for each record that `tell` gives, dated as above.
  template <class... Came>
  using Tell = std::function<std::vector<AuditRecord>(const Came&...)>;
  template <class... Came>
  std::function<Result<std::vector<store::AuditEntry>>(const Came&...)> further(
      OrgId ledger, std::type_identity_t<Tell<Came...>> tell) const {
    return [at = clock_.wall(), ledger = std::move(ledger), tell = std::move(tell)](const Came&... came) {
      return entries_of(at, ledger, tell(came...));
    };
  }

 private:
  struct Stamp {
    EventId id;
    WallTime at;
  };
  Stamp stamp_now() const;
  static Result<store::AuditEntry> entry_of(const Stamp& stamp, const OrgId& ledger, const AuditRecord& record);
  static Result<std::vector<store::AuditEntry>> entries_of(WallTime at, const OrgId& ledger,
                                                           const std::vector<AuditRecord>& records);

  store::AuditLog& log_;
  const Clock& clock_;
};

}  // namespace sallyport
