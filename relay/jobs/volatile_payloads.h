#pragma once

#include "relay/jobs/leases.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <map>
#include <utility>

namespace sallyport::jobs {

// The trigger data of jobs without payload (store::Payload::none): in this process's memory, wiped when it goes, and
// nowhere else. It is there from a job's start to its end, for each agent that is given the job; a relay that begins
// anew has none of it. Bounded in all and for each organisation. Lives on one loop; places must not outlive it.
class VolatilePayloads {
 public:
  struct Share {
    std::size_t jobs;
    std::size_t bytes;
  };
  struct Limits {
    Share all{10'000, 64u << 20};
    Share of_organisation{2'500, 16u << 20};
  };

  // Of a job that is being started: it goes again unless the start succeeds.
  class Place {
   public:
    Place() = default;
    Place(VolatilePayloads& in, JobKey key) : in_(&in), key_(std::move(key)) {}
    Place(Place&& other) noexcept : in_(std::exchange(other.in_, nullptr)), key_(std::move(other.key_)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(in_, other.in_);
      std::swap(key_, other.key_);
      return *this;
    }
    ~Place() {
      if (in_ != nullptr) in_->forget(key_);
    }
    void keep() { in_ = nullptr; }  // until forget()

   private:
    VolatilePayloads* in_ = nullptr;
    JobKey key_;
  };

  VolatilePayloads() : VolatilePayloads(Limits()) {}
  explicit VolatilePayloads(Limits limits) : limits_(limits) {}

  // Errc::exhausted: there is no room for it, and whose share is taken.
  Result<Place> hold(const JobKey& job, Secret trigger);
  const Secret* find(const JobKey& job) const;  // nullptr: it is not here; else good until forget()
  void forget(const JobKey& job);               // the job has ended; once more does nothing

  void forget_all(const OrgId& org);  // the organisation is erased

  Share held() const { return all_; }
  Share held(const OrgId& org) const;

 private:
  Limits limits_;
  Share all_{0, 0};
  std::map<OrgId, Share> by_organisation_;  // none is empty
  std::map<JobKey, Secret> triggers_;
};

}  // namespace sallyport::jobs
