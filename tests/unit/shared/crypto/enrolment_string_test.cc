#include "shared/crypto/enrolment_string.h"

#include "shared/base/text.h"
#include "shared/crypto/new_id.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;

namespace {

EnrolmentString sample() {
  EnrolmentString parts;
  parts.relay_host = "relay.example";
  parts.relay_port = 8443;
  parts.root_pin = sha256("root");
  parts.token = EnrolmentId("enr_01J9Z3K4M5N6P7Q8R9S0T1V2W3");
  parts.secret = Secret::take(std::string(kEnrolmentSecretSize, 's'));
  parts.expires = from_unix_ms(1'790'000'000'123);
  parts.api_url = "https://relay.example/";
  return parts;
}

std::string text_of(const EnrolmentString& parts) { return std::string(format_enrolment_string(parts)->reveal()); }

}  // namespace

TEST_CASE("an enrolment string survives the way through a clipboard", "[crypto]") {
  const auto text = text_of(sample());
  CHECK(text.starts_with("spe1."));
  for (const auto& pasted : {text, "  " + text + "\r\n"}) {
    const auto parts = parse_enrolment_string(pasted);
    REQUIRE(parts);
    CHECK(parts->relay_host == "relay.example");
    CHECK(parts->relay_port == 8443);
    CHECK(parts->root_pin == sha256("root"));
    CHECK(parts->token == sample().token);
    CHECK(parts->secret.reveal() == sample().secret.reveal());
    CHECK(parts->expires == sample().expires);
    CHECK(parts->api_url == "https://relay.example/");
  }
}

TEST_CASE("addresses of every kind fit into an enrolment string", "[crypto]") {
  for (std::string_view host : {"127.0.0.1", "::1", "fe80::1", "a.b-c.example"}) {
    auto parts = sample();
    parts.relay_host = host;
    parts.api_url.clear();
    const auto back = parse_enrolment_string(text_of(parts));
    REQUIRE(back);
    CHECK(back->relay_host == host);
    CHECK(back->api_url.empty());
  }
}

TEST_CASE("an enrolment string cut or changed anywhere is refused as damaged", "[crypto]") {
  const auto text = text_of(sample());
  for (std::size_t size = 0; size < text.size(); ++size) REQUIRE_FALSE(parse_enrolment_string(text.substr(0, size)));
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto changed = text;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    INFO("character " << at);
    const auto parts = parse_enrolment_string(changed);
    REQUIRE_FALSE(parts);
    REQUIRE(parts.error().code == Errc::invalid);
  }
}

TEST_CASE("an enrolment string over the limit is refused unread", "[crypto]") {
  const auto parts = parse_enrolment_string("spe1." + std::string(kMaxEnrolmentString, 'A'));
  REQUIRE_FALSE(parts);
  CHECK(parts.error().code == Errc::too_large);
}

TEST_CASE("an enrolment string with a right checksum and wrong content is refused", "[crypto]") {
  struct Row {
    std::string_view what;
    void (*spoil)(EnrolmentString&);
  };
  const Row rows[] = {
      {"relay address", [](EnrolmentString& p) { p.relay_host = ""; }},
      {"relay address", [](EnrolmentString& p) { p.relay_host = "relay example"; }},
      {"relay address", [](EnrolmentString& p) { p.relay_host = std::string(254, 'a'); }},
      {"relay address", [](EnrolmentString& p) { p.relay_port = 0; }},
      {"token id", [](EnrolmentString& p) { p.token = EnrolmentId("enr_1"); }},
      {"secret", [](EnrolmentString& p) { p.secret = Secret::take(std::string(31, 's')); }},
      {"API address", [](EnrolmentString& p) { p.api_url = "ftp://relay.example"; }},
      {"API address", [](EnrolmentString& p) { p.api_url = "https://relay.example/\n"; }},
      {"API address", [](EnrolmentString& p) { p.api_url = "https://" + std::string(250, 'a'); }},
  };
  for (const auto& row : rows) {
    auto parts = sample();
    row.spoil(parts);
    const auto text = format_enrolment_string(parts);
    REQUIRE_FALSE(text);
    CHECK(text.error().message.find(row.what) != std::string::npos);
  }
}

TEST_CASE("a payload with its checksum but a wrong length is refused", "[crypto]") {
  const auto good = from_base64url(text_of(sample()).substr(5));
  const std::string body(as_text(*good).substr(0, good->size() - 4));
  for (const auto& spoiled : {body + "x", body.substr(0, body.size() - 1), std::string(), std::string(80, '\xff')}) {
    const auto whole = spoiled + std::string(as_text(sha256(spoiled)).substr(0, 4));
    const auto parts = parse_enrolment_string("spe1." + base64url(as_bytes(whole)));
    REQUIRE_FALSE(parts);
    CHECK(parts.error().code == Errc::invalid);
  }
}

TEST_CASE("an error about an enrolment string never shows its secret", "[crypto]") {
  auto text = text_of(sample());
  text.back() = text.back() == 'A' ? 'B' : 'A';
  const auto parts = parse_enrolment_string(text);
  REQUIRE_FALSE(parts);
  CHECK(parts.error().message.find("ssss") == std::string::npos);
  CHECK(parts.error().message.find(text.substr(5, 10)) == std::string::npos);
}

TEST_CASE("the proof depends on the secret, the session and the request", "[crypto]") {
  const auto secret = Secret::take(std::string(32, 's'));
  const auto proof = enrolment_proof(secret, as_bytes("exporter"), as_bytes("csr"));
  CHECK(proof == enrolment_proof(secret, as_bytes("exporter"), as_bytes("csr")));
  CHECK(proof != enrolment_proof(secret, as_bytes("exporteR"), as_bytes("csr")));
  CHECK(proof != enrolment_proof(secret, as_bytes("exporter"), as_bytes("csR")));
  CHECK(proof != enrolment_proof(Secret::take(std::string(32, 't')), as_bytes("exporter"), as_bytes("csr")));
}
