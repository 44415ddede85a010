#pragma once

#include "shared/async/sources.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"

#include <map>
#include <memory>

namespace sallyport::tunnels {

struct SessionLimits {
  std::size_t all = 256;  // of one organisation alone half of them (FairShare)
  std::size_t of_user = 10;
};

// How many sessions of workstations there are. No IO and no clock; lives as long as a place of it.
class SessionPlaces {
 public:
  explicit SessionPlaces(SessionLimits limits) : books_(std::make_shared<Books>(limits)) {}

  using Place = std::shared_ptr<void>;  // given back by its last copy
  // Errc::exhausted says whose limit it was.
  Result<Place> take(const OrgId& org, const UserId& user);
  std::size_t taken() const { return books_->shares.taken(); }

 private:
  struct Books {
    explicit Books(SessionLimits set) : limits(set), shares(set.all) {}
    SessionLimits limits;
    FairShare shares;
    std::map<std::pair<OrgId, UserId>, std::size_t> users;  // never 0
  };

  std::shared_ptr<Books> books_;
};

}  // namespace sallyport::tunnels
