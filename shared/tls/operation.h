#pragma once

#include "shared/base/result.h"

namespace sallyport::tls {

// Says that an operation of its kind is under way, while it lives.
class Busy {
 public:
  explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
  ~Busy() { flag_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& flag_;
};

inline Error cancelled() { return {Errc::cancelled, "the stream was closed or the operation cancelled"}; }

}  // namespace sallyport::tls
