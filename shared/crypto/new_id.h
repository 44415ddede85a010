#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/crypto/random.h"

#include <string_view>

namespace sallyport::crypto {

// The prefix of each kind of id, as ids.h lists them. A kind without one does not compile.
template <class T>
struct IdPrefix;
template <>
struct IdPrefix<OrgId> {
  static constexpr std::string_view text = "org_";
};
template <>
struct IdPrefix<UserId> {
  static constexpr std::string_view text = "usr_";
};
template <>
struct IdPrefix<ApiTokenId> {
  static constexpr std::string_view text = "tok_";
};
template <>
struct IdPrefix<AgentId> {
  static constexpr std::string_view text = "agt_";
};
template <>
struct IdPrefix<GroupId> {
  static constexpr std::string_view text = "grp_";
};
template <>
struct IdPrefix<EnrolmentId> {
  static constexpr std::string_view text = "enr_";
};
template <>
struct IdPrefix<RecipeId> {
  static constexpr std::string_view text = "rcp_";
};
template <>
struct IdPrefix<JobId> {
  static constexpr std::string_view text = "job_";
};
template <>
struct IdPrefix<EventId> {
  static constexpr std::string_view text = "evt_";
};
template <>
struct IdPrefix<TunnelId> {
  static constexpr std::string_view text = "tun_";
};
template <>
struct IdPrefix<TunnelConnectionId> {
  static constexpr std::string_view text = "tcn_";
};

// A fresh id: `auto job = new_id<JobId>(clock);`
template <class T>
T new_id(const Clock& clock) {
  return T(make_ulid(IdPrefix<T>::text, unix_ms(clock.wall()), new_entropy()));
}

// True when `text` is a well-formed id of kind T.
template <class T>
bool is_id(std::string_view text) {
  return is_ulid(text, IdPrefix<T>::text);
}

}  // namespace sallyport::crypto
