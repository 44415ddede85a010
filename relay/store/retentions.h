#pragma once

#include "relay/domain/retention.h"
#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/ids.h"

namespace sallyport::store {

struct RetentionChange {
  domain::RetentionLimits wanted;   // all of them: what is nothing is not set any more
  domain::RetentionLimits only_if;  // compare-and-set: what the caller saw
};

struct ChangedRetention {
  domain::RetentionLimits before;
  domain::RetentionLimits now;  // the same as before: there was nothing to change
};

// How long platform and organisations have data kept. What a recipe asks for is in the recipe, what a job got in its
// row.
class Retentions {
 public:
  virtual ~Retentions() = default;
  virtual awaitable<Result<domain::RetentionLimits>> find_platform() = 0;  // system-wide
  virtual awaitable<Result<domain::RetentionLevels>> find(OrgId org) = 0;  // not_found: no such organisation
  // With a change of whether payload is kept at all the sets of the organisation's agents change (store::Assignments).
  // Without anything to change there is no note. conflict: it is not what the caller saw. invalid: a class that this
  // level may not set, or no whole number of hours that it may be.
  virtual awaitable<Result<ChangedRetention>> set(OrgId org, RetentionChange change,
                                                  AuditNote<ChangedRetention> note = {}) = 0;
  virtual awaitable<Result<ChangedRetention>> set_platform(RetentionChange change,
                                                           AuditNote<ChangedRetention> note = {}) = 0;  // system-wide
};

}  // namespace sallyport::store
