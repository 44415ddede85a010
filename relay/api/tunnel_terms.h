#pragma once

#include "relay/api/call.h"
#include "relay/api/schema.h"
#include "relay/store/tunnels.h"

#include <optional>
#include <string>
#include <string_view>

// What can be said of a tunnel when it is made and later: who may use it, how much, and until when.
namespace sallyport::api {

extern const Schema kTunnelAccess, kTunnelLimits;
std::string fault_of_network(std::string_view text);  // of an entry of `networks`

// What of it a body says; absent members are absent here. A cleared end is given as nothing.
using TunnelTerms = store::TunnelChange;
// Of a body that fits its schema; in canonical forms.
TunnelTerms terms_of(const Call& call);

// How long a tunnel with an end lives at most from now; one without lives until it is removed.
inline constexpr std::chrono::hours kLongestTunnelLife{24 * 366};
// What is wrong with the time at which it is to end; "" when nothing is.
std::string_view fault_of_end(std::optional<WallTime> end, WallTime now);

}  // namespace sallyport::api
