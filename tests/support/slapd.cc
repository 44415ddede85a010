#include "tests/support/slapd.h"

#include "tests/support/free_port.h"
#include "tests/support/server_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace sallyport::test {
namespace {

constexpr std::string_view kConfig = R"(include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile @DIR@/pid
TLSCertificateFile @CERTIFICATE@
TLSCertificateKeyFile @KEY@
sizelimit unlimited
database mdb
maxsize 1073741824
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw @PASSWORD@
directory @DIR@/db
dbnosync
)";

constexpr std::string_view kSuffix = R"(dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

)";

std::string filled(std::string text, std::string_view mark, std::string_view value) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) text.replace(at, mark.size(), value);
  return text;
}

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

}  // namespace

SlapdServer::SlapdServer(const std::string& certificate_file, const std::string& key_file, std::string_view entries) {
  ::chmod(dir_.write("password", password() + "\n").c_str(), 0600);
  std::string config = filled(std::string(kConfig), "@DIR@", dir_.path());
  config = filled(std::move(config), "@CERTIFICATE@", certificate_file);
  config = filled(std::move(config), "@KEY@", key_file);
  const auto file = dir_.write("slapd.conf", filled(std::move(config), "@PASSWORD@", password()));
  std::filesystem::create_directory(dir_.path("db"));
  const auto ldif = dir_.write("entries.ldif", std::string(kSuffix) + std::string(entries));
  run("/usr/sbin/slapadd -q -f " + file + " -l " + ldif + " 2> " + dir_.path("slapadd.log"));
  port_ = free_port();
  do tls_port_ = free_port();
  while (tls_port_ == port_);
  start();
}

SlapdServer::~SlapdServer() { kill(); }

void SlapdServer::start() {
  const auto urls = "ldap://127.0.0.1:" + std::to_string(port_) + " ldaps://127.0.0.1:" + std::to_string(tls_port_);
  const auto config = dir_.path("slapd.conf"), log = dir_.path("slapd.log");
  pid_ = ::fork();
  if (pid_ == 0) {
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execl("/usr/sbin/slapd", "slapd", "-d", "0", "-f", config.c_str(), "-h", urls.c_str(), nullptr);
    ::_exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto ready = "ldapwhoami -x -H ldap://127.0.0.1:" + std::to_string(port_) + " > /dev/null 2>&1";
  while (std::system(ready.c_str()) != 0) {
    int status = 0;
    const bool ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
    if (ended || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("slapd did not start:\n" + dir_.read("slapd.log"));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void SlapdServer::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void SlapdServer::pause() { suspend(pid_); }
void SlapdServer::resume() { ::kill(pid_, SIGCONT); }

std::string SlapdServer::entry(std::string_view dn, std::string_view attributes) const {
  const auto out = dir_.path("entry.ldif");
  (void)std::system(("ldapsearch -x -LLL -o ldif-wrap=no -H ldap://127.0.0.1:" + std::to_string(port_) +
                     " -D cn=admin,dc=example,dc=org -w " + password() + " -s base -b '" + std::string(dn) + "' '" +
                     std::string(attributes) + "' > " + out + " 2> /dev/null")
                        .c_str());
  return dir_.read("entry.ldif");
}

}  // namespace sallyport::test
