#include "relay/api/registry.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>

using namespace sallyport;
using api::Reach;
using api::Repeat;
using api::Route;
using domain::Role;

TEST_CASE("every declaration stands and no two collide", "[api][registry]") {
  std::set<std::string> ids, places;
  for (const auto& route : api::routes()) {
    CHECK(api::fault_in(route).empty());
    CHECK(ids.insert(std::string(route.id)).second);
    std::string shape(to_string(route.method));
    for (bool in_name = false; const char c : route.pattern) {
      if (!in_name) shape += c;
      if (c == '{') in_name = true;
      if (c == '}') in_name = false;
    }
    CHECK(places.insert(shape).second);
  }
  CHECK(ids.size() >= 50);
}

TEST_CASE("a declaration that cannot stand is found", "[api][registry]") {
  const auto good = *std::ranges::find(api::routes(), "rename_agent", &Route::id);
  REQUIRE(api::fault_in(good).empty());
  const auto fault = [&](auto spoil) {
    Route route = good;
    spoil(route);
    return api::fault_in(route);
  };
  CHECK_FALSE(fault([](Route& r) { r.audited = ""; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.repeat = Repeat::safe; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.least_role.reset(); }).empty());
  CHECK_FALSE(fault([](Route& r) { r.least_role = Role::viewer; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.least_role = Role::owner; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.scope.reset(); }).empty());
  CHECK_FALSE(fault([](Route& r) { r.scope = domain::Scope::platform_write; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.reach = Reach::platform; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.reach = Reach::open; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.path = {}; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.pattern = "/v1/agents/{agent}/"; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.method = http::Method::get; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.request = nullptr; }).empty());
  CHECK_FALSE(fault([](Route& r) { r.handler = nullptr; }).empty());
}
