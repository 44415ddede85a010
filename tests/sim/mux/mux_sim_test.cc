#include "tests/sim/mux/link_world.h"

#include <catch2/catch.hpp>

#include <cstdlib>

using namespace sallyport::sim;

namespace {

// SALLYPORT_SEED replays one history; SALLYPORT_HISTORIES asks for more of them.
std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

constexpr int kSteps = 400;

}  // namespace

TEST_CASE("random histories: all bytes arrive in order, no window is overrun, memory stays bounded", "[sim][mux]") {
  const auto first = number_from("SALLYPORT_SEED", 1);
  const auto histories = std::getenv("SALLYPORT_SEED") ? 1 : number_from("SALLYPORT_HISTORIES", 2000);
  std::uint64_t delivered = 0;
  for (auto seed = first; seed < first + histories; ++seed) {
    LinkWorld world(seed, Fault::none);
    const auto wrong = world.run(kSteps);
    INFO("replay with SALLYPORT_SEED=" << seed);
    if (wrong) FAIL(*wrong);
    delivered += world.bytes_delivered();
  }
  CHECK(delivered > 0);
}

TEST_CASE("positive control: planted faults on the wire are found", "[sim][mux]") {
  for (const auto fault : {Fault::inflated_credit, Fault::swapped_bytes, Fault::lost_frame}) {
    int planted = 0;
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      LinkWorld world(seed, fault);
      const auto wrong = world.run(kSteps);
      planted += world.fault_took_effect();
      found += wrong.has_value();
    }
    INFO("fault " << static_cast<int>(fault) << ": planted in " << planted << " histories, found in " << found);
    CHECK(planted > 150);
    CHECK(found > planted / 4);
  }
}
