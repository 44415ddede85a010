#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <cstdint>
#include <optional>

namespace sallyport::store {

// An agent group: recipes run on a group, never on one agent.
struct Group {
  GroupId id;
  OrgId org;
  std::string name;  // unique in the organisation among those that are not removed
  WallTime created_at;
  std::uint64_t queued = 0;  // jobs that wait for it; read only
  std::optional<WallTime> oldest_queued_at = {};
  std::optional<WallTime> removed_at = {};  // nothing can come into it; it stays readable by id, for what refers to it
};

class Groups {
 public:
  virtual ~Groups() = default;
  virtual awaitable<Result<void>> add(OrgId org, Group group,
                                      AuditNote<> note = {}) = 0;                  // conflict: the name is taken
  virtual awaitable<Result<Group>> find(OrgId org, GroupId id) = 0;                // removed ones too
  virtual awaitable<Result<Group>> find_by_name(OrgId org, std::string name) = 0;  // not removed
  virtual awaitable<Result<Page<Group>>> list(OrgId org, PageQuery page) = 0;      // not removed; oldest first
  // not_found: it is removed already. conflict: something lives in it at `now`, and the message says what: an agent
  // that is not revoked, an enrolment token that is usable, a job that has not ended, an active recipe that runs on
  // it, or a tunnel that is not removed.
  virtual awaitable<Result<void>> remove(OrgId org, GroupId id, WallTime now, AuditNote<> note = {}) = 0;
};

}  // namespace sallyport::store
