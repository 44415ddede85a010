#pragma once

#include "tests/support/own_users.h"
#include "tests/support/temp_dir.h"

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::test {

// A real OpenSSH server of its own: fresh host keys, a free loopback port, files and keys in a temporary directory. It
// takes the key of `key_file()` for the user that runs the test. Stopped and removed when this dies, and with the test
// when it crashes.
class SshServer {
 public:
  struct Options {
    std::vector<std::string> host_keys = {"ed25519"};
    std::string config = {};             // further lines; the first of a keyword counts
    std::string sftp = "internal-sftp";  // the subsystem's command
    // Root only: a user "tester" with this password, known to this server alone.
    std::string password = {};
  };
  SshServer() : SshServer(Options()) {}
  explicit SshServer(Options options);
  ~SshServer();
  SshServer(const SshServer&) = delete;
  SshServer& operator=(const SshServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string user() const;
  std::string key_file() const { return dir_.path("user_ed25519"); }
  std::string key_file(std::string_view type, std::string_view passphrase = {}) const;  // another one that is taken
  std::string host_key(std::string_view type = "ed25519") const;                        // "ssh-ed25519 AAAA..."
  std::string fingerprint(std::string_view type = "ed25519") const;
  // A connection of kind "ssh" named `name` in connections.yaml, to `root()`, with the key and the host's ed25519 key.
  std::string connection(std::string_view name = "partner", std::string_view more = {}) const;

  const TempDir& files() const { return files_; }  // what root() of the connection names
  std::string log() const { return dir_.read("sshd.log"); }

  void cut() const;  // every session ends at once; new ones are taken
  void stop();       // nobody listens any more
  void pause();      // SIGSTOP: what has connected hears nothing more, and nothing new is taken
  void resume();

 private:
  void start(const Options& options);
  std::vector<pid_t> sessions() const;

  TempDir dir_, files_;
  std::optional<OwnUsers> users_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
