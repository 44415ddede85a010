#pragma once

#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

namespace sallyport::store {

struct Organisation {
  OrgId id;
  std::string name;  // unique in the deployment
  WallTime created_at;
};

class Organisations {
 public:
  virtual ~Organisations() = default;
  virtual awaitable<Result<void>> add(Organisation organisation) = 0;  // conflict: id or name is taken
  virtual awaitable<Result<Organisation>> find(OrgId org) = 0;
  virtual awaitable<Result<void>> rename(OrgId org, std::string name) = 0;     // conflict: the name is taken
  virtual awaitable<Result<Organisation>> find_by_name(std::string name) = 0;  // system-wide
  virtual awaitable<Result<Page<Organisation>>> list_all(PageQuery page) = 0;  // system-wide; oldest first
};

}  // namespace sallyport::store
