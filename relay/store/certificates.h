#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <optional>

namespace sallyport::store {

// A certificate's serial number in lower-case hexadecimal, without leading zeros.
using Serial = Id<struct SerialTag>;

struct Certificate {
  Serial serial;
  OrgId org;
  AgentId agent;
  std::uint32_t generation = 1;  // 1 for the enrolment's certificate, then one more for each renewal
  WallTime issued_at;
  WallTime not_after;
  std::optional<WallTime> revoked_at;
  Bytes root_pin = {};  // empty: issued before it was written down
};

struct NewCertificate {
  Serial serial;
  WallTime issued_at;
  WallTime not_after;
  Bytes root_pin = {};  // SHA-256 of the key of the root above it
};

struct RevokedSerial {
  OrgId org;
  Serial serial;
};

class Certificates {
 public:
  virtual ~Certificates() = default;
  // A renewal: gives it the agent's next generation. forbidden: the agent is revoked. conflict: the serial is known.
  virtual awaitable<Result<Certificate>> add(OrgId org, AgentId agent, NewCertificate certificate,
                                             AuditNote<> note = {}) = 0;
  virtual awaitable<Result<Certificate>> find(OrgId org, Serial serial) = 0;
  virtual awaitable<Result<std::vector<Certificate>>> of_agent(OrgId org,
                                                               AgentId agent) = 0;     // newest 200, newest first
  virtual awaitable<Result<void>> revoke(OrgId org, Serial serial, WallTime now) = 0;  // again: no change
  // System-wide: everything revoked that would still be valid at `now`.
  virtual awaitable<Result<std::vector<RevokedSerial>>> revoked_serials(WallTime now) = 0;
};

struct IssuingCa {
  OrgId org;
  Bytes certificate_der;
  Bytes sealed_private_key;  // by the envelope: table "issuing_cas", column "private_key", record = the organisation
  WallTime created_at;
  WallTime not_after;
};

struct IssuingCaCertificate {
  OrgId org;
  Bytes certificate_der;
};

// One issuing certificate authority per organisation.
class IssuingCas {
 public:
  virtual ~IssuingCas() = default;
  virtual awaitable<Result<void>> add(OrgId org, IssuingCa ca) = 0;  // conflict: the organisation has one
  virtual awaitable<Result<IssuingCa>> find(OrgId org) = 0;
  // A renewal. conflict: the organisation's certificate is not `present` any more, or there is none.
  virtual awaitable<Result<void>> replace(OrgId org, Bytes present_der, IssuingCa ca, AuditNote<> note = {}) = 0;
  virtual awaitable<Result<std::vector<IssuingCaCertificate>>> load_all() = 0;  // system-wide
};

}  // namespace sallyport::store
