#include "shared/link/control.h"

#include "proto/sallyport/v1/link.pb.h"

#include <cstdlib>

using namespace sallyport;

// A control message as the first thing a peer says: parsed, judged as Hello and as Welcome; what parses survives a
// round trip.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto message = link::parse_control(bytes);
  if (!message) return 0;
  link::Introduction self;
  self.capabilities = {"jobs", "renewal"};
  if (message->has_hello()) {
    const auto offer = link::judge_hello(message->hello(), self);
    if (offer && (offer->peer.protocol != 1 || offer->window == 0)) std::abort();
  }
  if (message->has_welcome()) {
    const auto offer = link::judge_welcome(message->welcome(), self);
    if (offer && offer->heartbeat.count() <= 0) std::abort();
  }
  const auto again = link::parse_control(link::encode_control(*message));
  if (!again || again->body_case() != message->body_case()) std::abort();
  return 0;
}
