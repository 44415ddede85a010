#pragma once

#include "relay/domain/roles.h"
#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

namespace sallyport::store {

struct User {
  UserId id;
  OrgId org;
  std::string name;
  std::string email;  // unique in the organisation, compared without case
  domain::Role role = domain::Role::viewer;
  domain::PlatformRights platform = domain::PlatformRights::none;
  WallTime created_at;
};

// What a change of a user came to.
struct UserChange {
  User user;                         // as they are now, or were when they were removed
  std::vector<EnrolmentId> revoked;  // enrolment tokens that this user made, and may not make any more
};

// Passwords, second factors and sessions will be ports of their own that name the user.
class Users {
 public:
  virtual ~Users() = default;
  virtual awaitable<Result<void>> add(OrgId org, User user,
                                      AuditNote<> note = {}) = 0;  // conflict: the e-mail address is taken
  virtual awaitable<Result<User>> find(OrgId org, UserId id) = 0;
  virtual awaitable<Result<Page<User>>> list(OrgId org, PageQuery page) = 0;  // oldest first
  // A role that may not make enrolment tokens revokes those that this user made and that are usable at `now`.
  // conflict: it would leave the organisation without an owner.
  virtual awaitable<Result<UserChange>> change_role(OrgId org, UserId id, domain::Role role, WallTime now,
                                                    AuditNote<UserChange> note = {}) = 0;
  // Removes the user and their API tokens, and revokes the enrolment tokens they made as above. conflict: the last
  // owner, or the deployment's last platform admin.
  virtual awaitable<Result<UserChange>> remove(OrgId org, UserId id, WallTime now, AuditNote<UserChange> note = {}) = 0;
};

}  // namespace sallyport::store
