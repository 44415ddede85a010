#include "relay/domain/scopes.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::domain;

TEST_CASE("every scope has one name that reads back", "[domain][scopes]") {
  std::set<std::string_view> names;
  for (Scope scope : ScopeSet::all().list()) {
    CHECK(parse_scope(to_string(scope)) == scope);
    names.insert(to_string(scope));
  }
  CHECK(names.size() == 19);
}

TEST_CASE("a misspelt scope is refused with the nearest right one", "[domain][scopes]") {
  auto wrong = parse_scope("recipe:read");
  REQUIRE(!wrong);
  CHECK(wrong.error().code == Errc::invalid);
  CHECK(wrong.error().message.find("recipes:read") != std::string::npos);
  CHECK(!parse_scope(""));
  CHECK(!parse_scope("RECIPES:READ"));
  std::vector<std::string> mixed = {"jobs:read", "jobs:wrote"};
  CHECK(!parse_scopes(mixed));
}

TEST_CASE("bits of unknown scopes are dropped", "[domain][scopes]") {
  CHECK(ScopeSet::from_bits(~std::uint64_t{0}) == ScopeSet::all());
  CHECK(ScopeSet::from_bits(std::uint64_t{1} << 40).empty());
  std::vector<std::string> texts = {"jobs:read", "jobs:run", "jobs:read"};
  CHECK(parse_scopes(texts) == ScopeSet{Scope::jobs_read, Scope::jobs_run});
}

// Stores keep these numbers: none may ever change its meaning.
TEST_CASE("the bits of scopes stay what they are", "[domain][scopes]") {
  const std::vector<std::string_view> names = {
      "organisation:read", "organisation:write", "users:read",    "users:write",  "tokens:read",
      "tokens:write",      "agents:read",        "agents:write",  "recipes:read", "recipes:write",
      "jobs:read",         "jobs:run",           "payloads:read", "audit:read",   "platform:read",
      "platform:write",    "tunnels:read",       "tunnels:write", "tunnels:use"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    INFO(names[i]);
    const auto one = ScopeSet::from_bits(std::uint64_t{1} << i).list();
    REQUIRE(one.size() == 1);
    CHECK(to_string(one[0]) == names[i]);
  }
  CHECK(ScopeSet::all().list().size() == names.size());
}

TEST_CASE("a token with every scope of an earlier version gets none that came later", "[domain][scopes]") {
  const auto before_tunnels = ScopeSet::from_bits((std::uint64_t{1} << 16) - 1);
  CHECK_FALSE(before_tunnels.contains(Scope::tunnels_read));
  CHECK_FALSE(before_tunnels.contains(Scope::tunnels_write));
  CHECK((before_tunnels & scopes_of(Role::owner, PlatformRights::admin)) == before_tunnels);
  CHECK_FALSE(before_tunnels.contains(Scope::tunnels_use));
  CHECK((before_tunnels | ScopeSet{Scope::tunnels_read, Scope::tunnels_write, Scope::tunnels_use}) == ScopeSet::all());
}

TEST_CASE("the permission matrix", "[domain][roles]") {
  const ScopeSet owner = scopes_of(Role::owner), editor = scopes_of(Role::editor), viewer = scopes_of(Role::viewer);
  CHECK(owner.contains(editor));
  CHECK(editor.contains(viewer));
  for (Scope scope : viewer.list()) {
    INFO(to_string(scope));
    CHECK((to_string(scope).ends_with(":read") || scope == Scope::tunnels_use));
  }
  CHECK(!editor.contains(Scope::tokens_write));
  CHECK(!editor.contains(Scope::users_write));
  CHECK(!editor.contains(Scope::audit_read));
  CHECK(!viewer.contains(Scope::tokens_read));
  CHECK(viewer.contains(Scope::tunnels_read));
  CHECK(!viewer.contains(Scope::tunnels_write));
  CHECK(editor.contains(Scope::tunnels_write));
  CHECK((owner | ScopeSet{Scope::platform_read, Scope::platform_write}) == ScopeSet::all());
}

TEST_CASE("platform rights add platform scopes and nothing else", "[domain][roles]") {
  for (Role role : {Role::owner, Role::editor, Role::viewer}) {
    INFO(to_string(role));
    CHECK(!scopes_of(role).contains(Scope::platform_read));
    CHECK(!scopes_of(role).contains(Scope::platform_write));
    CHECK(scopes_of(role, PlatformRights::admin) ==
          (scopes_of(role) | ScopeSet{Scope::platform_read, Scope::platform_write}));
    CHECK(parse_role(to_string(role)) == role);
  }
  CHECK(!parse_role("admin"));
}
