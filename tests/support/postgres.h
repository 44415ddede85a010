#pragma once

#include "tests/support/temp_dir.h"

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::test {

// A real PostgreSQL server of its own: a fresh cluster in a temporary directory, on a free loopback port and a Unix
// socket, run as the user "postgres" when the test is root. Stopped and removed when this dies, and with the test when
// it crashes.
class PostgresServer {
 public:
  PostgresServer();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string password_file() const { return dir_.path("password"); }  // of the superuser "postgres", mode 0600
  static std::string password() { return "s3cret-of-the-test"; }

  // Runs SQL as the superuser; its output, columns parted by `|`. Throws when it fails.
  std::string sql(std::string_view text, std::string_view database = "postgres") const;
  void stop();   // a fast shutdown: sessions are cut
  void start();  // again, on the same port
  void pause();  // SIGSTOP to every process of the server: it accepts, and answers nothing
  void resume();

 private:
  TempDir dir_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
