#include "relay/domain/scopes.h"

#include "shared/base/text.h"

#include <array>

namespace sallyport::domain {
namespace {

constexpr std::array<std::string_view, 19> kNames = {
    "organisation:read", "organisation:write", "users:read",    "users:write",  "tokens:read",
    "tokens:write",      "agents:read",        "agents:write",  "recipes:read", "recipes:write",
    "jobs:read",         "jobs:run",           "payloads:read", "audit:read",   "platform:read",
    "platform:write",    "tunnels:read",       "tunnels:write", "tunnels:use",
};
static_assert(kNames.size() == static_cast<std::size_t>(Scope::tunnels_use) + 1);

constexpr std::uint64_t kKnownBits = (std::uint64_t{1} << kNames.size()) - 1;

const ScopeSet& viewer_scopes() {
  static const ScopeSet scopes = {Scope::organisation_read, Scope::users_read, Scope::agents_read,
                                  Scope::recipes_read,      Scope::jobs_read,  Scope::payloads_read,
                                  Scope::tunnels_read,      Scope::tunnels_use};
  return scopes;
}

const ScopeSet& editor_scopes() {
  static const ScopeSet scopes =
      viewer_scopes() |
      ScopeSet{Scope::tokens_read, Scope::agents_write, Scope::recipes_write, Scope::jobs_run, Scope::tunnels_write};
  return scopes;
}

const ScopeSet& owner_scopes() {
  static const ScopeSet scopes =
      editor_scopes() | ScopeSet{Scope::organisation_write, Scope::users_write, Scope::tokens_write, Scope::audit_read};
  return scopes;
}

}  // namespace

ScopeSet::ScopeSet(std::initializer_list<Scope> scopes) {
  for (Scope scope : scopes) insert(scope);
}

ScopeSet ScopeSet::from_bits(std::uint64_t bits) {
  ScopeSet set;
  set.bits_ = bits & kKnownBits;
  return set;
}

ScopeSet ScopeSet::all() { return from_bits(kKnownBits); }

std::vector<Scope> ScopeSet::list() const {
  std::vector<Scope> found;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (contains(static_cast<Scope>(i))) found.push_back(static_cast<Scope>(i));
  }
  return found;
}

std::string_view to_string(Scope scope) { return kNames[static_cast<std::size_t>(scope)]; }

Result<Scope> parse_scope(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Scope>(i);
  }
  std::string message = "unknown scope";
  if (auto close = nearest(text, kNames)) message += ": did you mean " + std::string(*close) + "?";
  return fail(Errc::invalid, std::move(message));
}

Result<ScopeSet> parse_scopes(std::span<const std::string> texts) {
  ScopeSet set;
  for (const std::string& text : texts) {
    SP_TRY(Scope scope, parse_scope(text));
    set.insert(scope);
  }
  return set;
}

ScopeSet scopes_of(Role role, PlatformRights platform) {
  ScopeSet set;
  switch (role) {
    case Role::owner: set = owner_scopes(); break;
    case Role::editor: set = editor_scopes(); break;
    case Role::viewer: set = viewer_scopes(); break;
  }
  if (platform == PlatformRights::admin) set = set | ScopeSet{Scope::platform_read, Scope::platform_write};
  return set;
}

}  // namespace sallyport::domain
