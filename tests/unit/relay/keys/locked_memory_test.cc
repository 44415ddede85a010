#include "relay/keys/locked_memory.h"

#include "tests/support/pki.h"

#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <string>

using namespace sallyport;
using namespace sallyport::keys;
using sallyport::test::must;

namespace {

// Of the mapping in which `address` lies, as the kernel says (proc_pid_smaps(5)).
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    const auto dash = line.find('-');
    if (dash != std::string::npos && dash < 17 && line.find(' ') > dash) {
      const auto from = std::stoull(line.substr(0, dash), nullptr, 16);
      const auto to = std::stoull(line.substr(dash + 1), nullptr, 16);
      inside = from <= at && at < to;
    }
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

}  // namespace

TEST_CASE("memory for keys is locked, in no dump, and wiped when it comes back", "[keys][memory]") {
  const auto memory = must(LockedMemory::make());
  const std::byte* place = nullptr;
  {
    auto key = must(memory->take());
    std::ranges::fill(key.writable(), std::byte{0xab});
    place = key.bytes().data();
    CHECK(memory->used() == 1);
    CHECK(flags_of(place).find(" lo ") != std::string::npos);
    CHECK(flags_of(place).find(" dd ") != std::string::npos);
  }
  CHECK(memory->used() == 0);
  CHECK(std::all_of(place, place + kKeySize, [](std::byte byte) { return byte == std::byte{0}; }));
  const int ordinary = 0;  // the control: what is not locked is not said to be
  CHECK(flags_of(&ordinary).find(" lo ") == std::string::npos);
}

TEST_CASE("memory for keys grows to its bound, and what comes back is used again", "[keys][memory]") {
  const auto memory = must(LockedMemory::make(1'024));
  std::vector<LockedKey> keys;
  for (;;) {
    auto key = memory->take();
    if (!key) {
      CHECK(key.error().code == Errc::exhausted);
      break;
    }
    keys.push_back(*std::move(key));
    REQUIRE(keys.size() <= 1'024);
  }
  CHECK(keys.size() == 1'024);
  keys.pop_back();
  CHECK(memory->take());
}

TEST_CASE("where no memory may be locked there are no keys", "[keys][memory]") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_MEMLOCK, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_MEMLOCK, &none) == 0);
  const auto refused = LockedMemory::make();
  ::setrlimit(RLIMIT_MEMLOCK, &before);
  if (::geteuid() == 0) return;  // root locks what it wants
  REQUIRE(!refused);
  CHECK(refused.error().message.find("LimitMEMLOCK") != std::string::npos);
}
