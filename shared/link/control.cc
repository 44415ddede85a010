#include "shared/link/control.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/link/message_bytes.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::link {
namespace {

constexpr std::uint32_t kLeastWindow = 1u << 10;
constexpr std::uint32_t kLargestWindow = 16u << 20;
constexpr std::int64_t kLeastHeartbeatMs = 100;
constexpr std::int64_t kLargestHeartbeatMs = 60'000;

template <class Repeated>
std::vector<std::string> to_vector(const Repeated& list) {
  return {list.begin(), list.end()};
}

std::optional<Refusal> bad_window(std::uint32_t window) {
  if (window >= kLeastWindow && window <= kLargestWindow) return std::nullopt;
  return Refusal{"protocol",
                 fmt::format("P3.5: initial_window is {}, allowed are {} to {}", window, kLeastWindow, kLargestWindow),
                 kRetryAfterViolation};
}

}  // namespace

Result<v1::Control> parse_control(std::span<const std::byte> bytes) {
  v1::Control message;
  if (!parse(message, bytes)) {
    return fail(Errc::invalid, fmt::format("P3.1: a control message of {} bytes that is not one", bytes.size()));
  }
  return message;
}

Bytes encode_control(const v1::Control& message) {
  Bytes bytes(message.ByteSizeLong());
  message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

std::optional<std::uint32_t> choose_protocol(const Introduction& self, std::uint32_t peer_min, std::uint32_t peer_max) {
  const auto highest = std::min(self.protocol_max, peer_max);
  const auto lowest = std::max(self.protocol_min, peer_min);
  if (highest < lowest) return std::nullopt;
  return highest;
}

std::vector<std::string> common_capabilities(const std::vector<std::string>& own,
                                             const std::vector<std::string>& peer) {
  std::vector<std::string> both;
  std::ranges::copy_if(own, std::back_inserter(both),
                       [&](const auto& one) { return std::ranges::find(peer, one) != peer.end(); });
  return both;
}

v1::Control make_hello(const Introduction& self, std::uint32_t initial_window) {
  v1::Control message;
  auto& hello = *message.mutable_hello();
  hello.set_protocol_min(self.protocol_min);
  hello.set_protocol_max(self.protocol_max);
  for (const auto& one : self.capabilities) hello.add_capabilities(one);
  hello.set_software(self.software);
  hello.set_hostname(self.hostname);
  hello.set_boot_id(std::string(as_text(self.boot_id)));
  hello.set_initial_window(initial_window);
  hello.set_policy_summary_json(self.policy_summary_json);
  hello.set_link(self.link);
  return message;
}

v1::Control make_welcome(const SessionOptions& options, const Peer& peer, std::int64_t now_ms) {
  v1::Control message;
  auto& welcome = *message.mutable_welcome();
  welcome.set_protocol(peer.protocol);
  for (const auto& one : peer.capabilities) welcome.add_capabilities(one);
  welcome.set_software(options.self.software);
  welcome.set_initial_window(options.limits.initial_window);
  welcome.set_heartbeat_ms(static_cast<std::uint32_t>(options.times.heartbeat.count()));
  welcome.set_server_time_ms(now_ms);
  if (!knows(peer, kLinks)) return message;
  welcome.set_links(options.self.links);
  for (const auto& one : options.self.addresses) welcome.add_addresses(one);
  return message;
}

v1::Control make_refusal(const Refusal& refusal) {
  v1::Control message;
  auto& body = *message.mutable_refusal();
  body.set_code(refusal.code);
  body.set_message(refusal.message);
  body.set_retry_after_ms(static_cast<std::uint32_t>(refusal.retry_after.count()));
  return message;
}

std::expected<Offer, Refusal> judge_hello(const v1::Hello& hello, const Introduction& self) {
  const auto protocol = choose_protocol(self, hello.protocol_min(), hello.protocol_max());
  if (!protocol) {
    return std::unexpected(Refusal{
        "version", fmt::format("the agent speaks protocol {} to {}, this relay {} to {}: upgrade the older one",
                               hello.protocol_min(), hello.protocol_max(), self.protocol_min, self.protocol_max)});
  }
  if (auto refusal = bad_window(hello.initial_window())) return std::unexpected(*refusal);
  if (hello.link() >= kLinkPlaces) {
    return std::unexpected(Refusal{"protocol",
                                   fmt::format("P3.9: link {}, an agent has at most {}", hello.link(), kLinkPlaces),
                                   kRetryAfterViolation});
  }
  Offer offer;
  offer.peer.protocol = *protocol;
  offer.peer.capabilities = common_capabilities(self.capabilities, to_vector(hello.capabilities()));
  offer.peer.software = hello.software();
  offer.peer.hostname = hello.hostname();
  const auto boot_id = as_bytes(hello.boot_id());
  offer.peer.boot_id.assign(boot_id.begin(), boot_id.end());
  offer.peer.policy_summary_json = hello.policy_summary_json();
  offer.peer.link = hello.link();
  offer.window = hello.initial_window();
  return offer;
}

std::expected<Offer, Refusal> judge_welcome(const v1::Welcome& welcome, const Introduction& self) {
  if (welcome.protocol() < self.protocol_min || welcome.protocol() > self.protocol_max) {
    return std::unexpected(Refusal{"version", fmt::format("P8.2: the relay chose protocol {}, offered were {} to {}",
                                                          welcome.protocol(), self.protocol_min, self.protocol_max)});
  }
  if (auto refusal = bad_window(welcome.initial_window())) return std::unexpected(*refusal);
  Offer offer;
  offer.peer.protocol = welcome.protocol();
  offer.peer.capabilities = common_capabilities(self.capabilities, to_vector(welcome.capabilities()));
  offer.peer.software = welcome.software();
  offer.peer.server_time_ms = welcome.server_time_ms();
  if (knows(offer.peer, kLinks)) {
    offer.peer.links = std::clamp(welcome.links(), 1u, kMostLinks);
    offer.peer.addresses = to_vector(welcome.addresses());
    if (offer.peer.addresses.size() > kMostAddresses) offer.peer.addresses.resize(kMostAddresses);
  }
  offer.window = welcome.initial_window();
  offer.heartbeat = std::chrono::milliseconds(
      std::clamp<std::int64_t>(welcome.heartbeat_ms(), kLeastHeartbeatMs, kLargestHeartbeatMs));
  return offer;
}

}  // namespace sallyport::link
