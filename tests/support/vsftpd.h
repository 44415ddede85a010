#pragma once

#include "tests/support/own_users.h"
#include "tests/support/temp_dir.h"

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::test {

// A real vsftpd of its own on a free loopback port: TLS for logins and data, of which it wants the session reused.
// Needs root, for a user that it alone knows. Stopped and removed when this dies, and with the test when it crashes.
class FtpsServer {
 public:
  struct Options {
    std::string certificate_file, key_file;  // PEM
    bool implicit = false;
    std::string config = {};  // further lines; the last of a keyword counts
  };
  explicit FtpsServer(const Options& options);
  ~FtpsServer();
  FtpsServer(const FtpsServer&) = delete;
  FtpsServer& operator=(const FtpsServer&) = delete;

  static bool can_run();
  static std::string password() { return "s3cret-of-the-exchange"; }

  std::uint16_t port() const { return port_; }
  std::string user() const { return "partner"; }
  const TempDir& files() const { return files_; }  // where its login leads; everybody may write there
  std::string log() const { return dir_.read("log"); }

  void cut() const;  // every session ends at once; new ones are taken
  void stop();       // nobody listens any more
  void pause();      // SIGSTOP: what has connected hears nothing more, and nothing new is taken
  void resume();

 private:
  void start();
  TempDir dir_, files_;
  OwnUsers users_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
