#include "tests/contract/connectors/http/world.h"

#include "agent/connectors/http/http_actions.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/stored_rows.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

namespace sallyport::test {

ScriptedServer::ScriptedServer()
    : process_({"/usr/bin/python3", std::filesystem::absolute("tests/support/http_server.py"), dir_.path()},
               dir_.path("server.log")) {
  control(R"({"token": 3600})");
  process_.wait_until([this] { return dir_.has("port"); });
}

void ScriptedServer::control(std::string_view json) const {
  std::filesystem::rename(dir_.write("control.new", json), dir_.path("control.json"));
}

std::vector<Value> ScriptedServer::requests() const {
  std::vector<Value> all;
  std::ifstream in(dir_.path("requests"));
  for (std::string line; std::getline(in, line);) all.push_back(parse_json(line).value());
  return all;
}

void ScriptedServer::forget_requests() const { std::filesystem::remove(dir_.path("requests")); }

ScriptedServer& scripted() {
  static ScriptedServer server;
  return server;
}

HttpWorld::HttpWorld(const std::string& settings, const std::string& rules, const std::string& limits)
    : agent(std::make_unique<ConnectorSite>(
          fmt::format("connections:\n  api: {{kind: http, {}}}\n  files: {{kind: file, root: /}}\n", settings),
          fmt::format("actions: [\"http.*\"]\nconnections:\n  api: {{http: {}, limits: {}}}\n  files: {{}}\n", rules,
                      limits))) {
  for (auto& made : connectors::http::make_actions(agent->site())) {
    auto name = std::string(made->name());
    actions.emplace(std::move(name), std::move(made));
  }
  std::vector<std::unique_ptr<connectors::RowFormat>> formats;
  formats.push_back(std::make_unique<connectors::StoredRowsFormat>());
  agent->bodies.add(std::make_unique<connectors::RowsOpener>(std::move(formats)));
  scripted().forget_requests();
}

connectors::StepResult<Value> HttpWorld::request(ValueMap arguments) {
  return agent->run(action("http.request@1"), std::move(arguments), "api");
}

connectors::StepResult<Value> HttpWorld::get(const std::string& path) {
  const auto question = path.find('?');
  ValueMap query;
  if (question != std::string::npos) {
    std::string_view left = std::string_view(path).substr(question + 1);
    while (!left.empty()) {
      const auto field = left.substr(0, left.find('&'));
      left.remove_prefix(std::min(field.size() + 1, left.size()));
      const auto equals = field.find('=');
      query.emplace(Value(field.substr(0, equals)), Value(field.substr(equals + 1)));
    }
  }
  return request(args({{"path", Value(path.substr(0, question))}, {"query", Value(std::move(query))}}));
}

connectors::StepResult<Value> HttpWorld::pages(ValueMap arguments) {
  return agent->run(action("http.pages@1"), std::move(arguments), "api");
}

Value HttpWorld::echoed(ValueMap arguments) {
  arguments.emplace(Value("path"), Value("echo"));
  arguments.emplace(Value("read_json"), Value(true));
  const auto output = request(std::move(arguments));
  if (!output) throw std::runtime_error(output.error().message);
  return *output->find("json");
}

std::string HttpWorld::rows_of(const Value& output) {
  auto rows = agent->bodies.open_rows(output.find("rows")->as_handle());
  if (!rows) return rows.error().message;
  std::string text;
  while (true) {
    auto row = (*rows)->next();
    if (!row) return row.error().message;
    if (!*row) return text;
    text += to_json(**row) + "\n";
  }
}

std::string classes_of(const connectors::StepResult<Value>& output) {
  return output ? "" : fmt::format("{}", fmt::join(output.error().classes, " "));
}

std::string secret_file(const TempDir& dir, const std::string& name, const std::string& text) {
  const auto path = dir.write(name, text);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return path;
}

}  // namespace sallyport::test
