#pragma once

#include "relay/store/api_tokens.h"
#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

namespace sallyport::store {

struct Organisation {
  OrgId id;
  std::string name;  // unique in the deployment
  WallTime created_at;
};

// An organisation as it begins: with somebody who can call its API.
struct Founding {
  Organisation organisation;
  User owner;
  ApiToken first_token;  // of the owner
};

class Organisations {
 public:
  virtual ~Organisations() = default;
  virtual awaitable<Result<void>> add(
      Organisation organisation) = 0;  // with nobody in it; conflict: id or name is taken
  // All three or none of them. conflict: the organisation's id or name is taken.
  virtual awaitable<Result<void>> found(Founding founding, AuditNote<> note = {}) = 0;
  virtual awaitable<Result<Organisation>> find(OrgId org) = 0;
  virtual awaitable<Result<void>> rename(OrgId org, std::string name,
                                         AuditNote<> note = {}) = 0;           // conflict: the name is taken
  virtual awaitable<Result<Organisation>> find_by_name(std::string name) = 0;  // system-wide
  virtual awaitable<Result<Page<Organisation>>> list_all(PageQuery page) = 0;  // system-wide; oldest first
};

}  // namespace sallyport::store
