#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>

namespace sallyport::platform {

// Wakes somebody who looks at a directory when something may have changed in it. Only a hint: it may be late, it may
// wake for nothing, and network file systems never wake; so the caller also looks again after a time of its own.
// Lives on its executor.
class FileWatch {
 public:
  // `directory_fd` is borrowed and only needed during this call.
  static Result<std::unique_ptr<FileWatch>> open(const boost::asio::any_io_executor& executor, int directory_fd);
  ~FileWatch();

  // Returns at a change, at the deadline, or when the caller is cancelled.
  boost::asio::awaitable<void> wait_until(SteadyTime deadline);

 private:
  struct Impl;
  explicit FileWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::platform
