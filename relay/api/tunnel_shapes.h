#pragma once

#include "relay/store/tunnels.h"
#include "relay/tunnels/desk.h"
#include "shared/base/value.h"

#include <string_view>

// How tunnels look in answers; docs/api/openapi.yaml describes each under the name of its type.
namespace sallyport::api {

// With how it stands on this relay now.
Value shape(const store::Tunnel& tunnel, const tunnels::Standing& standing);
Value shape(const domain::TunnelAccess& access);
Value shape(const store::TunnelState& state);  // what people change of it, but for its status
Value shape(const tunnels::Reach& reach);
Value shape(const store::TunnelConnection& connection);

std::string_view to_string(store::TunnelStatus status);
std::string_view to_string(tunnels::EntranceState state);

}  // namespace sallyport::api
