#include "relay/gateway/carried_places.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace sallyport;
using gateway::CarriedPlaces;

namespace {

using Held = std::vector<std::shared_ptr<CarriedPlaces::Place>>;

// How many `source` gets until it gets no more.
std::size_t fill(CarriedPlaces& places, Held& held, const std::string& source) {
  std::size_t count = 0;
  for (auto place = places.take(source); place; place = places.take(source), ++count) held.push_back(*place);
  return count;
}

}  // namespace

TEST_CASE("who has proved nothing holds a quarter of the places, one source alone half of that", "[gateway][carried]") {
  CarriedPlaces places(256);
  Held held;
  CHECK(fill(places, held, "192.0.2.1") == 32);
  CHECK(fill(places, held, "192.0.2.2") == 16);
  const auto refused = places.take("192.0.2.1");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::unavailable);
  CHECK(refused.error().message.find("have not proved who they are") != std::string::npos);
  CHECK(places.taken() == 48);
}

TEST_CASE("whoever proves itself makes room for the next, until all places are taken", "[gateway][carried]") {
  CarriedPlaces places(256);
  Held held;
  for (int i = 0; i < 256; ++i) {
    auto place = places.take("192.0.2.1");
    REQUIRE(place.has_value());
    (*place)->proved();
    (*place)->proved();  // again changes nothing
    held.push_back(*std::move(place));
  }
  const auto refused = places.take("192.0.2.2");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::unavailable);
  CHECK(refused.error().message.find("all 256 places") != std::string::npos);
  held.pop_back();
  CHECK(places.take("192.0.2.2").has_value());
}

TEST_CASE("a place is given back when it dies, also after the books", "[gateway][carried]") {
  Held held;
  {
    CarriedPlaces places(4);
    CHECK(fill(places, held, "192.0.2.1") == 1);
    held.clear();
    CHECK(places.taken() == 0);
    CHECK(fill(places, held, "192.0.2.1") == 1);
  }
  held.clear();
}
