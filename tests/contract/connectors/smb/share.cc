#include "tests/contract/connectors/smb/share.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace sallyport::test {
namespace {

std::string connection_of(const TempDir& secrets, std::uint16_t port, std::string settings) {
  for (const auto& [name, text] : {std::pair("password", SmbServer::password()), {"wrong", "wr0ng-s3cret"}}) {
    std::filesystem::permissions(secrets.write(name, text), std::filesystem::perms(0600));
  }
  if (!settings.contains("password_file")) settings += ", password_file: " + secrets.path("password");
  if (!settings.contains("user:")) settings += ", user: " + SmbServer::user();
  if (!settings.contains("share:")) settings += ", share: " + SmbServer::share();
  if (const auto at = settings.find("@SECRETS@"); at != std::string::npos) settings.replace(at, 9, secrets.path());
  return fmt::format("connections:\n  exchange: {{kind: smb, host: 127.0.0.1, port: {}{}}}\n", port, settings);
}

}  // namespace

std::string helper_program() {
  const auto* const programs = std::getenv("SALLYPORT_BIN");
  return std::string(programs == nullptr ? "build/dev/bin" : programs) + "/sallyport-smb";
}

ShareAgent::ShareAgent(std::uint16_t port, std::string settings, const std::string& policy, std::string by)
    : program(std::move(by)), agent(connection_of(secrets, port, std::move(settings)), policy) {}

connectors::Action& ShareAgent::action(std::string_view name) {
  const auto found = std::ranges::find(actions, name, [](const auto& one) { return one->name(); });
  if (found == actions.end()) throw std::runtime_error("no action " + std::string(name));
  return **found;
}

connectors::StepResult<Value> ShareAgent::run(std::string_view name, ValueMap arguments) {
  return agent.run(action(name), std::move(arguments), "exchange");
}

connectors::StepResult<Value> ShareAgent::put(const char* path, std::string_view content, const char* if_exists) {
  return run("smb.put@1", args({{"path", path}, {"content", Value(content)}, {"if_exists", if_exists}}));
}

std::string ShareAgent::content(const connectors::StepResult<Value>& got) {
  if (!got) FAIL(got.error().error_class() << ": " << got.error().message << "\n" << agent.logged());
  return agent.bodies.content(got->find("body")->as_handle());
}

std::string ShareAgent::tested() {
  const auto test = connectors::smb::make_smb_test(agent.site(), program);
  std::string text;
  for (const auto& finding : test->run(agent.site().connections.at("exchange"), agent.deadline()))
    text += fmt::format("{} {}: {}\n", finding.check, finding.verdict == findings::Verdict::good ? "good" : "bad",
                        finding.text);
  return text;
}

bool without_status() {
  if (SmbServer::tells_status()) return false;
  WARN("the sessions of a server are told to root alone");
  return true;
}

std::string names_in(const TempDir& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : " ") + name;
  return all;
}

}  // namespace sallyport::test
