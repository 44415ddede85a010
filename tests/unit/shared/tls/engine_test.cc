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

constexpr int kSeen = 0;  // of the context's data: where note_session() leaves its session

void note_session(const SSL* ssl, int where, int) {
  if (where == SSL_CB_HANDSHAKE_DONE) {
    *static_cast<SSL**>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), kSeen)) = const_cast<SSL*>(ssl);
  }
}

struct Engines {
  explicit Engines(const Pki& pki, std::size_t grain = 1u << 20)
      : up(grain),
        down(grain),
        agent_context(sallyport::test::agent_context(pki).core()),
        relay(relay_context(pki).core(), "", up),
        agent(agent_context, "relay.test", down) {}

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
  std::shared_ptr<const tls::ContextCore> agent_context;
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

TEST_CASE("answers to key updates end the session when too many wait, whoever is to flush them", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  for (const bool flushed_in_part : {false, true}) {
    INFO("flushed in part: " << flushed_in_part);
    Engines engines(pki);
    SSL* agent = nullptr;
    SSL_CTX_set_ex_data(engines.agent_context->ssl.get(), kSeen, static_cast<void*>(&agent));
    SSL_CTX_set_info_callback(engines.agent_context->ssl.get(), note_session);
    engines.shake_hands();
    REQUIRE(agent != nullptr);
    REQUIRE(engines.relay.write(Bytes(tls::kWritePiece)));  // which the agent does not take
    const auto own = engines.relay.output().size();
    Result<TlsEngine::Got> got = TlsEngine::Got{};
    std::size_t largest = 0;
    for (int i = 0; i < 10'000 && got; ++i) {
      SSL_key_update(agent, SSL_KEY_UPDATE_REQUESTED);
      REQUIRE(engines.agent.write(as_bytes("x")));
      engines.up.take_from(engines.agent);
      std::byte buffer[16];
      got = engines.relay.read(buffer);
      if (flushed_in_part && i % 500 == 0) engines.relay.sent(engines.relay.output().size() / 2);
      largest = std::max(largest, engines.relay.output().size());
    }
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::exhausted);
    CHECK(largest <= own + tls::kMaxAnswers);
    engines.relay.sent(engines.relay.output().size());
    std::byte buffer[16];
    CHECK_FALSE(engines.relay.read(buffer));
  }
}

TEST_CASE("a peer that reads the answers may update its keys as often as it likes", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  Engines engines(pki);
  SSL* agent = nullptr;
  SSL_CTX_set_ex_data(engines.agent_context->ssl.get(), kSeen, static_cast<void*>(&agent));
  SSL_CTX_set_info_callback(engines.agent_context->ssl.get(), note_session);
  engines.shake_hands();
  for (int i = 0; i < 5'000; ++i) {
    SSL_key_update(agent, SSL_KEY_UPDATE_REQUESTED);
    REQUIRE(engines.agent.write(as_bytes("x")));
    engines.up.take_from(engines.agent);
    std::byte buffer[16];
    REQUIRE(engines.relay.read(buffer));
    engines.down.take_from(engines.relay);
    REQUIRE(engines.agent.read(buffer));
  }
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
