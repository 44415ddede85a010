#include "agent/connectors/ssh/ssh_connection_test.h"

#include "agent/connectors/reach.h"
#include "agent/connectors/ssh/session.h"
#include "agent/connectors/ssh/sftp.h"

#include <fmt/format.h>

namespace sallyport::connectors::ssh {
namespace {

using findings::Finding;
using findings::Findings;
using findings::Verdict;

class SshConnectionTest final : public ConnectionTest {
 public:
  explicit SshConnectionTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "ssh"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& ssh = *connection.ssh();
    auto [findings, reached] = try_to_reach(ssh.host, ssh.port, deadline);
    if (!reached) return findings;
    const CallLimits limits{deadline, {}};
    auto session = Session::open(ssh, site_.vault, limits);
    for (auto& finding : session ? greeted(ssh, **session) : refused(session.error()))
      findings.push_back(std::move(finding));
    if (session) findings.push_back(entered(ssh, **session, limits));
    return findings;
  }

 private:
  static Findings greeted(const policy::SshConnection& ssh, const Session& session) {
    Findings findings{
        {"host_key", Verdict::good, fmt::format("{} shows a pinned key, {}", session.banner(), session.host_key())}};
    if (ssh.user == "root") {
      findings.push_back({"login", Verdict::note, "the server takes root's login",
                          "give the agent a user of its own there, with no more rights than its steps need"});
    } else {
      findings.push_back({"login", Verdict::good, fmt::format("the server takes the login of {}", ssh.user)});
    }
    return findings;
  }

  static Findings refused(const StepError& error) {
    if (error.error_class() == "host_key:unknown")
      return {{"host_key", Verdict::bad, error.message, "correct `host_keys` in connections.yaml, once you are sure"}};
    if (error.error_class() == "connection" || error.error_class() == "timeout")
      return {{"host_key", Verdict::bad, error.message, "compare `algorithms` with what the server offers"}};
    return {{"host_key", Verdict::good, "the server shows a pinned key"},
            {"login", Verdict::bad, error.message, "correct `user`, the key or the password in connections.yaml"}};
  }

  static Finding entered(const policy::SshConnection& ssh, Session& session, const CallLimits& limits) {
    const auto files = session.sftp(limits);
    if (files) return {"permission", Verdict::good, fmt::format("the directory {} can be entered", ssh.root)};
    return {"permission", Verdict::bad, fmt::format("{}: {}", ssh.root, files.error().message),
            "correct `root`, or have SFTP and that directory allowed for this user"};
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_ssh_connection_test(Site site) {
  return std::make_unique<SshConnectionTest>(site);
}

}  // namespace sallyport::connectors::ssh
