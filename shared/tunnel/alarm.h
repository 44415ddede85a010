#pragma once

#include "shared/base/clock.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <utility>

namespace sallyport::tunnel {

// Rings once, at the earliest of the times it was set to since it rang last. There is a timer only once it has been
// set: most connections never are. Lives with what `ring` keeps alive.
class Alarm {
 public:
  // SteadyTime::max(): never.
  template <class Ring>
  void set(const boost::asio::any_io_executor& on, SteadyTime at, Ring ring) {
    if (at >= rings_at_) return;
    if (!timer_) timer_ = std::make_unique<boost::asio::steady_timer>(on);
    rings_at_ = at;
    timer_->expires_at(at);
    timer_->async_wait([this, ring = std::move(ring)](boost::system::error_code cancelled) mutable {
      if (cancelled) return;
      rings_at_ = SteadyTime::max();
      ring();
    });
  }
  void drop() {
    rings_at_ = SteadyTime::max();
    timer_.reset();
  }

 private:
  SteadyTime rings_at_ = SteadyTime::max();
  std::unique_ptr<boost::asio::steady_timer> timer_;
};

}  // namespace sallyport::tunnel
