#include "agent/connectors/mail/smtp.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/mail/mail_actions.h"
#include "agent/connectors/reach.h"

#include <fmt/format.h>

namespace sallyport::connectors::mail {
namespace {

using findings::Findings;
using findings::Verdict;

constexpr const char* kAdvice = "correct the connection's settings in connections.yaml, or the server's";

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
    const auto greeting = greet(settings, site_.vault, limits);
    if (!greeting.secured) {
      findings.push_back({"tls", Verdict::bad, greeting.result.error().message, kAdvice});
      return;
    }
    if (settings.security != policy::SmtpSecurity::none)
      findings.push_back({"tls", Verdict::good, "the certificate is good for " + settings.host});
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
