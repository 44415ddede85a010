#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/step_error.h"
#include "agent/platform/fd.h"
#include "agent/policy/ssh_connection.h"
#include "agent/vault/vault.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <libssh2.h>

namespace sallyport::connectors::ssh {

class Sftp;

// One SSH session with a server that has shown a pinned host key and taken the login. Calls block in small waits that
// deadline and stop end; what ends one of them in the middle leaves the session unusable. One thread at a time.
// A server that says nothing for three times `keep_alive`, though it is asked, is class "connection".
class Session {
 public:
  // Errors: connection; permission when the login was refused, and {"host_key:unknown", "permission"} when the server
  // showed none of the pinned keys: `message` names the one it showed. Messages name settings.
  static StepResult<std::unique_ptr<Session>> open(const policy::SshConnection& settings, const vault::Vault& vault,
                                                   const CallLimits& limits);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Nothing has gone wrong on it, and the server has not spoken up since: it then says farewell, as a rule.
  bool is_usable() const;
  // Opened when first asked for.
  StepResult<Sftp*> sftp(const CallLimits& limits);

  // Repeats a call of libssh2 until it has worked, or failed otherwise than for want of data. `doing` begins the
  // message; what is no answer of the server to this one request makes the session unusable.
  using Attempt = std::function<std::ptrdiff_t()>;
  StepResult<std::size_t> drive(std::string_view doing, const CallLimits& limits, const Attempt& attempt);
  // The same for calls that give a pointer.
  template <class T, class Make>
  StepResult<T*> make(std::string_view doing, const CallLimits& limits, Make attempt) {
    T* made = nullptr;
    SP_CHECK(drive(doing, limits, [&]() -> std::ptrdiff_t {
      made = attempt();
      return made == nullptr ? libssh2_session_last_errno(raw()) : 0;
    }));
    return made;
  }
  // Blocks until the server has sent something, or can take something when libssh2 has more for it.
  StepResult<void> wait(std::string_view doing, const CallLimits& limits);

  LIBSSH2_SESSION* raw() const { return session_.get(); }
  unsigned long last_answer() const;  // of the SFTP server: LIBSSH2_FX_*
  bool is_broken() const { return broken_; }
  // No call can follow that waits for the server.
  void cut();
  const std::string& banner() const { return banner_; }      // "SSH-2.0-OpenSSH_9.2"
  const std::string& host_key() const { return host_key_; }  // "SHA256:...", of the one that was shown

 private:
  struct Free {
    void operator()(LIBSSH2_SESSION* session) const;
  };
  Session(platform::Fd socket, const policy::SshConnection& settings);
  StepResult<void> begin(const CallLimits& limits);
  StepResult<void> check_host_key();
  StepResult<void> log_in(const vault::Vault& vault, const CallLimits& limits);

  const policy::SshConnection& settings_;
  platform::Fd socket_;
  std::unique_ptr<LIBSSH2_SESSION, Free> session_;
  std::unique_ptr<Sftp> sftp_;
  std::string banner_;
  std::string host_key_;
  bool broken_ = false;
};

// What libssh2 says of the last call that failed, with its class: connection, permission, invalid, internal; of an
// answer of the SFTP server not_found, permission, disk_full, constraint, connection.
StepError session_error(const Session& session, std::string_view doing);

}  // namespace sallyport::connectors::ssh
