#include "shared/tls/client_hello.h"

#include "shared/tls/engine.h"
#include "tests/unit/shared/tls/meeting.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace sallyport::tls;

namespace {

struct Nothing final : RawSource {
  RawInput read_raw(std::span<std::byte>) override { return {}; }
};

// What a real client of that context says first.
Bytes hello_of(const ClientContext& context) {
  Nothing nothing;
  TlsEngine engine(context.core(), "relay.test", nothing);
  REQUIRE(engine.handshake() == TlsEngine::Step::want_input);
  return {engine.output().begin(), engine.output().end()};
}

std::string verdict(std::span<const std::byte> bytes) {
  const auto words = read_first_words(bytes);
  if (const auto* needed = std::get_if<MoreNeeded>(&words)) return "needs " + std::to_string(needed->bytes);
  if (std::holds_alternative<NoClientHello>(words)) return "no hello";
  std::string text = "offers";
  for (const auto& name : std::get<OfferedProtocols>(words).names) text += " " + name;
  return text;
}

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}
std::string vector_of(std::string_view content, int bytes) {
  return number(content.size(), bytes) + std::string(content);
}
std::string extension(std::size_t type, std::string_view content) { return number(type, 2) + vector_of(content, 2); }
std::string record(std::string_view payload) { return "\x16\x03\x01" + vector_of(payload, 2); }

std::string message(std::string_view extensions, std::string_view suites = "\x13\x01") {
  const auto body = "\x03\x03" + std::string(32, 'r') + vector_of("", 1) + vector_of(suites, 2) +
                    vector_of(std::string_view("\0", 1), 1) + vector_of(extensions, 2);
  return "\x01" + vector_of(body, 3);
}
std::string alpn(std::string_view names) { return extension(16, vector_of(names, 2)); }

std::string said(std::string_view text) { return verdict(as_bytes(text)); }

}  // namespace

TEST_CASE("real clients' first words tell what they offer, wherever they are cut", "[tls][hello]") {
  const SystemClock clock;
  const Pki pki(clock);
  struct Case {
    ClientContext context;
    std::string offers;
  };
  const std::vector<Case> cases{
      {agent_context(pki), "offers sallyport/1"},
      {must(make_enrol_client_context(pki.root.certificate.key_pin(), clock)), "offers sallyport-enrol/1"},
      {must(make_carrier_client_context(clock)), "offers http/1.1"},
      {careless_client(clock, "\x02h2\x08http/1.1"), "offers h2 http/1.1"},
      {careless_client(clock, ""), "offers"},
  };
  for (const auto& one : cases) {
    INFO(one.offers);
    const auto hello = hello_of(one.context);
    CHECK(verdict(hello) == one.offers);
    for (std::size_t cut = 0; cut < hello.size(); ++cut) {
      INFO("cut after byte " << cut);
      const auto words = read_first_words(std::span(hello).first(cut));
      REQUIRE(std::holds_alternative<MoreNeeded>(words));
      const auto needed = std::get<MoreNeeded>(words).bytes;
      CHECK(needed == (cut < 5 ? 5 : hello.size()));
    }
    auto longer = hello;
    longer.resize(longer.size() + 100, std::byte{0xff});
    CHECK(verdict(longer) == one.offers);
  }
}

TEST_CASE("a hello in many records is one", "[tls][hello]") {
  const auto whole = message(alpn("\x0bsallyport/1"));
  std::string wire;
  for (const char c : whole) wire += record({&c, 1});
  CHECK(said(wire) == "offers sallyport/1");
  CHECK(said(std::string_view(wire).substr(0, 6)) == "needs 11");
}

TEST_CASE("what is no hello, or a broken one, is told as soon as that is known", "[tls][hello]") {
  struct Case {
    const char* what;
    std::string wire;
  };
  const auto good = alpn("\x0bsallyport/1");
  const std::vector<Case> cases{
      {"HTTP", "GET / HTTP/1.1\r\n"},
      {"one wrong byte", "\x15"},
      {"SSL 2", std::string("\x80\x2e\x01\x03\x01", 5)},
      {"another major version", std::string("\x16\x02\x00\x00\x05", 5)},
      {"an empty record", std::string("\x16\x03\x01\x00\x00", 5)},
      {"a record over 16 KiB", std::string("\x16\x03\x01\x40\x01", 5)},
      {"a record over what is looked at", std::string("\x16\x03\x01\x40\x00", 5)},
      {"another message", record("\x02" + vector_of("x", 3))},
      {"a message over the limit", record("\x01" + number(1 << 20, 3))},
      {"ALPN twice", record(message(good + good))},
      {"an empty ALPN", record(message(alpn("")))},
      {"an empty name", record(message(alpn(std::string_view("\0", 1))))},
      {"a name over its list", record(message(alpn("\x0csallyport/1")))},
      {"bytes behind the list", record(message(extension(16, vector_of("\x0bsallyport/1", 2) + "x")))},
      {"an extension over the end", record(message(number(16, 2) + number(99, 2)))},
      {"an odd list of suites", record(message(good, "\x13\x01\x13"))},
      {"no suites", record(message(good, ""))},
      {"a message that ends early", record("\x01" + vector_of("\x03\x03", 3))},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    CHECK(said(one.wire) == "no hello");
  }
  CHECK(said(record(message(good))) == "offers sallyport/1");  // the control
}

TEST_CASE("a hello that would need more than the limit is none", "[tls][hello]") {
  std::string wire = record("\x01" + number(16'000, 3) + std::string(8'000, 'x'));
  CHECK(said(wire) == "needs " + std::to_string(wire.size() + 5));
  wire += std::string("\x16\x03\x01\x3f\xff", 5);
  CHECK(said(wire) == "no hello");
}
