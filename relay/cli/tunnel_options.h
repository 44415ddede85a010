#pragma once

#include "relay/cli/context.h"

#include <vector>

// The options of `tunnel create` and `tunnel update`: who may use a tunnel, how much, and until when.
namespace sallyport::cli {

inline constexpr Option kFromOption{"from", "CIDR...", "from where connections to its listener may come; may repeat",
                                    Need::optional, "/networks"};
inline constexpr Option kRoleOption{"role", "owner|editor|viewer...", "who may open it from a workstation; may repeat",
                                    Need::optional, "/access/roles"};
inline constexpr Option kTokenOption{"token", "TOKEN...", "API tokens that may open it besides, by id; may repeat",
                                     Need::optional, "/access/tokens"};
inline constexpr Option kConnectionsOption{"connections", "1..1000", "open at one time", Need::optional,
                                           "/limits/connections"};
inline constexpr Option kRateOption{"rate", "N", "bytes a second of one connection, in each direction", Need::optional,
                                    "/limits/bytes_per_second"};
inline constexpr Option kIdleOption{"idle", "DURATION", "end a connection without a byte for so long", Need::optional,
                                    "/limits/idle_seconds"};
inline constexpr Option kExpiresOption{"expires", "WHEN", "its end: 8h, or 2026-01-31T09:30:00Z", Need::optional,
                                       "/expires_at"};

// Of the values that one of these options alone cannot be checked by.
Result<void> check_tunnel_options(const Arguments& arguments);

// What the options say, as members of the API's order; what is not given is absent.
ValueMap tunnel_terms(const Context& context, const Arguments& arguments);

}  // namespace sallyport::cli
