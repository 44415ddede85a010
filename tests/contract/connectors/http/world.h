#pragma once

#include "tests/support/connector_site.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

// tests/support/http_server.py, one for the test program.
class ScriptedServer {
 public:
  ScriptedServer();
  std::string url() const { return "http://127.0.0.1:" + dir_.read("port"); }
  void control(std::string_view json) const;
  std::vector<Value> requests() const;  // that came, as JSON objects
  void forget_requests() const;

 private:
  TempDir dir_;
  RunningServer process_;
};
ScriptedServer& scripted();

// What the policy allows by default: everything at 127.0.0.1 in clear text.
inline const std::string kOpenPolicy =
    "{allow: [{methods: [GET, HEAD, POST, PUT, PATCH, DELETE], paths: [\"/**\"]}], clear_text: true, addresses: "
    "[loopback]}";

// An agent with one connection "api" of kind "http".
class HttpWorld {
 public:
  // `settings` are those beside `kind`, as YAML in one line; `rules` the connection's `http` in the policy.
  explicit HttpWorld(const std::string& settings = "url: \"" + scripted().url() + "/api\"",
                     const std::string& rules = kOpenPolicy, const std::string& limits = "{}");

  connectors::StepResult<Value> request(ValueMap arguments);
  connectors::StepResult<Value> get(const std::string& path);
  connectors::StepResult<Value> pages(ValueMap arguments);
  Value echoed(ValueMap arguments);  // of a request to "echo": what came there
  std::string rows_of(const Value& output);
  connectors::Action& action(std::string_view name) { return *actions.at(std::string(name)); }

  std::unique_ptr<ConnectorSite> agent;
  std::map<std::string, std::unique_ptr<connectors::Action>> actions;
};

std::string classes_of(const connectors::StepResult<Value>& output);  // "status:404 not_found"; "" for success
std::string secret_file(const TempDir& dir, const std::string& name, const std::string& text);

}  // namespace sallyport::test
