#include "agent/connectors/sql/libpq.h"

#include "tests/contract/connectors/sql/databases.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <string>

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

bool is_mapped() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.contains("/libpq.so")) return true;
  }
  return false;
}

const bool kCameWithTheProgram = is_mapped();  // before any test

}  // namespace

TEST_CASE("libpq comes with the first connection, not with the program", "[sql][postgres]") {
  CHECK_FALSE(kCameWithTheProgram);
  test::SqlWorld world(test::SqlWorld::Engine::postgres);
  REQUIRE(world.run("sql.query@1", args({{"statement", "select 1 as one"}})));
  CHECK(is_mapped());
}

TEST_CASE("a client library that is missing or another one is named, with what to install", "[sql][postgres]") {
  const auto missing = sql::open_libpq("libpq.so.none");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::not_found);
  CHECK(missing.error().message.contains("(Debian: the package libpq5): cannot load libpq.so.none"));

  const auto other = sql::open_libpq("libm.so.6");
  REQUIRE_FALSE(other);
  CHECK(other.error().message.ends_with("libm.so.6 has no PQclear"));
}
