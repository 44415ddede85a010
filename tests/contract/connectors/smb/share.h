#pragma once

#include "agent/connectors/smb/smb_actions.h"
#include "tests/support/connector_site.h"
#include "tests/support/smbd.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::test {

inline const std::string kSharePolicy = R"(
actions: [smb.*]
connections:
  exchange:
    files:
      - {directory: ., pattern: "*", allow: [read, write, delete]}
)";

std::string helper_program();  // of this build

// An agent with a connection "exchange" to a port of this machine.
struct ShareAgent {
  // `settings`: fields of the connection besides host, port, share, user and, unless it has them, a password.
  ShareAgent(std::uint16_t port, std::string settings, const std::string& policy = kSharePolicy,
             std::string program = helper_program());

  connectors::StepResult<Value> run(std::string_view name, ValueMap arguments);
  connectors::StepResult<Value> put(const char* path, std::string_view content, const char* if_exists = "fail");
  connectors::StepResult<Value> get(const char* path) { return run("smb.get@1", args({{"path", path}})); }
  connectors::StepResult<Value> list(const char* path = ".") { return run("smb.list@1", args({{"path", path}})); }
  std::string content(const connectors::StepResult<Value>& got);
  std::string tested();  // what the connection test finds: "dns good", ... each on a line
  connectors::Action& action(std::string_view name);

  TempDir secrets;
  std::string program;
  ConnectorSite agent;
  connectors::smb::ServersPtr servers = connectors::smb::make_servers(agent.site(), program);
  std::vector<std::unique_ptr<connectors::Action>> actions = connectors::smb::make_actions_on(servers, agent.site());
};

struct ShareFixture : ShareAgent {
  explicit ShareFixture(const SmbServer::Options& options = {}, std::string settings = {},
                        const std::string& policy = kSharePolicy)
      : ShareFixture(std::move(settings), policy, std::make_unique<SmbServer>(options)) {}

 private:
  ShareFixture(std::string settings, const std::string& policy, std::unique_ptr<SmbServer> started)
      : ShareAgent(started->port(), std::move(settings), policy), owned(std::move(started)) {}
  std::unique_ptr<SmbServer> owned;

 public:
  SmbServer& server = *owned;
};

inline std::string class_of(const connectors::StepResult<Value>& result) {
  return result ? "none" : result.error().error_class();
}

// Ends a test, or what is left of it, on a machine where the server does not tell of its sessions.
bool without_status();

std::string names_in(const TempDir& directory);  // hidden ones too, sorted and parted by blanks

}  // namespace sallyport::test
