#include "relay/app/archive_places.h"

#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::app;
namespace fs = std::filesystem;

TEST_CASE("an archive is neither in the relay's data nor around it", "[app][archive]") {
  const test::TempDir dir;
  const test::MovableClock clock;
  const DataDirectory data{dir.path("relay")};
  fs::create_directories(data.root);
  fs::create_directory_symlink(data.root, dir.path("link"));
  const auto make = [&](const fs::path& directory) {
    return make_archives(data, {{"local", DirectoryArchive{directory}}}, clock);
  };
  for (const auto& within : {data.root, data.root / "archive", data.keys() / "archive", data.root / "x/../archive",
                             fs::path(dir.path("link")) / "archive", fs::path(dir.path(""))}) {
    INFO(within);
    const auto refused = make(within);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Catch::Contains("archives.local") && Catch::Contains("no part of the relay's"));
    CHECK_FALSE(fs::exists(data.root / "archive"));
  }
  CHECK(make(dir.path("relay-archive")));
  CHECK(make(dir.path("archive")));
}
