#include "tests/support/vsftpd.h"

#include "tests/support/free_port.h"
#include "tests/support/server_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace sallyport::test {
namespace {

constexpr std::string_view kConfig = R"(listen=YES
listen_address=127.0.0.1
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
seccomp_sandbox=NO
pam_service_name=vsftpd
ssl_enable=YES
force_local_logins_ssl=YES
force_local_data_ssl=YES
require_ssl_reuse=YES
ssl_ciphers=HIGH
delay_failed_login=0
xferlog_enable=YES
xferlog_std_format=NO
log_ftp_protocol=YES

)";

}  // namespace

bool FtpsServer::can_run() { return ::geteuid() == 0; }

FtpsServer::FtpsServer(const Options& options) : users_(dir_, user(), password(), files_.path()), port_(free_port()) {
  users_.add_service("vsftpd", "auth required pam_unix.so nodelay\naccount required pam_permit.so\n");
  users_.add_service("other", "auth required pam_deny.so\n");
  ::chmod(dir_.path().c_str(), 0755);
  ::chmod(files_.path().c_str(), 0777);
  ::mkdir(dir_.path("empty").c_str(), 0755);
  dir_.write("vsftpd.conf",
             std::string(kConfig) + "listen_port=" + std::to_string(port_) +
                 "\nrsa_cert_file=" + options.certificate_file + "\nrsa_private_key_file=" + options.key_file +
                 "\nimplicit_ssl=" + (options.implicit ? "YES" : "NO") + "\nsecure_chroot_dir=" + dir_.path("empty") +
                 "\nvsftpd_log_file=" + dir_.path("log") + "\n" + options.config);
  start();
}

FtpsServer::~FtpsServer() {
  if (pid_ >= 0) stop();
}

void FtpsServer::start() {
  const auto config = dir_.path("vsftpd.conf"), output = dir_.path("output");
  pid_ = ::fork();
  if (pid_ == 0) {
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!users_.enter()) ::_exit(126);
    ::execl("/usr/sbin/vsftpd", "vsftpd", config.c_str(), nullptr);
    ::_exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!takes_connections(port_)) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_ || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("vsftpd did not start:\n" + dir_.read("output"));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void FtpsServer::cut() const {
  for (const pid_t session : descendants_of(pid_)) ::kill(session, SIGKILL);
}

void FtpsServer::stop() {
  const auto sessions = descendants_of(pid_);
  ::kill(pid_, SIGKILL);
  for (const pid_t session : sessions) ::kill(session, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void FtpsServer::pause() {
  suspend(pid_);
  for (const pid_t session : descendants_of(pid_)) suspend(session);
}

void FtpsServer::resume() {
  for (const pid_t session : descendants_of(pid_)) ::kill(session, SIGCONT);
  ::kill(pid_, SIGCONT);
}

}  // namespace sallyport::test
