#pragma once

#include "shared/mux/mux.h"

#include <catch2/catch.hpp>

namespace sallyport::mux {

inline MuxLimits small_limits() {
  MuxLimits limits;
  limits.initial_window = 1000;
  limits.max_window = 4000;
  limits.received = 5000;
  limits.channels = 4;
  return limits;
}

// Two muxes and the wire between them, which carries all or nothing.
struct Pair {
  Mux agent{Side::agent, small_limits()};
  Mux relay{Side::relay, small_limits()};
  std::vector<MuxEvent::Kind> seen_by_relay;
  std::string purpose;

  Pair() {
    agent.start(1000);
    relay.start(1000);
  }
  static Result<std::vector<MuxEvent>> carry(Mux& from, Mux& to, std::string& purpose) {
    std::vector<MuxEvent> events;
    Bytes batch;
    for (from.take_batch(batch); !batch.empty(); from.take_batch(batch)) {
      to.feed(batch);
      for (;;) {
        SP_TRY(auto event, to.next());
        if (!event) break;
        if (event->kind == MuxEvent::Kind::opened) purpose = as_text(event->payload);
        events.push_back(*event);
      }
    }
    return events;
  }
  // Until nothing moves any more.
  void settle() {
    for (bool moved = true; moved;) {
      auto there = carry(agent, relay, purpose);
      REQUIRE(there);
      for (auto& event : *there) seen_by_relay.push_back(event.kind);
      auto back = carry(relay, agent, purpose);
      REQUIRE(back);
      moved = agent.has_output() || relay.has_output();
    }
  }
};

// 0: the other side finished; absent: nothing there yet.
inline std::optional<std::size_t> read(Mux& mux, ChannelNumber channel, std::span<std::byte> into = {}) {
  const auto count = mux.read(channel, into);
  REQUIRE(count);
  return *count;
}

}  // namespace sallyport::mux
