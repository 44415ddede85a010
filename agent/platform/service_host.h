#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::platform {

// Tells the service manager how this process is. With systemd: the datagram protocol of sd_notify(3); started by hand,
// every call does nothing. Thread-safe.
class ServiceHost {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them, so that no child inherits them. Call it
  // before threads are started.
  static ServiceHost from_environment();
  ServiceHost() = default;
  ServiceHost(std::string socket, std::optional<std::chrono::microseconds> watchdog);

  void ready(std::string_view status) const;
  void status(std::string_view status) const;
  void stopping(std::string_view reason) const;
  void feed_watchdog() const;
  // How long the manager waits for feed_watchdog() before it kills the process; feed at half of it.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  void notify(std::string_view message) const;
  std::string socket_;
  std::optional<std::chrono::microseconds> watchdog_;
};

std::int64_t process_id();  // of this process

// Returns "SIGTERM" or "SIGINT" when one arrives, or an empty text when the caller is cancelled.
boost::asio::awaitable<std::string> wait_for_stop_signal();

}  // namespace sallyport::platform
