#include "agent/connectors/mail/smtp.h"
#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/mail/mail_actions.h"
#include "agent/connectors/reach.h"

#include <fmt/format.h>

#include <optional>

namespace sallyport::connectors::mail {
namespace {

using findings::Findings;
using findings::Verdict;

constexpr const char* kAdvice = "correct the connection's settings in connections.yaml, or the server's";

certificate::Shown look_at(const policy::SmtpConnection& settings, const Clock& clock, SteadyTime deadline) {
  const auto before =
      settings.security == policy::SmtpSecurity::starttls ? certificate::Before::smtp : certificate::Before::nothing;
  return certificate::look({settings.host, settings.port, before, settings.ca_file}, clock, deadline);
}

class SmtpTest final : public ConnectionTest {
 public:
  explicit SmtpTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "smtp"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.smtp();
    if (const auto loaded = load_libcurl(); !loaded)
      return {{"client", Verdict::bad, loaded.error().message, "install the package, then test again"}};
    auto reach = try_to_reach(settings.host, settings.port, deadline);
    if (reach.reached) enter(settings, {deadline, {}}, reach.findings);
    return std::move(reach.findings);
  }

 private:
  void enter(const policy::SmtpConnection& settings, const CallLimits& limits, Findings& findings) const {
    std::optional<certificate::Shown> shown;
    if (settings.security != policy::SmtpSecurity::none) shown = look_at(settings, site_.clock, limits.deadline);
    const auto greeting = greet(settings, site_.vault, limits);
    if (shown && !greeting.secured) return findings.push_back(shown->bad(greeting.result.error().message));
    if (shown) findings.push_back(shown->good());
    if (greeting.result) {
      const auto who = settings.user.empty() ? "nobody" : settings.user;
      findings.push_back({"login", Verdict::good, fmt::format("the server takes the login of {}", who)});
    } else {
      findings.push_back({"login", Verdict::bad, greeting.result.error().message, kAdvice});
    }
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_smtp_test(Site site) { return std::make_unique<SmtpTest>(site); }

}  // namespace sallyport::connectors::mail
