#include "tests/support/sshd.h"

#include "tests/support/free_port.h"
#include "tests/support/server_process.h"

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <thread>

namespace sallyport::test {
namespace {

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

void make_key(const std::string& file, std::string_view type, std::string_view passphrase = {}) {
  const std::string bits = type == "rsa" ? " -b 2048" : "";
  run("ssh-keygen -q -a 1 -t " + std::string(type) + bits + " -C test -N '" + std::string(passphrase) + "' -f " + file);
}

}  // namespace

SshServer::SshServer(Options options) {
  for (const auto* dir : {&dir_, &files_}) ::chmod(dir->path().c_str(), 0755);
  for (const auto& type : options.host_keys) make_key(dir_.path("host_" + type), type);
  make_key(key_file(), "ed25519");
  run("cat " + key_file() + ".pub > " + dir_.path("authorized_keys"));
  if (!options.password.empty()) {
    users_.emplace(dir_, "tester", options.password, dir_.path());
    ::chmod(files_.path().c_str(), 0777);
  }
  port_ = free_port();
  start(options);
}

void SshServer::start(const Options& options) {
  std::string config = options.config + "\nPort " + std::to_string(port_) +
                       "\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
                       "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\nLogLevel VERBOSE\n"
                       "AuthorizedKeysFile " +
                       dir_.path("authorized_keys") + "\nSubsystem sftp " + options.sftp + "\n";
  for (const auto& type : options.host_keys) config += "HostKey " + dir_.path("host_" + type) + "\n";
  dir_.write("sshd_config", config);
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);  // Debian's sshd wants it; its service would make it
  const auto configured = dir_.path("sshd_config"), log = dir_.path("sshd.log");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (users_ && !users_->enter()) ::_exit(126);
    ::execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", configured.c_str(), "-E", log.c_str(), nullptr);
    ::_exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!takes_connections(port_)) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_ || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("sshd did not start:\n" + this->log());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

SshServer::~SshServer() {
  if (pid_ >= 0) stop();
}

std::string SshServer::user() const { return ::getpwuid(::geteuid())->pw_name; }

std::string SshServer::key_file(std::string_view type, std::string_view passphrase) const {
  auto file = dir_.path("user_" + std::string(type) + (passphrase.empty() ? "" : "_locked"));
  make_key(file, type, passphrase);
  run("cat " + file + ".pub >> " + dir_.path("authorized_keys"));
  return file;
}

std::string SshServer::host_key(std::string_view type) const {
  std::istringstream words(dir_.read("host_" + std::string(type) + ".pub"));
  std::string name, key;
  words >> name >> key;
  return name + " " + key;
}

std::string SshServer::fingerprint(std::string_view type) const {
  const auto file = dir_.path("host_" + std::string(type) + ".pub");
  run("ssh-keygen -lf " + file + " > " + file + ".fingerprint");
  std::istringstream words(dir_.read("host_" + std::string(type) + ".pub.fingerprint"));
  std::string bits, fingerprint;
  words >> bits >> fingerprint;
  return fingerprint;
}

std::string SshServer::connection(std::string_view name, std::string_view more) const {
  return "  " + std::string(name) + ": {kind: ssh, host: 127.0.0.1, port: " + std::to_string(port_) +
         ", user: " + user() + ", key_file: " + key_file() + ", host_keys: ['" + host_key() +
         "'], root: " + files_.path() + std::string(more) + "}\n";
}

std::vector<pid_t> SshServer::sessions() const { return descendants_of(pid_); }

void SshServer::cut() const {
  for (const pid_t session : sessions()) ::kill(session, SIGKILL);
}

void SshServer::stop() {
  const auto running = sessions();
  ::kill(pid_, SIGKILL);
  for (const pid_t session : running) ::kill(session, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void SshServer::pause() {
  suspend(pid_);
  for (const pid_t session : sessions()) suspend(session);
}

void SshServer::resume() {
  for (const pid_t session : sessions()) ::kill(session, SIGCONT);
  ::kill(pid_, SIGCONT);
}

}  // namespace sallyport::test
