#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace sallyport::platform {

// Says one text to every program of this machine that may enter the directory of `path` and asks there. Who asks sends
// nothing: it connects, reads to the end, and is closed. One at a time, each for `patience` at most. Lives on one
// executor.
class LocalTeller {
 public:
  // Takes the place of a socket that an earlier process left at `path`: the caller holds the directory for itself
  // (StateLock) and has made sure that nobody else may enter it. Errc::invalid: the path is longer than the operating
  // system allows for a socket; otherwise as os_error.h.
  static Result<LocalTeller> listen(const boost::asio::any_io_executor& executor, const std::string& path);
  LocalTeller(LocalTeller&&) noexcept;
  LocalTeller& operator=(LocalTeller&&) noexcept;
  ~LocalTeller();  // removes the socket

  // Until it is cancelled. `tell` is called anew for each who asks.
  boost::asio::awaitable<void> run(std::function<std::string()> tell,
                                   std::chrono::milliseconds patience = std::chrono::milliseconds(2'000));

 private:
  struct Impl;
  explicit LocalTeller(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Asks there. Errc::not_found: nobody listens (no such socket, or its process is gone); forbidden: this user may not;
// timed_out; too_large: the answer goes over `limit` bytes.
boost::asio::awaitable<Result<std::string>> ask_locally(std::string path, std::size_t limit, SteadyTime deadline);

}  // namespace sallyport::platform
