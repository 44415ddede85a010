#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/ldap/ldap_actions.h"
#include "agent/connectors/ldap/libldap.h"
#include "agent/connectors/ldap/opening.h"
#include "agent/connectors/reach.h"

#include <fmt/format.h>

#include <optional>

namespace sallyport::connectors::ldap {
namespace {

using findings::Findings;
using findings::Verdict;

class LdapTest final : public ConnectionTest {
 public:
  explicit LdapTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "ldap"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.ldap();
    if (const auto loaded = load_libldap(); !loaded)
      return {{"client", Verdict::bad, loaded.error().message, "install the package, then test again"}};
    auto reach = try_to_reach(settings.host, settings.port, deadline);
    if (reach.reached) enter(settings, {deadline, {}}, reach.findings);
    return std::move(reach.findings);
  }

 private:
  void enter(const policy::LdapConnection& settings, const CallLimits& limits, Findings& findings) const {
    std::optional<certificate::Shown> shown;
    if (settings.security != policy::LdapSecurity::none) shown = look_at(settings, limits.deadline);
    Opening opening(settings, limits);
    if (!add(findings, "tcp", opening.dial(), "")) return;
    if (shown) {
      const auto secured = opening.secure();
      findings.push_back(secured ? shown->good() : shown->bad(secured.error().message));
      if (!secured) return;
    }
    const auto who = settings.bind_dn.empty() ? "nobody" : settings.bind_dn;
    if (!add(findings, "login", opening.log_in(site_.vault), fmt::format("the server takes the login of {}", who)))
      return;
    const auto session = opening.take();
    const auto base = settings.base.text();
    const auto ignore = [](const Entry&) -> StepResult<void> { return {}; };
    const auto read = session->search(
        {.base = base, .scope = Scope::base, .filter = "(objectClass=*)", .attributes = {"objectClass"}}, ignore,
        limits);
    StepResult<void> result;
    if (!read) result = std::unexpected(read.error());
    add(findings, "permission", result, fmt::format("{} can be read", base));
  }

  certificate::Shown look_at(const policy::LdapConnection& settings, SteadyTime deadline) const {
    const auto before =
        settings.security == policy::LdapSecurity::starttls ? certificate::Before::ldap : certificate::Before::nothing;
    return certificate::look({settings.host, settings.port, before, settings.ca_file}, site_.clock, deadline);
  }

  // Whether to go on. What is good and goes without saying has no text.
  static bool add(Findings& findings, const char* check, const StepResult<void>& done, const std::string& good) {
    if (!done) {
      findings.push_back({check, Verdict::bad, done.error().message,
                          "correct the connection's settings in connections.yaml, or the server's"});
    } else if (!good.empty()) {
      findings.push_back({check, Verdict::good, good});
    }
    return done.has_value();
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_ldap_test(Site site) { return std::make_unique<LdapTest>(site); }

}  // namespace sallyport::connectors::ldap
