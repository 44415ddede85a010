#pragma once

#include "tests/support/temp_dir.h"

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::test {

// A real MariaDB server of its own in a temporary directory, on a free loopback port (with TLS for whoever asks) and a
// Unix socket. Stopped and removed when this dies, and with the test when it crashes.
class MariadbServer {
 public:
  MariadbServer();
  ~MariadbServer();
  MariadbServer(const MariadbServer&) = delete;
  MariadbServer& operator=(const MariadbServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string socket() const { return dir_.path("socket"); }
  std::string password_file() const { return dir_.path("password"); }  // of the user "agent", mode 0600
  static std::string password() { return "s3cret-of-the-test"; }
  std::string ca_file() const { return dir_.path("certificate.pem"); }  // for 127.0.0.1
  std::string directory() const { return dir_.path(); }

  // Runs SQL as root, past the network; its output, columns parted by `|`. Throws when it fails. Bodies of routines
  // stand between lines with `delimiter //` and `delimiter ;`.
  std::string sql(std::string_view text, std::string_view database = "mysql") const;
  void stop();
  void start();  // again, on the same port
  void pause();  // SIGSTOP: it accepts, and answers nothing
  void resume();

 private:
  std::string options() const;

  TempDir dir_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
