#pragma once

#include "relay/api/registry.h"
#include "tests/unit/relay/api/world.h"

#include <optional>
#include <string>

// A good call of each route, for tests of all routes. A route that is added without a sample body throws.
namespace sallyport::test {

Targets absent_targets();  // ids of nothing

std::string path_of(const api::Route& route, const Targets& targets);
Ask ask_for(const api::Route& route, const Targets& targets, std::string token);

bool allows(const api::Route& route, std::optional<domain::Role> role, bool platform_admin);

// What would end the callers themselves has tests of its own (erasure_test.cc).
bool ends_its_caller(const api::Route& route);

}  // namespace sallyport::test
