#pragma once

#include "tests/support/temp_dir.h"

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace sallyport::test {

// A real tinyproxy (1.11) on a loopback port, with basic authentication for operator:open-sesame, which lets CONNECT
// through to one port. Ends with its owner.
class Tinyproxy {
 public:
  explicit Tinyproxy(std::uint16_t connect_port);  // throws unless it answers within ten seconds
  ~Tinyproxy();
  std::string url(const std::string& credentials = "operator:open-sesame@") const;
  std::uint16_t port() const { return port_; }

 private:
  TempDir dir_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

}  // namespace sallyport::test
