#include "agent/connectors/http/http_connection_test.h"

#include "agent/connectors/http/client.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/reach.h"

#include <fmt/format.h>

namespace sallyport::connectors::http {
namespace {

using findings::Finding;
using findings::Findings;
using findings::Verdict;

Finding client_finding(const Result<void>& loaded) {
  if (loaded) return {"client", Verdict::good, "libcurl is there"};
  return {"client", Verdict::bad, loaded.error().message, "apt install libcurl4"};
}

std::string advice_of(const StepError& fault) {
  if (fault.error_class() == "invalid")
    return "correct `client_certificate_file`, its key, or `ca_file` in connections.yaml";
  return "correct `url` and `ca_file` in connections.yaml, or have the server's certificate renewed";
}

Finding authorization_finding(const std::string& name) {
  return {"login", Verdict::bad, "authorization needed: nobody has authorized this connection, or that has ended",
          fmt::format("sallyport connection authorize {0} --agent AGENT, or here: sallyport-agent connection authorize "
                      "{0}",
                      name)};
}

void add_exchange(const Exchange& exchange, bool is_tls, Findings& findings) {
  if (exchange.error && exchange.error->error_class() == "policy") {
    findings.push_back({"permission", Verdict::bad, exchange.error->message, "allow it in policy.yaml"});
    return;
  }
  if (exchange.fault) {
    findings.push_back({is_tls && !exchange.sent ? "tls" : "login", Verdict::bad, exchange.fault->message,
                        advice_of(*exchange.fault)});
    return;
  }
  if (exchange.error) {
    findings.push_back({"login", Verdict::bad, exchange.error->message, "correct `auth` in connections.yaml"});
    return;
  }
  if (is_tls) findings.push_back({"tls", Verdict::good, "the server's certificate is verified, with TLS 1.2 or later"});
  const int status = exchange.head.status();
  const bool refused = status == 401 || status == 403 || status == 407;
  findings.push_back({"login", refused ? Verdict::bad : Verdict::good,
                      fmt::format("the server answers with status {}", status),
                      refused ? "correct `auth` and `headers` in connections.yaml" : ""});
}

class HttpConnectionTest final : public ConnectionTest {
 public:
  explicit HttpConnectionTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "http"; }

  Findings run(const policy::Connection& connection, SteadyTime deadline) override {
    const auto& settings = *connection.http();
    const auto& first = settings.proxy ? settings.proxy->url : settings.url;
    const auto loaded = load_libcurl();
    Findings findings{client_finding(loaded)};
    if (!loaded) return findings;
    auto reach = try_to_reach(first.host, first.port, deadline);
    findings.insert(findings.end(), reach.findings.begin(), reach.findings.end());
    if (!reach.reached) return findings;
    Client client(site_, connection);
    const auto exchange = client.probe({site_.clock, deadline, {}});
    if (client.needs_authorization()) {
      findings.push_back(authorization_finding(connection.name));
    } else {
      add_exchange(exchange, !settings.url.is_clear_text(), findings);
    }
    return findings;
  }

 private:
  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_http_connection_test(Site site) {
  return std::make_unique<HttpConnectionTest>(site);
}

}  // namespace sallyport::connectors::http
