#pragma once

#include "agent/connectors/ldap/session.h"

namespace sallyport::connectors::ldap {

// The way to a Session in steps, in this order: dial(), secure(), log_in(), take(). An error of a step ends it.
class Opening {
 public:
  // Both outlive it.
  Opening(const policy::LdapConnection& settings, const CallLimits& limits);

  StepResult<void> dial();
  StepResult<void> secure();  // TLS as the settings say; without it nothing is done
  StepResult<void> log_in(const vault::Vault& vault);
  std::unique_ptr<Session> take() { return std::move(session_); }

 private:
  StepResult<void> set_options();
  StepResult<void> start_tls();
  StepResult<void> install_tls();
  enum class Waiting { blocks, returns };
  void set_waiting(Waiting waiting);
  std::string reason() const;
  std::string doing(std::string_view what) const;

  const policy::LdapConnection& settings_;
  CallLimits limits_;
  std::unique_ptr<Session> session_;
};

}  // namespace sallyport::connectors::ldap
