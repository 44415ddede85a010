#pragma once

#include "shared/base/value.h"
#include "shared/link/session.h"

#include <cstdint>
#include <optional>
#include <span>

namespace sallyport::v1 {
class Control;
class Hello;
class Welcome;
}  // namespace sallyport::v1

// Control messages as bytes, and the rules of the handshake as functions without IO (docs/protocol.md P3, P8).
namespace sallyport::link {

// Protobuf that does not parse is Errc::invalid. A message whose kind this software does not know has no body: newer
// peers may send such, and they are ignored after the handshake.
Result<v1::Control> parse_control(std::span<const std::byte> bytes);
Bytes encode_control(const v1::Control& message);

// The highest version both ranges hold; nullopt when there is none.
std::optional<std::uint32_t> choose_protocol(const Introduction& self, std::uint32_t peer_min, std::uint32_t peer_max);

// What both know, in the order of `own`.
std::vector<std::string> common_capabilities(const std::vector<std::string>& own, const std::vector<std::string>& peer);

v1::Control make_hello(const Introduction& self, std::uint32_t initial_window);
v1::Control make_welcome(const SessionOptions& options, const Peer& peer, std::int64_t now_ms);
v1::Control make_refusal(const Refusal& refusal);

struct Offer {  // one side's message, judged
  Peer peer;
  std::uint32_t window = 0;
  std::chrono::milliseconds heartbeat{0};  // from Welcome
};
// The relay's view of Hello: a version it speaks, a window it can work with, or what to refuse with.
std::expected<Offer, Refusal> judge_hello(const v1::Hello& hello, const Introduction& self);
// The agent's view of Welcome.
std::expected<Offer, Refusal> judge_welcome(const v1::Welcome& welcome, const Introduction& self);

}  // namespace sallyport::link
