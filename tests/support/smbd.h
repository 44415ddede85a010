#pragma once

#include "tests/support/temp_dir.h"

#include <sys/types.h>
#include <cstdint>
#include <string>

namespace sallyport::test {

// A real smbd of its own on a free loopback port, with one share. It knows the user that runs the test, by a password
// of its own. Stopped and removed when this dies, and with the test when it crashes.
class SmbServer {
 public:
  struct Options {
    std::string global = {}, share = {};  // further lines of the sections; the last of a keyword counts
  };
  SmbServer() : SmbServer(Options()) {}
  explicit SmbServer(const Options& options);
  ~SmbServer();
  SmbServer(const SmbServer&) = delete;
  SmbServer& operator=(const SmbServer&) = delete;

  static std::string password() { return "s3cret-of-the-share"; }
  static std::string share() { return "exchange"; }

  std::uint16_t port() const { return port_; }
  static std::string user();
  const TempDir& files() const { return files_; }  // the share's top
  static bool tells_status();                      // smbstatus works for root alone
  std::string status() const;                      // what it says of the sessions

  void cut() const;          // every session ends at once; new ones are taken
  void close_share() const;  // the sessions stay and have lost the share; only for whom tells_status()
  void stop();               // nobody listens any more
  void pause();              // SIGSTOP: what has connected hears nothing more, and nothing new is taken
  void resume();

 private:
  TempDir dir_, files_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
