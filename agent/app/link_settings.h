#pragma once

#include "agent/link/identity.h"
#include "agent/link/way_choice.h"
#include "agent/link/websocket.h"
#include "agent/policy/config.h"
#include "shared/base/result.h"

#include <filesystem>
#include <string>
#include <string_view>

// What agent.yaml says of the way to the relay, in the words of the link.
namespace sallyport::app {

inline constexpr std::string_view kSoftware = "sallyport-agent/" SALLYPORT_VERSION;

// `relay` of agent.yaml goes before the address learnt at enrolment.
agent::Endpoint relay_address(const policy::Config& config, const agent::Identity& identity);

// `link.via` and `link.web` of agent.yaml; without `web` what was learnt at enrolment, and without that the relay
// itself.
agent::Via via_of(const policy::LinkConfig& link);
Result<agent::WebAddress> web_address(const policy::Config& config, const agent::Identity& identity);

// What a proxy setting of agent.yaml means to the dialer: a URL, "none", or "" for the environment.
Result<std::string> proxy_text(const policy::ProxyConfig& proxy);

std::filesystem::path identity_file(const policy::Config& config);

double random_fraction();  // 0 to 1, for jitter

}  // namespace sallyport::app
