#pragma once

#include "agent/connectors/ftps/ftps_actions.h"
#include "tests/support/connector_site.h"
#include "tests/support/pki.h"
#include "tests/support/vsftpd.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::test {

inline const std::string kExchangePolicy = R"(
actions: [ftps.*]
connections:
  exchange:
    files:
      - {directory: ., pattern: "*", allow: [read, write, delete]}
)";

// Certificates and passwords, made once.
struct ExchangeFiles {
  static const ExchangeFiles& get();
  TempDir dir;
  std::string ca, other_ca, certificate, key, client_certificate, client_key, password, wrong_password;
};

// A server's options with the certificate that `ExchangeFiles` has for 127.0.0.1.
FtpsServer::Options serving(bool implicit = false, std::string config = {});

// An agent with a connection "exchange" to a port of this machine.
struct ExchangeAgent {
  // `settings`: fields of the connection besides host, port, user and, unless it has them, `password_file`, `ca_file`.
  ExchangeAgent(std::uint16_t port, std::string settings, const std::string& policy = kExchangePolicy);

  connectors::StepResult<Value> run(std::string_view name, ValueMap arguments);
  connectors::StepResult<Value> put(const char* path, std::string_view content, const char* if_exists = "fail");
  connectors::StepResult<Value> get(const char* path) { return run("ftps.get@1", args({{"path", path}})); }
  connectors::StepResult<Value> list(const char* path = ".") { return run("ftps.list@1", args({{"path", path}})); }
  std::string content(const connectors::StepResult<Value>& got);
  std::string tested();  // what the connection test finds: "dns good", ... each on a line

  ConnectorSite agent;
  std::vector<std::unique_ptr<connectors::Action>> actions = connectors::ftps::make_actions(agent.site());
};

struct Exchange : ExchangeAgent {
  explicit Exchange(const FtpsServer::Options& options = serving(), std::string settings = {},
                    const std::string& policy = kExchangePolicy)
      : Exchange(std::make_unique<FtpsServer>(options), std::move(settings), policy) {}
  Exchange(std::unique_ptr<FtpsServer> started, std::string settings, const std::string& policy);

  std::unique_ptr<FtpsServer> owned;
  FtpsServer& server = *owned;
};

inline std::string class_of(const connectors::StepResult<Value>& result) {
  return result ? "none" : result.error().error_class();
}

std::string names_in(const TempDir& directory);  // hidden ones too, sorted and parted by blanks

// Ends a test on a machine where vsftpd cannot have users of its own.
bool without_server();

}  // namespace sallyport::test
