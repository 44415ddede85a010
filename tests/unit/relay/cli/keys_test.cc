#include "shared/base/json.h"
#include "tests/unit/relay/cli/cli_site.h"

#include <catch2/catch.hpp>

// `keys`: what can be told of keys without one.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

TEST_CASE("an organisation's keys are shown and rotated, those of the platform by its admin", "[cli][keys]") {
  CliSite site;
  site.login(Role::owner);
  auto keys = site.json({"keys", "show"});
  const auto before = keys.find("versions")->as_list().size();
  keys = site.json({"keys", "rotate"});
  CHECK(keys.find("versions")->as_list().size() == before + 1);
  const auto table = site.run({"keys", "show"});
  CHECK_THAT(table.out, Catch::Contains("VERSION") && Catch::Contains("SHREDDED BEFORE"));

  CHECK(site.run({"keys", "platform", "show"}).code != kDone);
  auto machine = site.machine();
  machine.environment["SALLYPORT_TOKEN"] = site.on_loop(site.world.platform_token());
  const auto shown = run_cli({"keys", "platform", "show"}, machine);
  CHECK(shown.code == kDone);
  CHECK_THAT(shown.out, Catch::Contains("MASTER KEY") && Catch::Contains("file "));
  const auto rotated = run_cli({"keys", "platform", "rotate"}, machine);
  CHECK(rotated.code == kDone);
  CHECK_THAT(rotated.out, Catch::Contains("\n2 "));
}
