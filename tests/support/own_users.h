#pragma once

#include "tests/support/temp_dir.h"

#include <string>

namespace sallyport::test {

// Users of one server alone, for tests that run as root: in mount points of its own it sees other files in /etc.
class OwnUsers {
 public:
  // Into `directory`, which outlives the server: those of this machine and one more, with that password.
  OwnUsers(const TempDir& directory, const std::string& name, const std::string& password, const std::string& home);
  // How programs may ask for the password (PAM), as the service `name`.
  void add_service(const std::string& name, const std::string& rules);
  // In the server's process, before it becomes the server.
  bool enter() const;

 private:
  bool see(const char* name) const;
  const TempDir& directory_;
  bool has_services_ = false;
};

}  // namespace sallyport::test
