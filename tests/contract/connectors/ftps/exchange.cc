#include "tests/contract/connectors/ftps/exchange.h"

#include <fmt/format.h>

#include <csignal>

namespace sallyport::test {
namespace {

[[maybe_unused]] const auto kNoPipeSignal = std::signal(SIGPIPE, SIG_IGN);  // as the agent does at its start

std::string connection_of(std::uint16_t port, std::string settings) {
  const auto& files = ExchangeFiles::get();
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!settings.contains(name)) settings += fmt::format(", {}: {}", name, value);
  };
  add("password_file", files.password);
  add("ca_file", files.ca);
  add("host", "127.0.0.1");
  return fmt::format("connections:\n  exchange: {{kind: ftps, port: {}, user: partner{}}}\n", port, settings);
}

}  // namespace

const ExchangeFiles& ExchangeFiles::get() {
  static const SystemClock clock;
  static const Pki pki(clock);
  static ExchangeFiles files;
  if (!files.ca.empty()) return files;
  const auto client = pki.agent();
  files.ca = files.dir.write("ca.pem", pki.root.certificate.pem());
  files.other_ca = files.dir.write("other.pem", must(crypto::make_root("Other root", clock)).certificate.pem());
  files.certificate = files.dir.write("server.pem", pki.server.certificate.pem() + pki.root.certificate.pem());
  files.key = files.dir.write("server.key", pki.server.key.to_pem().reveal());
  files.client_certificate = files.dir.write("client.pem", client.chain[0].pem() + client.chain[1].pem());
  files.client_key = files.dir.write("client.key", client.key.to_pem().reveal());
  files.password = files.dir.write("password", FtpsServer::password());
  files.wrong_password = files.dir.write("wrong", "wr0ng-s3cret");
  for (const auto& file : {files.password, files.wrong_password, files.key, files.client_key})
    std::filesystem::permissions(file, std::filesystem::perms(0600));
  return files;
}

FtpsServer::Options serving(bool implicit, std::string config) {
  const auto& files = ExchangeFiles::get();
  return {files.certificate, files.key, implicit, std::move(config)};
}

ExchangeAgent::ExchangeAgent(std::uint16_t port, std::string settings, const std::string& policy)
    : agent(connection_of(port, std::move(settings)), policy) {}

connectors::StepResult<Value> ExchangeAgent::run(std::string_view name, ValueMap arguments) {
  for (const auto& action : actions) {
    if (action->name() == name) return agent.run(*action, std::move(arguments), "exchange");
  }
  throw std::runtime_error("no action " + std::string(name));
}

connectors::StepResult<Value> ExchangeAgent::put(const char* path, std::string_view content, const char* if_exists) {
  return run("ftps.put@1", args({{"path", path}, {"content", Value(content)}, {"if_exists", if_exists}}));
}

std::string ExchangeAgent::content(const connectors::StepResult<Value>& got) {
  if (!got) FAIL(got.error().error_class() << ": " << got.error().message << "\n" << agent.logged());
  return agent.bodies.content(got->find("body")->as_handle());
}

std::string ExchangeAgent::tested() {
  const auto test = connectors::ftps::make_ftps_test(agent.site());
  std::string text;
  for (const auto& finding : test->run(agent.site().connections.at("exchange"), agent.deadline()))
    text += fmt::format("{} {}: {}\n", finding.check, finding.verdict == findings::Verdict::good ? "good" : "bad",
                        finding.text);
  return text;
}

Exchange::Exchange(std::unique_ptr<FtpsServer> started, std::string settings, const std::string& policy)
    : ExchangeAgent(started->port(),
                    settings.contains("root:") ? settings : settings + ", root: " + started->files().path(), policy),
      owned(std::move(started)) {}

std::string names_in(const TempDir& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : " ") + name;
  return all;
}

bool without_server() {
  if (FtpsServer::can_run()) return false;
  WARN("a server with users of its own needs root");
  return true;
}

}  // namespace sallyport::test
