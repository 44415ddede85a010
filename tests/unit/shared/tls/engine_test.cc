#include "shared/tls/engine.h"

#include "tests/unit/shared/tls/meeting.h"

#include <algorithm>
#include <deque>

using namespace sallyport;
using namespace sallyport::test;
using tls::TlsEngine;

namespace {

// What one engine has sent, handed to the other at most `grain` bytes at a time.
struct Wire final : tls::RawSource {
  explicit Wire(std::size_t g) : grain(g) {}
  tls::RawInput read_raw(std::span<std::byte> into) override {
    if (bytes.empty()) return {ended ? tls::RawInput::Status::end : tls::RawInput::Status::would_block, 0};
    const auto size = std::min({into.size(), bytes.size(), grain});
    std::copy_n(bytes.begin(), size, into.begin());
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    return {tls::RawInput::Status::data, size};
  }
  void take_from(TlsEngine& engine) {
    const auto output = engine.output();
    bytes.insert(bytes.end(), output.begin(), output.end());
    engine.sent(output.size());
  }
  std::deque<std::byte> bytes;
  std::size_t grain;
  bool ended = false;
};

struct Engines {
  explicit Engines(const Pki& pki, std::size_t grain = 1u << 20)
      : up(grain),
        down(grain),
        relay(relay_context(pki).core(), "", up),
        agent(agent_context(pki).core(), "relay.test", down) {}

  void shake_hands() {
    auto agent_step = TlsEngine::Step::want_input;
    auto relay_step = TlsEngine::Step::want_input;
    for (int i = 0; i < 20'000 && (agent_step != TlsEngine::Step::done || relay_step != TlsEngine::Step::done); ++i) {
      if (agent_step != TlsEngine::Step::done) agent_step = agent.handshake();
      up.take_from(agent);
      if (relay_step != TlsEngine::Step::done) relay_step = relay.handshake();
      down.take_from(relay);
      REQUIRE(agent_step != TlsEngine::Step::failed);
      REQUIRE(relay_step != TlsEngine::Step::failed);
    }
    REQUIRE(relay_step == TlsEngine::Step::done);
  }

  Wire up;
  Wire down;
  TlsEngine relay;
  TlsEngine agent;
};

}  // namespace

TEST_CASE("a handshake and data survive arriving byte by byte", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  for (std::size_t grain : {1u, 2u, 7u, 1000u}) {
    INFO("grain " << grain);
    Engines engines(pki, grain);
    engines.shake_hands();
    REQUIRE(engines.agent.write(as_bytes("hello")));
    engines.up.take_from(engines.agent);
    std::byte buffer[16];
    const auto got = engines.relay.read(buffer);
    REQUIRE(got);
    CHECK(got->size == 5);
    CHECK(engines.relay.notes().agent);
  }
}

TEST_CASE("an engine keeps no output buffer once everything has been sent", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  Engines engines(pki);
  engines.shake_hands();
  REQUIRE(engines.agent.write(Bytes(tls::kWritePiece)));
  CHECK(engines.agent.output().size() > tls::kWritePiece);
  engines.agent.sent(10);
  CHECK(engines.agent.output().size() > tls::kWritePiece - 10);
  engines.agent.sent(engines.agent.output().size());
  CHECK(engines.agent.output().empty());
}

TEST_CASE("the end of the connection without close_notify is an error, with it the end", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  for (const bool orderly : {false, true}) {
    Engines engines(pki);
    engines.shake_hands();
    if (orderly) engines.agent.send_close_notify();
    engines.up.take_from(engines.agent);
    engines.up.ended = true;
    std::byte buffer[16];
    const auto got = engines.relay.read(buffer);
    REQUIRE(got.has_value() == orderly);
    if (got) CHECK(got->kind == TlsEngine::Got::Kind::closed);
    if (!got) CHECK(got.error().message.find("close_notify") != std::string::npos);
  }
}

TEST_CASE("a changed byte in a record ends the session", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  for (std::size_t at : {0u, 3u, 5u, 10u, 20u}) {
    INFO("byte " << at);
    Engines engines(pki);
    engines.shake_hands();
    REQUIRE(engines.agent.write(as_bytes("hello")));
    engines.up.take_from(engines.agent);
    engines.up.bytes.at(at) ^= std::byte{0x10};
    std::byte buffer[16];
    const auto got = engines.relay.read(buffer);
    const bool delivered = got && got->kind == TlsEngine::Got::Kind::data;
    CHECK_FALSE(delivered);
  }
}
