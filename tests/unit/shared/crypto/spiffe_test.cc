#include "shared/crypto/spiffe.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::crypto;

namespace {

const std::string kOrg = "org_01J9Z3K4M5N6P7Q8R9S0T1V2W3";
const std::string kAgent = "agt_01J9Z3K4M5N6P7Q8R9S0T1V2W4";
const std::string kGood = "spiffe://relay.example/org/" + kOrg + "/agent/" + kAgent;

std::string with_host(const std::string& host) { return "spiffe://" + host + "/org/" + kOrg + "/agent/" + kAgent; }

}  // namespace

TEST_CASE("a SPIFFE id survives parsing and writing", "[crypto]") {
  const auto id = parse_spiffe_id(kGood);
  REQUIRE(id);
  CHECK(id->trust_domain == "relay.example");
  CHECK(id->org == OrgId(kOrg));
  CHECK(id->agent == AgentId(kAgent));
  CHECK(to_string(*id) == kGood);
  CHECK(parse_spiffe_id(with_host("r2-d2.a.b.c9")));
  CHECK(parse_spiffe_id(with_host("localhost")));
}

TEST_CASE("a SPIFFE id that is not exactly ours is refused", "[crypto]") {
  const std::string rows[] = {
      "",
      "spiffe://",
      "spiffe:///org/" + kOrg + "/agent/" + kAgent,
      "SPIFFE://relay.example/org/" + kOrg + "/agent/" + kAgent,
      "https://relay.example/org/" + kOrg + "/agent/" + kAgent,
      with_host("Relay.example"),
      with_host("relay.example:443"),
      with_host("user@relay.example"),
      with_host("relay..example"),
      with_host(".relay.example"),
      with_host("relay.example."),
      with_host("-relay.example"),
      with_host("relay-.example"),
      with_host("relay_1.example"),
      with_host("rel%61y.example"),
      with_host(std::string(64, 'a')),
      with_host(std::string("relay\0.example", 14)),
      kGood + "/",
      kGood + "?",
      kGood + "?a=b",
      kGood + "#f",
      kGood + " ",
      " " + kGood,
      kGood + std::string(1, '\0'),
      "spiffe://relay.example//org/" + kOrg + "/agent/" + kAgent,
      "spiffe://relay.example/org//agent/" + kAgent,
      "spiffe://relay.example/org/" + kOrg + "/agent/",
      "spiffe://relay.example/org/" + kOrg,
      "spiffe://relay.example/org/" + kOrg + "/user/" + kAgent,
      "spiffe://relay.example/org/" + kAgent + "/agent/" + kOrg,
      "spiffe://relay.example/org/" + kOrg + "/agent/%61gt_01J9Z3K4M5N6P7Q8R9S0T1V2W4",
      "spiffe://relay.example/org/org_01j9z3k4m5n6p7q8r9s0t1v2w3/agent/" + kAgent,
      "spiffe://relay.example/org/../org/" + kOrg + "/agent/" + kAgent,
  };
  for (const auto& text : rows) {
    INFO(text);
    const auto id = parse_spiffe_id(text);
    REQUIRE_FALSE(id);
    CHECK(id.error().code == Errc::invalid);
  }
}

TEST_CASE("a SPIFFE id cut at every byte is refused", "[crypto]") {
  for (std::size_t size = 0; size < kGood.size(); ++size) CHECK_FALSE(parse_spiffe_id(kGood.substr(0, size)));
}

TEST_CASE("a trust domain has at most 253 characters", "[crypto]") {
  std::string longest;
  while (longest.size() < 250) longest += "a.";
  longest.pop_back();
  CHECK(is_trust_domain(longest));
  CHECK_FALSE(is_trust_domain(longest + ".aaaa"));
  CHECK_FALSE(is_trust_domain(""));
}
