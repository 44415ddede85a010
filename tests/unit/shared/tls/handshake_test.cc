#include "shared/async/timeout.h"
#include "tests/unit/shared/tls/meeting.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/write.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using tls::TlsStream;
namespace asio = boost::asio;
namespace reason = tls::reason;

namespace {

constexpr std::string_view kLinkOffer = "\x0bsallyport/1";

asio::awaitable<std::string> ask_for_echo(TlsStream& agent, TlsStream& relay, std::string text) {
  auto written = co_await agent.write_all(as_bytes(text));
  std::string buffer(text.size(), '\0');
  auto got = co_await relay.read_some(std::as_writable_bytes(std::span(buffer)));
  co_return written&& got ? buffer.substr(0, *got) : "failed";
}

asio::awaitable<tls::Handshake> accept_within(asio::ip::tcp::socket socket, const Pki& pki,
                                              std::chrono::milliseconds limit) {
  return tls::accept_tls(std::move(socket), relay_context(pki), std::chrono::steady_clock::now() + limit);
}

}  // namespace

ASYNC_TEST_CASE("a valid agent and the relay meet on either version", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const auto agent = pki.agent();
  for (auto version : {Version::tls12, Version::tls13}) {
    INFO(name(version));
    auto met = co_await meet(relay_context(pki), limited_to(agent_context(pki, agent), version));
    REQUIRE(met.relay);
    REQUIRE(met.agent);
    const auto& facts = (*met.relay)->facts();
    CHECK(facts.version == name(version));
    CHECK(facts.protocol == tls::kLinkProtocol);
    CHECK(facts.peer_chain.empty());  // it would be held as long as the link lives
    REQUIRE(facts.agent);
    CHECK(facts.agent->id == agent.id);
    CHECK(facts.agent->serial == agent.chain.front().serial());
    CHECK(facts.agent->key == agent.chain.front().key_pin());
    CHECK((*met.agent)->facts().peer_chain.front() == pki.server.certificate);
    CHECK_FALSE((*met.agent)->facts().agent);
    const auto echo = co_await ask_for_echo(**met.agent, **met.relay, "hello");
    CHECK(echo == "hello");
  }
}

ASYNC_TEST_CASE("the newest version and the server's first suite are what both get by default", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto met = co_await meet(relay_context(pki), agent_context(pki), "relay.test");
  REQUIRE(met.relay);
  CHECK((*met.relay)->facts().version == "TLSv1.3");
  CHECK((*met.relay)->facts().cipher == "TLS_AES_128_GCM_SHA256");
}

ASYNC_TEST_CASE("an agent that enrols shows no certificate and knows the root by its pin", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  for (auto version : {Version::tls12, Version::tls13}) {
    INFO(name(version));
    auto context = must(tls::make_enrol_client_context(pki.root.certificate.key_pin(), clock));
    auto met = co_await meet(relay_context(pki), limited_to(std::move(context), version));
    REQUIRE(met.relay);
    REQUIRE(met.agent);
    CHECK((*met.relay)->facts().protocol == tls::kEnrolProtocol);
    CHECK((*met.relay)->facts().peer_chain.empty());
    CHECK_FALSE((*met.relay)->facts().agent);
    CHECK((*met.agent)->facts().peer_chain.back() == pki.root.certificate);
    const auto echo = co_await ask_for_echo(**met.agent, **met.relay, "hello");
    CHECK(echo == "hello");
  }
}

ASYNC_TEST_CASE("both ends export the same keying material, and every session another", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  std::vector<Bytes> seen;
  for (auto version : {Version::tls12, Version::tls13, Version::tls13}) {
    auto met = co_await meet(relay_context(pki), limited_to(agent_context(pki), version));
    REQUIRE(met.relay);
    const auto here = (*met.relay)->export_keying_material("EXPORTER-sallyport-enrol-1", 32);
    const auto there = (*met.agent)->export_keying_material("EXPORTER-sallyport-enrol-1", 32);
    REQUIRE(here);
    CHECK(here == there);
    CHECK(here != (*met.agent)->export_keying_material("EXPORTER-sallyport-enrol-2", 32));
    for (const auto& other : seen) CHECK(other != *here);
    seen.push_back(*here);
  }
}

ASYNC_TEST_CASE("TLS 1.2 without extended master secret exports nothing", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto context = limited_to(agent_context(pki), Version::tls12);
  SSL_CTX_set_options(context.core()->ssl.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
  auto met = co_await meet(relay_context(pki), context);
  REQUIRE(met.relay);
  const auto material = (*met.relay)->export_keying_material("EXPORTER-sallyport-enrol-1", 32);
  REQUIRE_FALSE(material);
  CHECK(material.error().code == Errc::forbidden);
}

ASYNC_TEST_CASE("a client with old versions, weak suites or no protocol of ours is refused with the reason", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  struct Row {
    std::string_view what;
    std::string_view protocols;
    int newest;
    const char* suites;
    std::string_view reason;
  };
  const Row rows[] = {
      {"no certificate, 1.3", kLinkOffer, TLS1_3_VERSION, "ALL", reason::kNoCertificate},
      {"no certificate, 1.2", kLinkOffer, TLS1_2_VERSION, "ALL", reason::kNoCertificate},
      {"TLS 1.1", kLinkOffer, TLS1_1_VERSION, "ALL", reason::kVersion},
      {"TLS 1.0", kLinkOffer, TLS1_VERSION, "ALL", reason::kVersion},
      {"CBC", kLinkOffer, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384", reason::kCipher},
      {"RSA key exchange", kLinkOffer, TLS1_2_VERSION, "AES128-GCM-SHA256", reason::kCipher},
      {"CCM", kLinkOffer, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM", reason::kCipher},
      {"anonymous", kLinkOffer, TLS1_2_VERSION, "aNULL", reason::kCipher},
      {"no ALPN", "", TLS1_3_VERSION, "ALL", reason::kAlpn},
      {"a browser", "\x02h2\x08http/1.1", TLS1_3_VERSION, "ALL", reason::kAlpn},
      {"a later version of ours", "\x0bsallyport/2", TLS1_3_VERSION, "ALL", reason::kAlpn},
      {"another case", "\x0bSallyport/1", TLS1_3_VERSION, "ALL", reason::kAlpn},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    auto context = careless_client(clock, row.protocols);
    SSL_CTX_set_max_proto_version(context.core()->ssl.get(), row.newest);
    SSL_CTX_set_cipher_list(context.core()->ssl.get(), row.suites);
    auto met = co_await meet_to_refuse(relay_context(pki), context);
    REQUIRE_FALSE(met.relay);
    CHECK(met.relay.error().reason == row.reason);
    CHECK_FALSE(met.relay.error().error.message.empty());
    INFO(met.heard.message);
    CHECK(met.heard.code != Errc::internal);
  }
}

ASYNC_TEST_CASE("the careless client is let in for enrolment: the refusals above are not for its sake", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto met = co_await meet(relay_context(pki), careless_client(clock, "\x11sallyport-enrol/1"));
  REQUIRE(met.relay);
  CHECK((*met.relay)->facts().protocol == tls::kEnrolProtocol);
}

ASYNC_TEST_CASE("what is not TLS, ends early or says nothing is refused with the reason", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  {
    auto sockets = co_await connected_sockets();
    co_await asio::async_write(sockets.near, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: relay\r\n\r\n")),
                               asio::use_awaitable);
    auto outcome = co_await accept_within(std::move(sockets.far), pki, 10s);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().reason == reason::kProtocol);
  }
  {
    auto sockets = co_await connected_sockets();
    sockets.near.close();
    auto outcome = co_await accept_within(std::move(sockets.far), pki, 10s);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().reason == reason::kClosed);
  }
  {
    auto sockets = co_await connected_sockets();
    auto outcome = co_await accept_within(std::move(sockets.far), pki, 50ms);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().reason == reason::kTimedOut);
    CHECK(outcome.error().error.code == Errc::timed_out);
    std::array<std::byte, 8> rest{};
    const auto [error, size] =
        co_await sockets.near.async_read_some(asio::buffer(rest), asio::as_tuple(asio::use_awaitable));
    CHECK(error == asio::error::eof);
  }
}

ASYNC_TEST_CASE("a handshake whose caller is cancelled ends with that reason", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  using namespace asio::experimental::awaitable_operators;
  auto sockets = co_await connected_sockets();
  asio::steady_timer soon(co_await asio::this_coro::executor, 20ms);
  auto first = co_await (accept_within(std::move(sockets.far), pki, 10s) ||
                         soon.async_wait(asio::as_tuple(asio::use_awaitable)));
  CHECK(first.index() == 1);
}

ASYNC_TEST_CASE("an attempt to resume a session gets a full handshake", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  for (auto version : {Version::tls12, Version::tls13}) {
    INFO(name(version));
    Resumption seen;
    auto context = limited_to(agent_context(pki), version);
    seen.tempt(context);
    const auto relay = relay_context(pki);
    for (int i = 0; i < 3; ++i) {
      auto met = co_await meet(relay, context);
      REQUIRE(met.relay);
      REQUIRE(met.agent);
      CHECK((*met.relay)->facts().agent);
      const auto echo = co_await ask_for_echo(**met.agent, **met.relay, "hello");
      CHECK(echo == "hello");
    }
    CHECK(seen.handshakes == 3);
    CHECK(seen.resumed == 0);
    CHECK(seen.resumable == 0);
  }
}

TEST_CASE("contexts refuse certificates and keys that do not fit", "[tls]") {
  const SystemClock clock;
  const Pki pki(clock);
  const Pki other(clock);
  const auto agent = pki.agent();
  CHECK_FALSE(
      tls::make_server_context({pki.server.certificate, other.server.key, pki.root.certificate, "relay.test"}, clock));
  CHECK_FALSE(
      tls::make_server_context({pki.server.certificate, pki.server.key, other.root.certificate, "relay.test"}, clock));
  CHECK_FALSE(tls::make_link_client_context({{}, agent.key, pki.root.certificate}, clock));
  CHECK_FALSE(tls::make_link_client_context({agent.chain, other.agent().key, pki.root.certificate}, clock));
  CHECK_FALSE(tls::make_link_client_context({agent.chain, agent.key, agent.chain.front()}, clock));
}
