#include "tests/support/smbd.h"

#include "tests/support/free_port.h"
#include "tests/support/server_process.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

namespace sallyport::test {
namespace {

constexpr std::string_view kConfig = R"([global]
smb ports = {port}
interfaces = 127.0.0.1/8
bind interfaces only = yes
disable netbios = yes
passdb backend = smbpasswd:{dir}/passwords
private dir = {dir}/private
lock directory = {dir}/lock
state directory = {dir}/state
cache directory = {dir}/cache
ncalrpc dir = {dir}/ncalrpc
pid directory = {dir}
log file = {dir}/log
server min protocol = SMB2_02
disable spoolss = yes
load printers = no
wide links = no
{global}
[{share_name}]
path = {files}
writeable = yes
{share}
)";

}  // namespace

std::string SmbServer::user() {
  const auto* const entry = ::getpwuid(::geteuid());
  if (entry == nullptr) throw std::runtime_error("whoever runs the test has no name");
  return entry->pw_name;
}

SmbServer::SmbServer(const Options& options) : port_(free_port()) {
  for (const char* folder : {"private", "lock", "state", "cache", "ncalrpc"}) ::mkdir(dir_.path(folder).c_str(), 0755);
  const auto config =
      dir_.write("smb.conf", fmt::format(fmt::runtime(kConfig), fmt::arg("port", port_), fmt::arg("dir", dir_.path()),
                                         fmt::arg("global", options.global), fmt::arg("share_name", share()),
                                         fmt::arg("files", files_.path()), fmt::arg("share", options.share)));
  output_of(fmt::format("printf '{0}\\n{0}\\n' | pdbedit -s {1} -t -a -u {2} 2>&1", password(), config, user()));
  const auto log = dir_.path("output");
  pid_ = spawn({{"/usr/sbin/smbd", "-F", "--no-process-group", "-s", config}, log, nullptr, SIGKILL});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!takes_connections(port_)) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_ || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("smbd did not start:\n" + dir_.read("output"));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

SmbServer::~SmbServer() {
  if (pid_ >= 0) stop();
}

bool SmbServer::tells_status() { return ::geteuid() == 0; }

std::string SmbServer::status() const { return output_of("smbstatus -b -s " + dir_.path("smb.conf") + " 2>&1"); }

void SmbServer::cut() const {
  for (const pid_t session : descendants_of(pid_)) ::kill(session, SIGKILL);
}

void SmbServer::close_share() const {
  output_of(fmt::format("smbcontrol -s {} smbd close-share {} 2>&1", dir_.path("smb.conf"), share()));
}

void SmbServer::stop() {
  const auto sessions = descendants_of(pid_);
  ::kill(pid_, SIGKILL);
  for (const pid_t session : sessions) ::kill(session, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void SmbServer::pause() {
  suspend(pid_);
  for (const pid_t session : descendants_of(pid_)) suspend(session);
}

void SmbServer::resume() {
  for (const pid_t session : descendants_of(pid_)) ::kill(session, SIGCONT);
  ::kill(pid_, SIGCONT);
}

}  // namespace sallyport::test
