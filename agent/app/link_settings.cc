#include "agent/app/link_settings.h"

#include "agent/link/transport.h"
#include "agent/vault/vault.h"
#include "shared/base/percent.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <array>

namespace sallyport::app {

agent::Via via_of(const policy::LinkConfig& link) {
  switch (link.via) {
    case policy::LinkConfig::Via::direct: return agent::Via::direct;
    case policy::LinkConfig::Via::websocket: return agent::Via::websocket;
    case policy::LinkConfig::Via::automatic: break;
  }
  return agent::Via::automatic;
}

Result<agent::WebAddress> web_address(const policy::Config& config, const agent::Identity& identity) {
  if (!config.agent.link.web.empty()) return agent::parse_web_address(config.agent.link.web);
  return agent::web_of(identity, relay_address(config, identity));
}

agent::Endpoint relay_address(const policy::Config& config, const agent::Identity& identity) {
  if (!config.agent.relay) return identity.relay;
  return {config.agent.relay->host, config.agent.relay->port};
}

Result<std::string> proxy_text(const policy::ProxyConfig& proxy) {
  if (proxy.mode == policy::ProxyConfig::Mode::direct) return "none";
  if (proxy.mode == policy::ProxyConfig::Mode::environment) return "";
  std::string credentials;
  if (!proxy.user.empty()) {
    credentials = percent_encode(proxy.user);
    if (proxy.password) {
      SP_TRY(const auto password, vault::LocalVault().resolve(proxy.password));
      credentials += ":" + percent_encode(password.reveal());
    }
    credentials += "@";
  }
  return fmt::format("http://{}{}", credentials, to_string(agent::Endpoint{proxy.host, proxy.port}));
}

std::filesystem::path identity_file(const policy::Config& config) {
  return std::filesystem::path(config.agent.state_dir) / "identity";
}

double random_fraction() {
  std::array<std::byte, 4> bytes{};
  crypto::fill_random(bytes);
  std::uint32_t number = 0;
  for (auto byte : bytes) number = number << 8 | std::to_integer<std::uint32_t>(byte);
  return number / 4294967296.0;
}

}  // namespace sallyport::app
