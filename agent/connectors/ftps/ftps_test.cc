#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/ftps/ftps_actions.h"
#include "agent/connectors/ftps/server_files.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/reach.h"

#include <fmt/format.h>

namespace sallyport::connectors::ftps {
namespace {

using findings::Finding;
using findings::Findings;
using findings::Verdict;

class FtpsTest final : public ConnectionTest {
 public:
  explicit FtpsTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "ftps"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.ftps();
    if (const auto loaded = load_libcurl(); !loaded)
      return {{"client", Verdict::bad, loaded.error().message, "apt install libcurl4"}};
    auto reach = try_to_reach(settings.host, settings.port, deadline);
    if (reach.reached) go_on(settings, {deadline, {}}, reach.findings);
    return std::move(reach.findings);
  }

 private:
  void go_on(const policy::FtpsConnection& settings, const CallLimits& limits, Findings& findings) const {
    const auto before = settings.security == policy::FtpsSecurity::explicit_tls ? certificate::Before::ftp
                                                                                : certificate::Before::nothing;
    const auto shown =
        certificate::look({settings.host, settings.port, before, settings.ca_file}, site_.clock, limits.deadline);
    auto wire = Wire::make(settings, site_.vault);
    if (!wire) {
      findings.push_back({"login", Verdict::bad, wire.error().message, "correct the password's place"});
      return;
    }
    ServerFiles files(*std::move(wire));
    const auto greeted = files.greet(limits);
    findings.push_back(secured(files.wire(), shown, greeted));
    if (!files.wire().is_secured()) return;
    findings.push_back(logged_in(settings, greeted));
    if (greeted) findings.push_back(entered(settings, files, limits));
  }

  static Finding secured(const Wire& wire, const certificate::Shown& shown, const StepResult<void>& greeted) {
    if (wire.is_secured()) return shown.good();
    const auto fault = wire.last_fault();
    return shown.bad(
        fmt::format("{}{}", greeted ? "" : greeted.error().message, fault.empty() ? "" : fmt::format(" ({})", fault)));
  }

  static Finding logged_in(const policy::FtpsConnection& settings, const StepResult<void>& greeted) {
    if (greeted) return {"login", Verdict::good, fmt::format("the server takes the login of {}", settings.user)};
    return {"login", Verdict::bad, greeted.error().message, "correct `user` or the password in connections.yaml"};
  }

  static Finding entered(const policy::FtpsConnection& settings, ServerFiles& files, const CallLimits& limits) {
    const auto ignore = [](const remote::Entry&) -> StepResult<void> { return {}; };
    auto done = files.enter(settings.root, limits);
    if (done) done = files.each_file(".", limits, ignore);  // over a data connection
    if (done) return {"permission", Verdict::good, fmt::format("the directory {} can be listed", settings.root)};
    return {"permission", Verdict::bad, fmt::format("{}: {}", settings.root, done.error().message),
            "correct `root`, have that directory allowed for this user, or the server's passive ports opened"};
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_ftps_test(Site site) { return std::make_unique<FtpsTest>(site); }

}  // namespace sallyport::connectors::ftps
