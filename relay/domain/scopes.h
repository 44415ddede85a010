#pragma once

#include "relay/domain/roles.h"

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::domain {

// One permission. A route needs exactly one; a token carries a set; a role allows at most a set. Stores keep the number
// of a scope: a new one comes last, and no token that was made before has it.
enum class Scope : std::uint8_t {
  organisation_read,   // "organisation:read"
  organisation_write,  // "organisation:write"
  users_read,
  users_write,
  tokens_read,
  tokens_write,
  agents_read,
  agents_write,  // groups, enrolment tokens, revocation
  recipes_read,
  recipes_write,  // apply and activate
  jobs_read,      // states, steps, timings
  jobs_run,       // start, cancel, re-run
  payloads_read,  // inputs and outputs of steps
  audit_read,
  platform_read,   // platform admin only
  platform_write,  // platform admin only
  tunnels_read,    // with their connections
  tunnels_write,   // create, pause, remove
  tunnels_use,     // open one from a workstation, as far as the tunnel lets the user in
};

// A small set of scopes. The number is what a store keeps; bits of scopes this program does not know are dropped.
class ScopeSet {
 public:
  ScopeSet() = default;
  ScopeSet(std::initializer_list<Scope> scopes);
  static ScopeSet from_bits(std::uint64_t bits);
  static ScopeSet all();

  bool contains(Scope scope) const { return (bits_ & bit(scope)) != 0; }
  bool contains(ScopeSet other) const { return (bits_ & other.bits_) == other.bits_; }
  bool empty() const { return bits_ == 0; }
  void insert(Scope scope) { bits_ |= bit(scope); }
  std::uint64_t bits() const { return bits_; }
  std::vector<Scope> list() const;

  friend ScopeSet operator&(ScopeSet a, ScopeSet b) { return from_bits(a.bits_ & b.bits_); }
  friend ScopeSet operator|(ScopeSet a, ScopeSet b) { return from_bits(a.bits_ | b.bits_); }
  friend bool operator==(ScopeSet, ScopeSet) = default;

 private:
  static constexpr std::uint64_t bit(Scope scope) { return std::uint64_t{1} << static_cast<unsigned>(scope); }
  std::uint64_t bits_ = 0;
};

std::string_view to_string(Scope scope);
Result<Scope> parse_scope(std::string_view text);  // Errc::invalid with the nearest right name
Result<ScopeSet> parse_scopes(std::span<const std::string> texts);

// The permission matrix: the most a user of this role may do.
ScopeSet scopes_of(Role role, PlatformRights platform = PlatformRights::none);

}  // namespace sallyport::domain
