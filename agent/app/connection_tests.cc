#include "agent/app/connection_tests.h"

#include "agent/app/toolbox.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

namespace sallyport::app {
using findings::Finding;
using findings::Findings;
using findings::Verdict;
namespace {

Findings run(const ConnectionTesting& testing, const policy::Connection& connection) {
  const vault::RefreshTokens tokens(testing.config.agent.state_dir);
  const connectors::Site site{
      testing.config.connections, testing.config.policy, testing.vault, testing.clock, testing.log, &tokens};
  const auto tests = make_connection_tests(site);
  const auto kind = connection.kind();
  const auto test = std::ranges::find_if(tests, [&](const auto& one) { return one->kind() == kind; });
  if (test == tests.end()) return {{"client", Verdict::bad, fmt::format("nothing here tests the kind {}", kind)}};
  return (*test)->run(connection, testing.clock.steady() + testing.patience);
}

Finding summary(const policy::Connection& connection, const Findings& findings) {
  const auto what = fmt::format("{} ({})", connection.name, connection.kind());
  const auto bad = std::ranges::find(findings, Verdict::bad, &Finding::verdict);
  if (bad == findings.end()) return {"connection", Verdict::good, what + " works"};
  return {"connection", Verdict::bad, fmt::format("{}: {}: {}", what, bad->check, bad->text),
          bad->advice.empty() ? "jobs that use it fail until it works" : bad->advice};
}

}  // namespace

Result<Findings> test_connection(const ConnectionTesting& testing, std::string_view name) {
  const auto& connections = testing.config.connections;
  const auto found = connections.find(name);
  if (found != connections.end()) return run(testing, found->second);
  return fail(Errc::not_found, fmt::format("connections.yaml has no connection \"{}\"; there are: {}", name,
                                           fmt::join(connections | std::views::keys, ", ")));
}

Findings test_connections(const ConnectionTesting& testing) {
  Findings all;
  for (const auto& [name, connection] : testing.config.connections) {
    auto findings = run(testing, connection);
    all.push_back(summary(connection, findings));
    for (auto& finding : findings) {
      if (finding.verdict != Verdict::note) continue;
      finding.text = fmt::format("{}: {}: {}", name, finding.check, finding.text);
      finding.check = "connection";
      all.push_back(std::move(finding));
    }
  }
  return all;
}

}  // namespace sallyport::app
