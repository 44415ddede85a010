#pragma once

#include "relay/store/agents.h"
#include "relay/store/audit_note.h"
#include "relay/store/certificates.h"

namespace sallyport::store {

struct EnrolmentToken {
  EnrolmentId id;
  OrgId org;
  GroupId group;
  Bytes sealed_secret;  // by the envelope: table "enrolment_tokens", column "secret", record = the id
  std::uint32_t max_uses = 1;
  std::uint32_t uses = 0;
  UserId created_by;
  WallTime created_at;
  WallTime expires_at;
  std::optional<WallTime> revoked_at;
  std::optional<AgentId> agent = {};  // it is for this one, which stays who it is; else each use makes a new one
};

enum class EnrolmentState { usable, used_up, expired, revoked };

// The first reason that holds, in the order revoked, expired, used up.
EnrolmentState state_at(const EnrolmentToken& token, WallTime now);

struct NewAgent {
  AgentId id;
  std::string name;
  std::string hostname;
  std::string software;
};

class EnrolmentTokens {
 public:
  virtual ~EnrolmentTokens() = default;
  // not_found: no such group, or agent. conflict: that agent is revoked.
  virtual awaitable<Result<void>> add(OrgId org, EnrolmentToken token, AuditNote<> note = {}) = 0;
  virtual awaitable<Result<EnrolmentToken>> find(OrgId org, EnrolmentId id) = 0;
  virtual awaitable<Result<Page<EnrolmentToken>>> list(OrgId org, PageQuery page) = 0;  // oldest first
  virtual awaitable<Result<void>> revoke(OrgId org, EnrolmentId id, WallTime now,
                                         AuditNote<> note = {}) = 0;                 // again: no change
  virtual awaitable<Result<EnrolmentToken>> find_for_enrolment(EnrolmentId id) = 0;  // system-wide

  // Counts one use and inserts the agent, in the token's group, with its certificate of generation 1: one transaction.
  // A token for an agent gives that one (`agent.id`) its next generation, which counts as used: all certificates before
  // are old from then on. conflict: used up, expired or revoked at `now` (the message says which; nothing is changed).
  // forbidden: the token's agent is revoked.
  virtual awaitable<Result<Agent>> redeem(OrgId org, EnrolmentId id, WallTime now, NewAgent agent,
                                          NewCertificate certificate, AuditNote<Agent> note = {}) = 0;
};

}  // namespace sallyport::store
