#include "shared/mux/mux.h"

#include <array>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::mux;

namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

// What a user does with each event, so that every path of the channel's life is taken.
void react(Mux& mux, const MuxEvent& event) {
  Bytes into(1000);
  switch (event.kind) {
    case MuxEvent::Kind::opened:
      (void)mux.write(event.channel, as_bytes("welcome"));
      if (event.payload.size() % 2 == 0) mux.set_arrival(event.channel, Arrival::offered);
      break;
    case MuxEvent::Kind::offered:
      mux.take_offered(event.channel, std::array{event.payload}, event.payload.size() / 2);
      if (event.payload.size() % 3 == 0) mux.consume(event.channel, event.payload.size() - event.payload.size() / 2);
      break;
    case MuxEvent::Kind::readable: {
      const auto count = mux.read(event.channel, into);
      if (count && *count && **count == 0) mux.release(event.channel);
      break;
    }
    case MuxEvent::Kind::writable: (void)mux.finish(event.channel); break;
    case MuxEvent::Kind::broken: mux.release(event.channel); break;
    case MuxEvent::Kind::control: (void)mux.send_control(event.payload); break;
  }
}

}  // namespace

// The first byte chooses side and how the rest is cut; the rest is what a peer sends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  MuxLimits limits;
  limits.initial_window = 4096;
  limits.received = 20'000;
  limits.channels = 4;
  Mux mux(data[0] & 1 ? Side::relay : Side::agent, limits);
  if (data[0] & 2) mux.start(2000);
  if (data[0] & 2) (void)mux.open("fuzz/1");
  const std::size_t piece = 1 + (data[0] >> 2);
  const Bytes wire(reinterpret_cast<const std::byte*>(data) + 1, reinterpret_cast<const std::byte*>(data) + size);
  Bytes batch;
  for (std::size_t at = 0; at < wire.size(); at += piece) {
    mux.feed(std::span(wire).subspan(at, std::min(piece, wire.size() - at)));
    for (;;) {
      const auto event = mux.next();
      if (!event) return 0;
      if (!*event) break;
      react(mux, **event);
      expect(mux.received() <= mux.promised());
      expect(mux.promised() <= limits.received);
      expect(mux.open_channels() <= 2 * limits.channels);
    }
    if (at % 7 == 0) mux.take_batch(batch);
    expect(batch.size() <= limits.writer.batch);
  }
  return 0;
}
