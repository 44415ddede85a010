#pragma once

#include "relay/api/schema.h"

#include <array>
#include <string_view>

// Fields that many routes share.
namespace sallyport::api {

inline constexpr std::array<std::string_view, 1> kUserIds{"usr_"}, kTokenIds{"tok_"}, kGroupIds{"grp_"},
    kAgentIds{"agt_"}, kEnrolmentIds{"enr_"}, kRecipeIds{"rcp_"}, kJobIds{"job_"}, kTunnelIds{"tun_"},
    kTunnelConnectionIds{"tcn_"};

constexpr Field id_field(std::string_view name, std::span<const std::string_view> prefix,
                         Presence presence = Presence::required) {
  return {.name = name, .presence = presence, .most = 64, .format = Format::id, .among = prefix};
}

// What the cursors of a list are made of (Format::cursor); no two lists of different things take each other's.
inline constexpr std::array<std::string_view, 1> kOrganisationCursor{"org_"}, kNumberCursor{"#"};
inline constexpr std::array<std::string_view, 2> kJobCursor{"#", "job_"}, kAuditCursor{"#", "#"},
    kConnectionCursor{"agt_", "*"};
inline constexpr std::array<std::string_view, 3> kStepCursor{"#", "#", "*"};

constexpr Field cursor_field(std::span<const std::string_view> parts) {
  return {.name = "cursor", .most = 512, .format = Format::cursor, .among = parts};
}
inline constexpr Field kLimit{.name = "limit", .type = FieldType::integer, .least = 1, .most = 200};
constexpr std::array<Field, 2> page_query(std::span<const std::string_view> parts) {
  return {cursor_field(parts), kLimit};
}

inline constexpr std::array kUserPath{id_field("user", kUserIds)};
inline constexpr std::array kTokenPath{id_field("token", kTokenIds)};
inline constexpr std::array kGroupPath{id_field("group", kGroupIds)};
inline constexpr std::array kAgentPath{id_field("agent", kAgentIds)};
inline constexpr std::array kEnrolmentPath{id_field("enrolment_token", kEnrolmentIds)};
inline constexpr std::array kRecipePath{id_field("recipe", kRecipeIds)};
inline constexpr std::array kJobPath{id_field("job", kJobIds)};
inline constexpr std::array kTunnelPath{id_field("tunnel", kTunnelIds)};

}  // namespace sallyport::api
