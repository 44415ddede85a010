#include "agent/connectors/file/connection_test.h"

#include "tests/support/connector_site.h"

#include <catch2/catch.hpp>

#include <sys/fsuid.h>

#include <filesystem>

using namespace sallyport;
using namespace sallyport::connectors;

namespace {

// "good directory, bad permission": what a test of the connection "share" finds.
std::string tested(test::ConnectorSite& agent) {
  file::FileConnectionTest connection_test(agent.site().policy);
  std::string all;
  for (const auto& finding : connection_test.run(agent.site().connections.at("share"), agent.deadline())) {
    all += (all.empty() ? "" : ", ") + std::string(findings::to_string(finding.verdict)) + " " + finding.check;
    CHECK((finding.verdict == findings::Verdict::good || !finding.advice.empty()));
  }
  return all;
}

constexpr const char* kConnections = "connections: {share: {kind: file, root: \"@DIR@/root\"}}";

}  // namespace

TEST_CASE("the test of a share says what of the policy this user cannot do", "[file][connection_test]") {
  test::ConnectorSite agent(kConnections,
                            "connections: {share: {files: [{directory: in, pattern: \"*\", allow: [read]}, "
                            "{directory: out, pattern: \"*\", allow: [write]}]}}");
  const auto root = agent.dir.path("root");
  CHECK(tested(agent) == "bad directory");
  std::filesystem::create_directories(root + "/in");
  CHECK(tested(agent) == "good directory, good permission, note permission");
  std::filesystem::create_directories(root + "/out");
  CHECK(tested(agent) == "good directory, good permission, good permission");
  std::filesystem::permissions(agent.dir.path(), std::filesystem::perms(0755));
  const int own = ::setfsuid(65534);
  CHECK(tested(agent) == (own == 0 ? "good directory, good permission, bad permission"
                                   : "good directory, good permission, good permission"));
  ::setfsuid(static_cast<uid_t>(own));
}

TEST_CASE("a share that the policy does not mention is told", "[file][connection_test]") {
  test::ConnectorSite agent(kConnections, "{}");
  std::filesystem::create_directories(agent.dir.path("root"));
  CHECK(tested(agent) == "good directory, note permission");
}
