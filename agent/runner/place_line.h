#pragma once

#include "shared/base/ids.h"

#include <cstddef>
#include <functional>
#include <list>

namespace sallyport::runner {

// A number of places, and the jobs that wait for one: first come, first served. A job may have several places, and
// stands in the line once. Who is woken takes a place or leaves the line; until then the place is kept free for it. No
// IO, no clock.
class PlaceLine {
 public:
  using Wake = std::function<void(const JobId&)>;
  PlaceLine(std::size_t places, Wake wake) : free_(places), wake_(std::move(wake)) {}

  // True: the job has one place more. False: it stands in the line, and is woken when its turn has come.
  bool take(const JobId& job);
  void give_back();
  void leave(const JobId& job);  // the line; the places it has stay its own
  std::size_t waiting() const { return line_.size(); }

 private:
  void wake_last_served() const;

  std::size_t free_;
  Wake wake_;
  std::list<JobId> line_;  // the first `free_` have been woken
};

}  // namespace sallyport::runner
