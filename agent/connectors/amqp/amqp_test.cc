#include "agent/connectors/amqp/amqp_actions.h"
#include "agent/connectors/amqp/connection.h"
#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/reach.h"

#include <fmt/format.h>

#include <optional>

namespace sallyport::connectors::amqp {
namespace {

using findings::Finding;
using findings::Findings;
using findings::Verdict;

Finding bad(const char* check, const std::string& why) {
  return {check, Verdict::bad, why, "correct the connection's settings in connections.yaml, or the broker's"};
}

class AmqpTest final : public ConnectionTest {
 public:
  explicit AmqpTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "amqp"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.amqp();
    if (const auto loaded = check_amqp_client(); !loaded)
      return {{"client", Verdict::bad, loaded.error().message, "install the package, then test again"}};
    auto reach = try_to_reach(settings.host, settings.port, deadline);
    if (reach.reached) enter(settings, {deadline, {}}, reach.findings);
    return std::move(reach.findings);
  }

 private:
  void enter(const policy::AmqpConnection& settings, const CallLimits& limits, Findings& findings) const {
    std::optional<certificate::Shown> shown;
    if (settings.tls.used)
      shown = certificate::look({settings.host, settings.port, certificate::Before::nothing, settings.tls.ca_file},
                                site_.clock, limits.deadline);
    auto wire = Wire::open(settings, site_.vault, limits);
    if (!wire) return findings.push_back(shown ? shown->bad(wire.error().message) : bad("tcp", wire.error().message));
    if (shown) findings.push_back(shown->good());
    const auto connection = Connection::log_in(*std::move(wire), settings, site_.vault, Heartbeat::none, limits);
    if (!connection) return findings.push_back(bad("login", connection.error().message));
    const auto who = settings.user.empty() ? "the client certificate" : settings.user;
    findings.push_back(
        {"login", Verdict::good, fmt::format("the broker takes the login of {} to the vhost {}", who, settings.vhost)});
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_amqp_test(Site site) { return std::make_unique<AmqpTest>(site); }

Result<void> check_amqp_client() {
  SP_CHECK(load_libcurl());
  return load_librabbitmq();
}

}  // namespace sallyport::connectors::amqp
