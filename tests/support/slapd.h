#pragma once

#include "tests/support/temp_dir.h"

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::test {

// A real OpenLDAP server of its own with the suffix dc=example,dc=org, in a temporary directory and on two free
// loopback ports. Stopped and removed when this dies, and with the test when it crashes.
class SlapdServer {
 public:
  // PEM files of the server's certificate (with its chain) and key. `entries`: LDIF below the suffix.
  SlapdServer(const std::string& certificate_file, const std::string& key_file, std::string_view entries);
  ~SlapdServer();
  SlapdServer(const SlapdServer&) = delete;
  SlapdServer& operator=(const SlapdServer&) = delete;

  std::uint16_t port() const { return port_; }                         // clear text and StartTLS
  std::uint16_t tls_port() const { return tls_port_; }                 // TLS from the start
  std::string password_file() const { return dir_.path("password"); }  // of cn=admin,dc=example,dc=org
  static std::string password() { return "s3cret-of-the-directory"; }

  // One entry as LDIF by the server's own client, past the agent; empty when there is none.
  std::string entry(std::string_view dn, std::string_view attributes = "*") const;
  void start();
  void kill();   // SIGKILL: connections are cut
  void pause();  // SIGSTOP: it accepts, and answers nothing
  void resume();

 private:
  TempDir dir_;
  std::uint16_t port_ = 0, tls_port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
