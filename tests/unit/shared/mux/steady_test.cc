#include "tests/support/failing_new.h"
#include "tests/unit/shared/mux/mux_pair.h"

using namespace sallyport;
using namespace sallyport::mux;

namespace {

// Everything that `from` has to say, with the batch that a link keeps.
bool carry(Mux& from, Mux& to, Batch& batch) {
  batch.clear();
  from.take_batch(batch);
  for (const auto piece : batch.pieces()) {
    to.feed(piece);
    for (;;) {
      const auto event = to.next();
      if (!event) return false;
      if (!*event) break;
    }
  }
  return true;
}

std::size_t use_all(Mux& mux, ChannelNumber channel) {
  std::size_t used = 0;
  for (auto bytes = mux.peek(channel); bytes && *bytes && !(*bytes)->empty(); bytes = mux.peek(channel)) {
    used += (*bytes)->size();
    mux.consume(channel, (*bytes)->size());
  }
  return used;
}

void fill(Mux& mux, ChannelNumber channel) {
  for (auto room = mux.prepare(channel, kDataPayload); room && room->size > 0;
       room = mux.prepare(channel, kDataPayload))
    mux.commit(channel, room->size);
}

struct Line {
  Mux agent{Side::agent}, relay{Side::relay};
  Batch there, back;
  ChannelNumber bulk = 0, small = 0;
  std::size_t used = 0;  // bytes, by the relay

  Line() {
    agent.start(MuxLimits{}.initial_window);
    relay.start(MuxLimits{}.initial_window);
    bulk = *agent.open("bulk");
    small = *agent.open("small");
  }

  // One turn: as much as credit and queue take on one channel, a word on the other, and the credit for both.
  bool turn() {
    static constexpr std::byte kWord[64] = {};
    fill(agent, bulk);
    const auto said = agent.write(small, kWord);
    if (!said || !carry(agent, relay, there)) return false;
    used += use_all(relay, bulk) + use_all(relay, small);
    return carry(relay, agent, back);
  }
};

}  // namespace

TEST_CASE("frames of channels in use take no memory", "[mux][memory]") {
  Line line;
  for (int i = 0; i < 2000; ++i) REQUIRE(line.turn());  // until both have been granted credit at one time
  const auto before = line.used;
  bool carried = true;
  const test::FailingNew no_memory(0);
  for (int i = 0; i < 1000 && carried; ++i) carried = line.turn();
  const bool asked = no_memory.has_failed();
  CHECK(carried);
  CHECK_FALSE(asked);
  CHECK(line.used - before > 1000 * kDataPayload);
}

TEST_CASE("a write that finds no memory is the fault of its channel alone", "[mux][memory]") {
  bool failed = true;
  for (std::size_t after = 0; failed; ++after) {
    REQUIRE(after < 20);
    INFO("after " << after);
    Line line;
    bool told = false;
    {
      const std::byte word[64] = {};
      const test::FailingNew no_memory(after);
      bool threw = false;
      try {
        (void)line.agent.write(line.small, word);
      } catch (const std::bad_alloc&) {
        threw = true;
      }
      failed = no_memory.has_failed();
      told = threw == failed;
    }
    CHECK(told);
    line.agent.reset(line.small, ResetCode::internal, "no memory");
    for (int i = 0; i < 3; ++i) {
      fill(line.agent, line.bulk);
      REQUIRE(carry(line.agent, line.relay, line.there));
      CHECK(use_all(line.relay, line.bulk) > 0);
      REQUIRE(carry(line.relay, line.agent, line.back));
    }
    CHECK(line.relay.peer_reset(line.small));
  }
}
