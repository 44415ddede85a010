#pragma once

#include "tests/support/temp_dir.h"

#include <sys/types.h>
#include <string>
#include <string_view>

namespace sallyport::test {

// tests/support/<script> as a process: a server of keys with HTTPS, real cryptography and faults on demand
// (tests/support/key_server.py). Killed with the test, also when it crashes.
class KeyServer {
 public:
  explicit KeyServer(std::string script);
  ~KeyServer();
  KeyServer(const KeyServer&) = delete;
  KeyServer& operator=(const KeyServer&) = delete;

  std::string url() const { return "https://127.0.0.1:" + port_; }
  std::string ca_file() const { return dir_.path("ca.pem"); }
  // What control.json says from now on: {"mode":"delay","seconds":5}.
  void control(std::string_view json) const;
  void heal() const { control(R"({"mode":"normal"})"); }
  void stop();
  void start();  // again, on the same port
  bool runs() const { return pid_ > 0; }

 private:
  std::string script_;
  TempDir dir_;
  std::string port_ = "0";
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
