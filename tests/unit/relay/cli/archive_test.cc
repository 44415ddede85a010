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
  const auto elsewhere = site.run({"archive", "set", "elsewhere"});
  CHECK(elsewhere.code == kFailed);
  CHECK_THAT(elsewhere.err, Catch::Contains("ARCHIVE: must be an archive of this relay") &&
                                Catch::Contains("none; it has local") && !Catch::Contains("/place"));
  CHECK(site.run({"archive", "set", "local"}).out == "archive: local\nwaiting: 0\n");
  CHECK(site.run({"archive", "set", "none"}).out == "archive: none\nwaiting: 0\n");
  CHECK(site.run({"archive", "list"}).code == kDone);
  for (const std::string job : {"job_00000000000000000000000000", "nonsense"}) {
    const auto absent = site.run({"archive", "get", job});
    CHECK(absent.code == kNotFound);
    CHECK_THAT(absent.err, Catch::Contains("there is no archived job \"" + job + "\"; see: sallyport archive list"));
  }
}
