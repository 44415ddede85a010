#include "tests/unit/relay/cli/cli_site.h"

#include <catch2/catch.hpp>

// `archive`: where records of jobs go, and reading them back.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

TEST_CASE("an archive is shown and chosen", "[cli][archive]") {
  CliSite site;
  site.login(Role::owner);
  CHECK(site.run({"archive", "show"}).out == "archive: none\nwaiting: 0\n");
  CHECK(site.run({"archive", "set", "elsewhere"}).code == kFailed);
  CHECK(site.run({"archive", "set", "local"}).out == "archive: local\nwaiting: 0\n");
  CHECK(site.run({"archive", "set", "none"}).out == "archive: none\nwaiting: 0\n");
  CHECK(site.run({"archive", "list"}).code == kDone);
  CHECK(site.run({"archive", "get", "job_00000000000000000000000000"}).code == kNotFound);
}
