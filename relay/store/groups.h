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
  std::string name;  // unique in the organisation
  WallTime created_at;
  std::uint64_t queued = 0;  // jobs that wait for it; read only
  std::optional<WallTime> oldest_queued_at = {};
};

class Groups {
 public:
  virtual ~Groups() = default;
  virtual awaitable<Result<void>> add(OrgId org, Group group,
                                      AuditNote<> note = {}) = 0;  // conflict: the name is taken
  virtual awaitable<Result<Group>> find(OrgId org, GroupId id) = 0;
  virtual awaitable<Result<Group>> find_by_name(OrgId org, std::string name) = 0;
  virtual awaitable<Result<Page<Group>>> list(OrgId org, PageQuery page) = 0;  // oldest first
  virtual awaitable<Result<void>> remove(OrgId org, GroupId id,
                                         AuditNote<> note = {}) = 0;  // conflict: agents, tokens or jobs are in it
};

}  // namespace sallyport::store
