#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/kafka/client.h"
#include "agent/connectors/kafka/kafka_actions.h"
#include "agent/connectors/reach.h"
#include "agent/policy/reading.h"

#include <fmt/format.h>

#include <optional>

namespace sallyport::connectors::kafka {
namespace {

using findings::Findings;
using findings::Verdict;

class KafkaTest final : public ConnectionTest {
 public:
  explicit KafkaTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "kafka"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.kafka();
    if (const auto loaded = check_kafka_client(); !loaded)
      return {{"client", Verdict::bad, loaded.error().message, "install the package, then test again"}};
    Reach reach;
    policy::HostPort where;
    for (const auto& broker : settings.brokers) {
      where = policy::parse_host_port(broker).value_or(policy::HostPort());
      reach = try_to_reach(where.host, where.port, deadline);
      if (reach.reached) break;  // one is enough to find the others
    }
    if (reach.reached) enter(settings, where, {deadline, {}}, reach.findings);
    return std::move(reach.findings);
  }

 private:
  // TLS and login are librdkafka's: which of them failed is known by the class.
  void enter(const policy::KafkaConnection& settings, const policy::HostPort& broker, const CallLimits& limits,
             Findings& findings) const {
    std::optional<certificate::Shown> shown;
    if (settings.tls.used)
      shown = certificate::look({broker.host, broker.port, certificate::Before::nothing, settings.tls.ca_file},
                                site_.clock, limits.deadline);
    const auto client = Client::make(RD_KAFKA_PRODUCER, settings, site_.vault, {});
    StepResult<void> entered;
    if (client) entered = (*client)->look_for("", limits);
    if (!client) entered = std::unexpected(client.error());
    const bool refused = !entered && entered.error().error_class() == "permission";
    if (shown && (entered || refused)) findings.push_back(shown->good());
    if (entered)
      return findings.push_back({"login", Verdict::good,
                                 settings.user.empty()
                                     ? std::string("the cluster answers without a login by password")
                                     : fmt::format("the cluster takes the login of {}", settings.user)});
    if (shown && !refused) return findings.push_back(shown->bad(entered.error().message));
    findings.push_back({"login", Verdict::bad, entered.error().message,
                        "correct the connection's settings in connections.yaml, or the cluster's"});
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_kafka_test(Site site) { return std::make_unique<KafkaTest>(site); }

Result<void> check_kafka_client() { return load_librdkafka(); }

}  // namespace sallyport::connectors::kafka
