#include "tests/support/own_users.h"

#include <sched.h>
#include <sys/mount.h>

#include <cstdlib>

namespace sallyport::test {
namespace {

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

}  // namespace

OwnUsers::OwnUsers(const TempDir& directory, const std::string& name, const std::string& password,
                   const std::string& home)
    : directory_(directory) {
  const auto passwd = directory.path("passwd"), shadow = directory.path("shadow");
  run("cp /etc/passwd " + passwd + " && echo '" + name + ":x:65533:65534::" + home + ":/bin/sh' >> " + passwd);
  run("cp /etc/shadow " + shadow + " && echo \"" + name + ":$(openssl passwd -6 '" + password + "'):19000::::::\" >> " +
      shadow);
}

void OwnUsers::add_service(const std::string& name, const std::string& rules) {
  directory_.write("pam.d/" + name, rules);
  has_services_ = true;
}

bool OwnUsers::see(const char* name) const {
  return ::mount(directory_.path(name).c_str(), (std::string("/etc/") + name).c_str(), nullptr, MS_BIND, nullptr) == 0;
}

bool OwnUsers::enter() const {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         see("passwd") && see("shadow") && (!has_services_ || see("pam.d"));
}

}  // namespace sallyport::test
