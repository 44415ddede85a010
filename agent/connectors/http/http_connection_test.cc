#include "agent/connectors/http/http_connection_test.h"

#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/http/client.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/reach.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <optional>

namespace sallyport::connectors::http {
namespace {

using findings::Finding;
using findings::Findings;
using findings::Verdict;

Finding client_finding(const Result<void>& loaded) {
  if (loaded) return {"client", Verdict::good, "libcurl is there"};
  return {"client", Verdict::bad, loaded.error().message, "apt install libcurl4"};
}

// CONNECT (RFC 9110 section 9.3.6), with the login that connections.yaml has for the proxy.
Secret connect_request(const policy::HttpUrl& to, const policy::HttpProxy& proxy, const Secret& password) {
  const auto authority = to.origin().substr(to.scheme.size() + 3);
  auto request = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", authority);
  if (!proxy.user.empty()) {
    auto login = fmt::format("{}:{}", proxy.user, password.reveal());
    const auto encoded = Secret::take(base64(as_bytes(login)));
    wipe(login.data(), login.size());
    request += fmt::format("Proxy-Authorization: Basic {}\r\n", encoded.reveal());
  }
  request += "\r\n";
  return Secret::take(request);
}

std::optional<certificate::Shown> look_at(const policy::HttpConnection& settings, const Site& site,
                                          SteadyTime deadline) {
  if (settings.url.is_clear_text()) return std::nullopt;
  certificate::Whom whom{settings.url.host, settings.url.port, certificate::Before::nothing, settings.ca_file};
  if (!settings.proxy) return certificate::look(std::move(whom), site.clock, deadline);
  const auto& proxy = settings.proxy->url;
  if (!proxy.is_clear_text())
    return certificate::Shown(std::move(whom), {Errc::unavailable, "its certificate is hidden behind the proxy's TLS"});
  auto password = settings.proxy->password ? site.vault.resolve(settings.proxy->password) : Result<Secret>();
  if (!password) return certificate::Shown(std::move(whom), std::move(password).error());
  return certificate::look(std::move(whom),
                           {proxy.host, proxy.port, connect_request(settings.url, *settings.proxy, *password)},
                           site.clock, deadline);
}

// `shown`: nullptr when it did not fail on the way to TLS.
Finding fault_finding(const StepError& fault, const certificate::Shown* shown) {
  auto finding = shown != nullptr ? shown->bad(fault.message)
                                  : Finding{"login", Verdict::bad, fault.message,
                                            "correct `url` in connections.yaml, or ask who runs the server"};
  if (fault.error_class() == "invalid")
    finding.advice = "correct `client_certificate_file`, its key, or `ca_file` in connections.yaml";
  return finding;
}

Finding authorization_finding(const std::string& name) {
  return {"login", Verdict::bad, "authorization needed: nobody has authorized this connection, or that has ended",
          fmt::format("sallyport connection authorize {0} --agent AGENT, or here: sallyport-agent connection authorize "
                      "{0}",
                      name)};
}

void add_exchange(const Exchange& exchange, const std::optional<certificate::Shown>& shown, Findings& findings) {
  if (exchange.fault) {
    findings.push_back(fault_finding(*exchange.fault, shown && !exchange.sent ? &*shown : nullptr));
    return;
  }
  if (exchange.error) {
    findings.push_back({"login", Verdict::bad, exchange.error->message, "correct `auth` in connections.yaml"});
    return;
  }
  if (shown) findings.push_back(shown->good());
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
    } else if (exchange.error && exchange.error->error_class() == "policy") {
      findings.push_back({"permission", Verdict::bad, exchange.error->message, "allow it in policy.yaml"});
    } else {
      add_exchange(exchange, look_at(settings, site_, deadline), findings);
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
