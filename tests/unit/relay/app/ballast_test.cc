#include "relay/app/ballast.h"

#include "tests/support/full_disk.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <fstream>

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kMiB = 1u << 20;

class Nobody final : public LogSink {
  void write(std::string_view) override {}
};

struct Disk {
  Disk() { grow(0); }
  void grow(std::uintmax_t size) const {
    std::ofstream(database).flush();
    fs::resize_file(database, size);
  }
  Ballast ballast() { return {{{"keys", database, 2 * kMiB, 8 * kMiB}}, log, metrics}; }
  std::uintmax_t held() const {
    return fs::exists(Ballast::file_of(database)) ? fs::file_size(Ballast::file_of(database)) : 0;
  }

  TempDir folder;
  fs::path database = folder / "keys.db";
  Nobody nobody;
  SystemClock clock;
  Log log{nobody, clock, LogLevel::error};
  Metrics metrics;
};

}  // namespace

TEST_CASE("what is held back grows with its database, within bounds", "[app][disk]") {
  Disk disk;
  auto ballast = disk.ballast();
  CHECK(disk.held() == 2 * kMiB);
  disk.grow(5 * kMiB);
  ballast.refill();
  CHECK(disk.held() == 5 * kMiB);
  disk.grow(100 * kMiB);
  ballast.refill();
  CHECK(disk.held() == 8 * kMiB);
  CHECK_FALSE(ballast.release());  // the disk is not full
  CHECK(disk.held() == 8 * kMiB);
}

TEST_CASE("where what is held back cannot grow, what there is stays", "[app][disk]") {
  Disk disk;
  auto ballast = disk.ballast();
  disk.grow(5 * kMiB);
  {
    const FullDisk full(3 * kMiB);
    ballast.refill();
    CHECK(disk.held() == 2 * kMiB);
  }
  ballast.refill();
  CHECK(disk.held() == 5 * kMiB);
}

TEST_CASE("nothing is left of what could not be held back at all", "[app][disk]") {
  Disk disk;
  const FullDisk full(kMiB);
  const auto ballast = disk.ballast();
  CHECK(disk.held() == 0);
  CHECK_FALSE(fs::exists(Ballast::file_of(disk.database)));
}
