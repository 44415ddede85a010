#pragma once

#include "relay/store/audit_log.h"
#include "shared/base/value.h"

#include <string>

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

// Writes audit events: one call, one row in the organisation's hash chain.
// A mutation whose audit row cannot be written must be reported as failed by its caller.
class Audit {
 public:
  Audit(store::AuditLog& log, const Clock& clock) : log_(log), clock_(clock) {}

  // Errc::invalid: the action is not noun.verb in lower case, or the event is larger than 16 KiB.
  boost::asio::awaitable<Result<void>> record(OrgId org, AuditRecord record);

 private:
  store::AuditLog& log_;
  const Clock& clock_;
};

}  // namespace sallyport
