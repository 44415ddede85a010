#include "agent/app/toolbox.h"

#include "agent/policy/action_pattern.h"
#include "shared/recipe/catalogue.h"
#include "tests/support/async_test.h"
#include "tests/support/connector_site.h"

#include <set>

using namespace sallyport;
using namespace sallyport::app;

namespace {

// A machine with systems, whose operator has allowed nothing.
struct Strict {
  test::ConnectorSite agent{
      "connections: {share: {kind: file, root: \"@DIR@\"}, db: {kind: sql, driver: sqlite, file: \"@DIR@/x.db\"}}",
      "{}"};
  boost::asio::thread_pool pool{1};
  Toolbox toolbox{agent.site(), pool};
};

std::string_view connection_for(std::span<const std::string_view> kinds) {
  if (kinds.empty()) return "";
  return kinds.front() == "sql" ? "db" : "share";
}

boost::asio::awaitable<void> unheard(connectors::TriggerSource::Concern, std::string) { co_return; }

}  // namespace

TEST_CASE("an action of the catalogue is either refused by an empty policy or reaches nothing", "[toolbox][policy]") {
  Strict strict;
  std::set<std::string_view> refused;
  for (auto* action : strict.toolbox.actions()) {
    INFO(action->name());
    const auto* info = recipe::find_action(action->name());
    REQUIRE(info != nullptr);
    CHECK_FALSE(policy::reaches_nothing(action->name()));
    const auto outcome = strict.agent.run(*action, {}, connection_for(info->connections));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().error_class() == "policy");
    CHECK(outcome.error().rule == "policy.yaml:1 actions");
    refused.insert(info->name);
  }
  for (const auto& action : recipe::actions()) {
    INFO(action.name);
    CHECK(refused.contains(action.name) != policy::reaches_nothing(action.name));
  }
}

ASYNC_TEST_CASE("and so is a trigger", "[toolbox][policy]") {
  Strict strict;
  std::set<std::string_view> refused;
  for (auto* trigger : strict.toolbox.triggers()) {
    const auto* info = recipe::find_trigger(trigger->name());
    REQUIRE(info != nullptr);
    const connectors::TriggerSpec spec{"r", std::string(connection_for(info->connections)),
                                       Value(ValueMap{{"path", "."}, {"pattern", "*"}, {"settle", "0s"}})};
    const auto outcome = co_await trigger->run(spec, nullptr, unheard);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().error_class() == "policy");
    refused.insert(info->name);
  }
  for (const auto& trigger : recipe::triggers()) {
    INFO(trigger.name);
    CHECK(refused.contains(trigger.name) != policy::reaches_nothing(trigger.name));
  }
}
