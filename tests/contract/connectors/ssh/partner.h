#pragma once

#include "agent/connectors/ssh/ssh_actions.h"
#include "tests/support/connector_site.h"
#include "tests/support/sshd.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::test {

inline const std::string kPartnerPolicy = R"(
actions: [sftp.*]
connections:
  partner:
    files:
      - {directory: ., pattern: "*", allow: [read, write, delete]}
)";

// A server, and an agent with a connection "partner" to it.
struct Partner {
  explicit Partner(SshServer::Options options = {}, std::string_view settings = {},
                   const std::string& policy = kPartnerPolicy)
      : server(std::move(options)), agent("connections:\n" + server.connection("partner", settings), policy) {}
  // With the connection's lines written by the test.
  Partner(SshServer::Options options, const std::function<std::string(const SshServer&)>& connection)
      : server(std::move(options)), agent("connections:\n" + connection(server), kPartnerPolicy) {}

  connectors::StepResult<Value> run(std::string_view name, ValueMap arguments) {
    for (const auto& action : actions) {
      if (action->name() == name) return agent.run(*action, std::move(arguments), "partner");
    }
    throw std::runtime_error("no action " + std::string(name));
  }
  connectors::StepResult<Value> put(const char* path, std::string_view content, const char* if_exists = "fail") {
    return run("sftp.put@1", args({{"path", path}, {"content", Value(content)}, {"if_exists", if_exists}}));
  }
  connectors::StepResult<Value> get(const char* path) { return run("sftp.get@1", args({{"path", path}})); }
  std::string content(const connectors::StepResult<Value>& got) {
    if (!got) FAIL(got.error().error_class() << ": " << got.error().message);
    return agent.bodies.content(got->find("body")->as_handle());
  }

  SshServer server;
  ConnectorSite agent;
  std::vector<std::unique_ptr<connectors::Action>> actions = connectors::ssh::make_actions(agent.site());
};

inline std::string class_of(const connectors::StepResult<Value>& result) {
  return result ? "none" : result.error().error_class();
}

// What a directory holds, hidden files too, sorted and parted by blanks.
inline std::string names_in(const TempDir& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : " ") + name;
  return all;
}

}  // namespace sallyport::test
