#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sallyport {

// A strong id: an OrgId cannot be passed where an AgentId is meant.
// The text is a prefix and a ULID ("job_01J9Z3..."), sortable by the time it was made.
template <class Tag>
struct Id {
  std::string value;

  Id() = default;
  explicit Id(std::string text) : value(std::move(text)) {}
  bool empty() const { return value.empty(); }
  friend auto operator<=>(const Id&, const Id&) = default;
  friend bool operator==(const Id&, const Id&) = default;
};

using OrgId = Id<struct OrgTag>;                            // org_
using UserId = Id<struct UserTag>;                          // usr_
using ApiTokenId = Id<struct ApiTokenTag>;                  // tok_
using AgentId = Id<struct AgentTag>;                        // agt_
using GroupId = Id<struct GroupTag>;                        // grp_
using EnrolmentId = Id<struct EnrolmentTag>;                // enr_
using RecipeId = Id<struct RecipeTag>;                      // rcp_
using JobId = Id<struct JobTag>;                            // job_
using EventId = Id<struct EventTag>;                        // evt_
using TunnelId = Id<struct TunnelTag>;                      // tun_
using TunnelConnectionId = Id<struct TunnelConnectionTag>;  // tcn_

// 80 random bits that make an id unguessable within its millisecond.
using IdEntropy = std::array<std::byte, 10>;

// `prefix` + 26 characters of Crockford base 32 (ULID specification, canonical form).
std::string make_ulid(std::string_view prefix, std::int64_t unix_ms, const IdEntropy& entropy);

// True for `prefix` followed by a well-formed upper-case ULID; used before an id from outside reaches a query.
bool is_ulid(std::string_view text, std::string_view prefix);

}  // namespace sallyport

template <class Tag>
struct std::hash<sallyport::Id<Tag>> {
  std::size_t operator()(const sallyport::Id<Tag>& id) const noexcept { return std::hash<std::string>()(id.value); }
};
