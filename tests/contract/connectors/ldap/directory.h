#pragma once

#include "agent/connectors/connector.h"
#include "shared/base/json.h"
#include "tests/support/connector_site.h"
#include "tests/support/pki.h"
#include "tests/support/slapd.h"

#include <map>
#include <memory>
#include <string>

namespace sallyport::test {

// The server of this test program, and the files of its certificate: good for 127.0.0.1.
struct DirectoryServer {
  static DirectoryServer& get();

  TempDir files;
  Pki pki;
  std::string ca_file, other_ca_file;
  std::unique_ptr<SlapdServer> slapd;

 private:
  explicit DirectoryServer(const Clock& clock);
};

constexpr std::string_view kDirectoryPolicy = R"(actions: ["ldap.*"]
limits: {rows: 50000, bytes: 256MiB}
connections:
  dir:
    ldap:
      verbs: [read, add, modify, delete]
      bases: ["ou=people,dc=example,dc=org", "ou=bulk,dc=example,dc=org"]
      attributes: ["*"]
      never: [userPassword]
)";

// An agent with one connection "dir" to that server.
struct Directory {
  // `settings` stand beside host, port and base: {security: none} ...
  explicit Directory(const std::string& settings = "security: none", std::string policy = std::string(kDirectoryPolicy),
                     std::uint16_t port = 0);

  connectors::StepResult<Value> run(std::string_view action, ValueMap arguments);
  connectors::StepResult<Value> search(std::string_view filter, ValueMap more = {});
  std::string list(std::string_view filter, ValueMap more = {});   // the rows as JSON; fails the test on an error
  std::string error(std::string_view action, ValueMap arguments);  // classes joined by a comma; "none"

  std::unique_ptr<ConnectorSite> agent;
  std::map<std::string, std::unique_ptr<connectors::Action>, std::less<>> actions;
};

std::string classes_of(const connectors::StepError& error);
inline Value texts(std::initializer_list<const char*> list) { return Value(ValueList(list.begin(), list.end())); }

}  // namespace sallyport::test
