// What an agent keeps to itself, looked for in every byte that it hands to TLS: its private keys and the secret of its
// enrolment string, in pieces of eight bytes, as they are, in hex and in base64. A PEM or DER of the key has such
// pieces.
#include "agent/link/enrol.h"
#include "tests/link/agent/link_rig.h"
#include "tests/support/canary.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr std::size_t kPiece = 8;
constexpr std::size_t kScalar = 32;

// The number itself, big-endian, which every form of the key contains.
std::string scalar_of(const crypto::PrivateKey& key) {
  BIGNUM* number = nullptr;
  REQUIRE(EVP_PKEY_get_bn_param(key.native(), OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1);
  std::string bytes(kScalar, 0);
  const auto size = BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(kScalar));
  BN_clear_free(number);
  REQUIRE(size == static_cast<int>(kScalar));
  return bytes;
}

// The forms in which a piece of the secret is in `heard`.
std::vector<std::string> traces(std::string_view heard, const std::string& secret) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at + kPiece <= secret.size(); at += kPiece / 2) {
    for (auto& form : Canary(secret.substr(at, kPiece)).forms_in(heard)) found.push_back(std::move(form));
  }
  return found;
}

asio::awaitable<Result<Identity>> enrol_as(LinkRig& rig, std::string text, std::string hostname) {
  EnrolSettings settings{std::move(hostname), "sallyport-agent/test"};
  co_return co_await enrol(std::move(text), std::move(settings), rig.dialer, rig.clock,
                           std::chrono::steady_clock::now() + 20s);
}

std::string reversed_lines(std::string_view pem) {  // whole lines, but not the whole text
  std::string text;
  for (std::size_t end = pem.size(); end > 0;) {
    const auto begin = pem.rfind('\n', end - 2);
    const auto from = begin == std::string_view::npos ? 0 : begin + 1;
    text += pem.substr(from, end - from);
    end = from;
  }
  return text;
}

}  // namespace

ASYNC_TEST_CASE("neither the key nor the string's secret is in what an enrolment sends", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  auto text = rig.relay.enrolment_string(1h);
  const auto parts = must(crypto::parse_enrolment_string(text));
  const auto identity = must(co_await enrol_as(rig, text, "host-1"));
  REQUIRE(rig.relay.enrol_requests == 1);
  REQUIRE(rig.relay.heard.find("host-1") != std::string::npos);
  CHECK(traces(rig.relay.heard, scalar_of(identity.key)).empty());
  CHECK(traces(rig.relay.heard, std::string(parts.secret.reveal())).empty());
  CHECK(rig.relay.heard.find(text) == std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("neither the old key nor the new one is in what a link with a renewal sends", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  const auto before = must(rig.identities.load());
  rig.start();
  bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  rig.clock.advance(std::chrono::hours(21 * 24));
  const bool renewed = co_await rig.until([&] { return rig.identities.installed == 1; });
  REQUIRE(renewed);
  rig.relay.guests[0].session->stop("cut by the test");
  ready = co_await rig.until(
      [&] { return rig.relay.guests.size() == 2 && rig.supervisor.status().state == LinkState::ready; });
  REQUIRE(ready);
  const auto after = must(rig.identities.load());
  REQUIRE(after.key.public_key_der() != before.key.public_key_der());
  const auto public_key = after.key.public_key_der();  // of the request, which the relay heard
  REQUIRE(rig.relay.heard.find(as_text(public_key)) != std::string::npos);
  CHECK(traces(rig.relay.heard, scalar_of(before.key)).empty());
  CHECK(traces(rig.relay.heard, scalar_of(after.key)).empty());
  co_await rig.finish();
}

ASYNC_TEST_CASE("positive control: a planted key or secret is found in each form", "[link]") {
  LinkRig rig(co_await asio::this_coro::executor);
  const auto planted = must(crypto::PrivateKey::generate());
  const auto scalar = scalar_of(planted);
  const std::string pem(planted.to_pem().reveal());
  auto text = rig.relay.enrolment_string(1h);
  const std::string secret(must(crypto::parse_enrolment_string(text)).secret.reveal());
  const std::vector<std::pair<std::string, std::string>> hostnames = {
      {"PEM", pem},
      {"lines of the PEM", reversed_lines(pem)},
      {"hex", "host " + hex(as_bytes(scalar))},
      {"base64", "host " + base64(as_bytes("x" + scalar))},
      {"a third of it, in hex", hex(as_bytes(scalar.substr(13, 12)))},
      {"the secret in base64url", base64url(as_bytes(secret))},
      {"half of the secret, in hex", hex(as_bytes(secret.substr(0, 16)))},
      {"the string itself", text},
  };
  for (const auto& [what, hostname] : hostnames) {
    INFO(what);
    rig.relay.heard.clear();
    const auto enrolled = co_await enrol_as(rig, text, hostname);
    REQUIRE(enrolled);
    const bool of_key = what.find("secret") == std::string::npos && what != "the string itself";
    CHECK_FALSE(traces(rig.relay.heard, of_key ? scalar : secret).empty());
  }
  rig.relay.heard.clear();
  rig.work.summary = "{\"planted\":\"" + base64(as_bytes(scalar)) + "\"}";  // in the Hello of a link
  rig.start();
  const bool ready = co_await rig.until_ready();
  REQUIRE(ready);
  CHECK_FALSE(traces(rig.relay.heard, scalar).empty());
  co_await rig.finish();
}

TEST_CASE("positive control: raw bytes, PKCS#8 and any eleven bytes in a row are found", "[link]") {
  const auto key = must(crypto::PrivateKey::generate());
  const auto scalar = scalar_of(key);
  unsigned char* der = nullptr;
  const auto size = i2d_PrivateKey(key.native(), &der);
  REQUIRE(size > 0);
  const std::string encoded(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  CHECK_FALSE(traces("in front " + encoded, scalar).empty());
  for (std::size_t at = 0; at + 11 <= scalar.size(); ++at) {
    INFO("from byte " << at);
    CHECK_FALSE(traces("in front " + scalar.substr(at, 11) + " behind", scalar).empty());
  }
  CHECK(traces("in front and behind", scalar).empty());
}
