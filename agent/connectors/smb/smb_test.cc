#include "agent/connectors/reach.h"
#include "agent/connectors/smb/server_files.h"
#include "agent/connectors/smb/smb_actions.h"

#include <fmt/format.h>

namespace sallyport::connectors::smb {
namespace {

using findings::Finding;
using findings::Findings;
using findings::Verdict;

class SmbTest final : public ConnectionTest {
 public:
  SmbTest(Site site, std::string program) : site_(site), program_(std::move(program)) {}
  std::string_view kind() const override { return "smb"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.smb();
    const auto program = program_.empty() ? find_helper() : Result<std::string>(program_);
    if (!program) return {{"client", Verdict::bad, program.error().message, "install the package sallyport-smb"}};
    auto reach = try_to_reach(settings.host, settings.port, deadline);
    if (reach.reached) go_on(settings, *program, {deadline, {}}, reach.findings);
    return std::move(reach.findings);
  }

 private:
  void go_on(const policy::SmbConnection& settings, const std::string& program, const CallLimits& limits,
             Findings& findings) const {
    const auto files = ServerFiles::log_in(settings, site_.vault, program, limits);
    findings.push_back(logged_in(settings, files ? nullptr : &files.error()));
    if (files) findings.push_back(entered(settings, **files, limits));
  }

  static Finding logged_in(const policy::SmbConnection& settings, const StepError* error) {
    const auto* const how = settings.protection == policy::SmbProtection::encrypted ? "encrypted" : "signed";
    if (error == nullptr)
      return {"login", Verdict::good,
              fmt::format("the share {} takes the login of {}, {}, over SMB 3", settings.share, settings.user, how)};
    return {"login", Verdict::bad, error->message,
            fmt::format("correct `share`, `user`, `domain` or the password in connections.yaml, or have the server "
                        "speak SMB 3, {}",
                        how)};
  }

  static Finding entered(const policy::SmbConnection& settings, ServerFiles& files, const CallLimits& limits) {
    const auto ignore = [](const remote::Entry&) -> StepResult<void> { return {}; };
    auto done = files.enter(settings.root, limits);
    if (done) done = files.each_file(".", limits, ignore);
    if (done) return {"permission", Verdict::good, fmt::format("the directory {} can be listed", settings.root)};
    return {"permission", Verdict::bad, fmt::format("{}: {}", settings.root, done.error().message),
            "correct `root`, or have that directory allowed for this user"};
  }

  Site site_;
  std::string program_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_smb_test(Site site, std::string program) {
  return std::make_unique<SmbTest>(site, std::move(program));
}

}  // namespace sallyport::connectors::smb
