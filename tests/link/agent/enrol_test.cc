#include "agent/link/enrol.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/mux/frame.h"
#include "tests/link/agent/link_rig.h"
#include "tests/link/agent/tinyproxy.h"
#include "tests/support/memory_stream.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

struct Desk {
  explicit Desk(asio::any_io_executor executor) : relay(executor, pki, clock) {}
  asio::awaitable<Result<Identity>> ask(std::string text, std::string proxy = "none") {
    const Dialer dialer(co_await asio::this_coro::executor, std::move(proxy), process_environment);
    EnrolSettings settings{"host-1", "sallyport-agent/test"};
    co_return co_await enrol(std::move(text), std::move(settings), dialer, clock,
                             std::chrono::steady_clock::now() + 20s);
  }
  MovableClock clock;
  Pki pki{clock};
  TestRelay relay;
};

}  // namespace

ASYNC_TEST_CASE("one string makes an identity that links", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  const TempDir dir;
  FileIdentityStore store(dir.path("identity.pem"));
  EnrolSettings settings{"host-1", "sallyport-agent/test"};
  const auto identity = co_await enrol(rig.relay.enrolment_string(1h), std::move(settings), rig.dialer, rig.clock,
                                       std::chrono::steady_clock::now() + 20s);
  REQUIRE(identity);
  CHECK(identity->group == "dc1");
  CHECK(identity->relay == rig.relay.endpoint());
  REQUIRE(store.install(*identity));
  must(rig.identities.install(must(store.load())));
  rig.start();
  const bool ready = co_await rig.until_ready();
  CHECK(ready);
  CHECK(rig.relay.guests[0].id == identity->id);
  co_await rig.finish();
}

ASYNC_TEST_CASE("enrolment goes through a real proxy", "[link]") {
  Desk desk(co_await asio::this_coro::executor);
  const Tinyproxy proxy(desk.relay.endpoint().port);
  const auto identity = co_await desk.ask(desk.relay.enrolment_string(1h), proxy.url());
  CHECK(identity.has_value());
  co_await desk.relay.finish();
}

ASYNC_TEST_CASE("a string that cannot work is refused before anything is sent", "[link]") {
  Desk desk(co_await asio::this_coro::executor);
  auto wrong_pin = desk.pki.root.certificate.key_pin();
  wrong_pin[0] ^= std::byte{1};
  struct Case {
    std::string what;
    std::string text;
    Errc code;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"not one", "spe1.nonsense", Errc::invalid, ""},
      {"empty", "", Errc::invalid, ""},
      {"expired", desk.relay.enrolment_string(-1s), Errc::unauthenticated, "expired at"},
      {"another root", desk.relay.enrolment_string(1h, wrong_pin), Errc::unauthenticated, "tls.wrong_pin"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    const auto identity = co_await desk.ask(one.text);
    REQUIRE_FALSE(identity);
    CAPTURE(identity.error().message);
    CHECK(identity.error().code == one.code);
    CHECK(identity.error().message.find(one.fragment) != std::string::npos);
  }
  CHECK(desk.relay.enrol_requests == 0);
  co_await desk.relay.finish();
}

ASYNC_TEST_CASE("what the relay says instead of a certificate reaches the operator", "[link]") {
  Desk desk(co_await asio::this_coro::executor);
  for (const auto& [code, errc] : {std::pair{"used", Errc::unauthenticated}, std::pair{"overloaded", Errc::unavailable},
                                   std::pair{"csr", Errc::invalid}}) {
    desk.relay.enrol_error = code;
    const auto identity = co_await desk.ask(desk.relay.enrolment_string(1h));
    REQUIRE_FALSE(identity);
    CHECK(identity.error().code == errc);
    CHECK(identity.error().message.find(code) != std::string::npos);
  }
  co_await desk.relay.finish();
}

ASYNC_TEST_CASE("an answer that is none is refused", "[link]") {
  Desk desk(co_await asio::this_coro::executor);
  const std::vector<Bytes> answers = {Bytes(20, std::byte{0xff}),
                                      {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}, std::byte{1},
                                       std::byte{0}, std::byte{0}, std::byte{1}, std::byte{7}}};
  for (const auto& answer : answers) {
    desk.relay.enrol_garbage = answer;
    const auto identity = co_await desk.ask(desk.relay.enrolment_string(1h));
    CHECK_FALSE(identity);
  }
  co_await desk.relay.finish();
}

namespace {

struct Spoken {
  std::string what;
  Bytes bytes;
  std::string fragment;
};

// A relay in memory that says `answer`, whatever it is asked, and closes.
asio::awaitable<Result<Identity>> enrol_with_answer(crypto::EnrolmentString& parts, Bytes answer) {
  auto line = memory_line(co_await asio::this_coro::executor);
  const auto said = co_await line.b->write_all(answer);
  REQUIRE(said);
  line.b_to_a->closed = true;
  line.b_to_a->touch();
  EnrolSettings settings{"host-1", "sallyport-agent/test"};
  co_return co_await enrol_over(*line.a, parts, std::move(settings), Bytes(crypto::kEnrolmentExporterSize));
}

Bytes control_frame(std::string_view payload) {
  Bytes wire;
  mux::append_frame(wire, {0, mux::FrameType::control, as_bytes(payload)});
  return wire;
}

// As good as an answer can be, but for another agent's key.
Bytes whole_answer(const Pki& pki) {
  const auto agent = pki.agent();
  v1::EnrolResponse response;
  response.set_org_id(agent.id.org.value);
  response.set_agent_id(agent.id.agent.value);
  response.set_trust_domain(agent.id.trust_domain);
  response.set_group("dc1");
  response.set_certificate_der(std::string(as_text(agent.chain[0].der())));
  response.add_chain_der(std::string(as_text(agent.chain[1].der())));
  response.set_root_der(std::string(as_text(pki.root.certificate.der())));
  return control_frame(response.SerializeAsString());
}

crypto::EnrolmentString string_of(const Pki& pki) {
  crypto::EnrolmentString parts;
  parts.relay_host = "relay.test";
  parts.relay_port = 443;
  parts.root_pin = pki.root.certificate.key_pin();
  parts.secret = Secret::take(std::string(crypto::kEnrolmentSecretSize, 's'));
  return parts;
}

}  // namespace

ASYNC_TEST_CASE("an answer cut at any byte is no identity, and the error says what to do", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto parts = string_of(pki);
  const auto whole = whole_answer(pki);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    const auto identity =
        co_await enrol_with_answer(parts, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
    REQUIRE_FALSE(identity);
    REQUIRE(identity.error().code == Errc::unavailable);
    REQUIRE(identity.error().message.find("did not arrive") != std::string::npos);
    REQUIRE(identity.error().message.find("ask for a new enrolment string") != std::string::npos);
  }
  const auto identity = co_await enrol_with_answer(parts, whole);  // positive control: whole, it is judged
  REQUIRE_FALSE(identity);
  CHECK(identity.error().message.find("the certificate is for another key") != std::string::npos);
}

ASYNC_TEST_CASE("answers that are too long or bent say what is wrong with them", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  auto parts = string_of(pki);
  const auto whole = whole_answer(pki);
  const auto frame_of = [](std::uint32_t channel, std::uint32_t type, std::uint32_t length) {
    Bytes header;
    mux::append_u32(header, channel);
    mux::append_u32(header, type << 24 | length);
    return header;
  };
  v1::EnrolResponse chatty;
  chatty.set_error_code("used");
  chatty.set_error_message("\x1b[2J" + std::string(60'000, 'x'));
  const std::vector<Spoken> answers = {
      {"a length over the limit", frame_of(0, 1, (64u << 10)), "P4.3"},
      {"the longest length there is", frame_of(0, 1, 0xffffff), "P4.3"},
      {"an unknown type", frame_of(0, 77, 1), "P4.2"},
      {"an empty control frame", frame_of(0, 1, 0), "P4.3"},
      {"data", frame_of(0, 3, 1), "did not arrive"},
      {"no protobuf", control_frame("\xff\xff\xff"), "not an EnrolResponse"},
      {"a web page",
       Bytes(as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n").begin(), as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n").end()),
       "P4"},
      {"a refusal of 60 KB", control_frame(chatty.SerializeAsString()), "(used)"},
      {"an empty answer", control_frame(std::string("\x08\x00", 2)), ""},
  };
  for (const auto& one : answers) {
    INFO(one.what);
    const auto identity = co_await enrol_with_answer(parts, one.bytes);
    REQUIRE_FALSE(identity);
    CAPTURE(identity.error().message);
    CHECK(identity.error().message.find(one.fragment) != std::string::npos);
    CHECK(identity.error().message.size() < 1'000);
    CHECK(identity.error().message.find('\x1b') == std::string::npos);
  }
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    INFO("byte " << at);
    auto bent = whole;
    bent[at] ^= std::byte{0x10};
    const auto identity = co_await enrol_with_answer(parts, std::move(bent));
    REQUIRE_FALSE(identity);
    REQUIRE_FALSE(identity.error().message.empty());
  }
}

TEST_CASE("an answer whose parts do not fit is refused", "[link]") {
  const SystemClock clock;
  const Pki pki(clock);
  const Pki foreign(clock);
  crypto::EnrolmentString parts;
  parts.relay_host = "relay.test";
  parts.relay_port = 443;
  parts.root_pin = pki.root.certificate.key_pin();
  auto fill = [](const Pki& from, const AgentKeyPair& agent) {
    v1::EnrolResponse response;
    response.set_org_id(agent.id.org.value);
    response.set_agent_id(agent.id.agent.value);
    response.set_trust_domain(agent.id.trust_domain);
    response.set_group("dc1");
    response.set_certificate_der(std::string(as_text(agent.chain[0].der())));
    response.add_chain_der(std::string(as_text(agent.chain[1].der())));
    response.set_root_der(std::string(as_text(from.root.certificate.der())));
    return response;
  };
  struct Case {
    std::string what;
    std::function<void(v1::EnrolResponse&)> bend;
  };
  const std::vector<Case> cases = {
      {"another root", [&](auto& r) { r.set_root_der(std::string(as_text(foreign.root.certificate.der()))); }},
      {"another issuer", [&](auto& r) { r.set_chain_der(0, std::string(as_text(foreign.issuer.certificate.der()))); }},
      {"another agent's id", [&](auto& r) { r.set_agent_id(pki.agent().id.agent.value); }},
      {"an id that is none", [&](auto& r) { r.set_agent_id("agt_../x"); }},
      {"no certificate", [&](auto& r) { r.clear_certificate_der(); }},
      {"no chain", [&](auto& r) { r.clear_chain_der(); }},
      {"a group that forges a line", [&](auto& r) { r.set_group("dc1\nrelay: evil:443"); }},
      {"another key's certificate",
       [&](auto& r) { r.set_certificate_der(std::string(as_text(pki.agent().chain[0].der()))); }},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    auto agent = pki.agent();
    auto response = fill(pki, agent);
    one.bend(response);
    CHECK_FALSE(accept_enrolment(response, parts, std::move(agent.key)));
  }
  auto agent = pki.agent();
  const auto response = fill(pki, agent);
  CHECK(accept_enrolment(response, parts, std::move(agent.key)));
}
