#include "shared/sealing/system_key.h"

#include "shared/base/json.h"
#include "shared/sealing/limits.h"
#include "tests/support/pki.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::sealing;
using test::must;

namespace {

Credentials one(std::string_view name, std::string value) {
  Credentials credentials;
  credentials.emplace(name, Secret::take(std::move(value)));
  return credentials;
}

const SealedFor kBinding{OrgId("org_a"), GroupId("grp_a"), "erp-db", 3, AgentId("agt_a"), 2};

}  // namespace

TEST_CASE("credentials open at the agent that they were sealed to", "[sealing]") {
  const auto agent = must(crypto::PrivateKey::generate());
  const auto to = must(crypto::PublicKey::from_point(agent.public_point()));
  auto credentials = one("password", "s3cret");
  credentials.emplace("user", Secret::take("erp"));
  const auto sealed = must(seal_credentials(to, kBinding, credentials));
  const auto opened = must(open_credentials(agent, kBinding, sealed));
  REQUIRE(names_of(opened) == std::vector<std::string>{"password", "user"});
  CHECK(opened.at("password").reveal() == "s3cret");
  CHECK(opened.at("user").reveal() == "erp");
  CHECK(as_text(sealed).find("s3cret") == std::string_view::npos);

  const auto stranger = must(crypto::PrivateKey::generate());
  CHECK_FALSE(open_credentials(stranger, kBinding, sealed));
}

TEST_CASE("a system key opens as nothing else than what it was sealed as", "[sealing]") {
  const auto agent = must(crypto::PrivateKey::generate());
  const auto to = must(crypto::PublicKey::from_point(agent.public_point()));
  const auto sealed = must(seal_credentials(to, kBinding, one("password", "s3cret")));
  auto other = kBinding;
  REQUIRE(open_credentials(agent, other, sealed));

  SECTION("another organisation's") { other.org = OrgId("org_b"); }
  SECTION("another group's") { other.group = GroupId("grp_b"); }
  SECTION("another name") { other.name = "erp-test"; }
  SECTION("an older version") { other.version = 2; }
  SECTION("a newer version") { other.version = 4; }
  SECTION("another agent's") { other.agent = AgentId("agt_b"); }
  SECTION("another generation of the key") { other.generation = 3; }
  SECTION("bytes moved between two names") {
    other.group = GroupId("grp_aerp");
    other.name = "-db";
  }
  CHECK_FALSE(open_credentials(agent, other, sealed));
}

TEST_CASE("a system key that was changed at any byte does not open", "[sealing]") {
  const auto agent = must(crypto::PrivateKey::generate());
  const auto to = must(crypto::PublicKey::from_point(agent.public_point()));
  const auto sealed = must(seal_credentials(to, kBinding, one("password", "s3cret")));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    INFO("byte " << at);
    auto changed = sealed;
    changed[at] ^= std::byte{1};
    REQUIRE_FALSE(open_credentials(agent, kBinding, changed));
    REQUIRE_FALSE(open_credentials(agent, kBinding, std::span(sealed).first(at)));
  }
}

TEST_CASE("what other software sealed as HPKE says opens, and what it put in must be credentials", "[sealing]") {
  const auto agent = must(crypto::PrivateKey::generate());
  const auto to = must(crypto::PublicKey::from_point(agent.public_point()));
  Bytes aad;  // docs/envelope.md, written down here once more
  for (const std::string text : {"org_a", "grp_a", "erp-db"}) {
    const auto size = *from_hex("000000");
    aad.insert(aad.end(), size.begin(), size.end());
    aad.push_back(static_cast<std::byte>(text.size()));
    aad.insert(aad.end(), as_bytes(text).begin(), as_bytes(text).end());
  }
  const auto rest = *from_hex(
      "0000000000000003"
      "00000005"
      "6167745f61"
      "00000002");
  aad.insert(aad.end(), rest.begin(), rest.end());
  Bytes plaintext = *from_hex(
      "010870617373776f726400067333637265"
      "74");
  plaintext.resize(256);
  const auto sealed = must(crypto::hpke_seal(to, plaintext, {as_bytes("sallyport/1/system-key"), aad}));
  CHECK(must(open_credentials(agent, kBinding, sealed)).at("password").reveal() == "s3cret");

  plaintext.back() = std::byte{1};  // padding that is none
  const auto odd = must(crypto::hpke_seal(to, plaintext, {as_bytes("sallyport/1/system-key"), aad}));
  CHECK_FALSE(open_credentials(agent, kBinding, odd));
}

TEST_CASE("the length of what is sealed tells little of the password's", "[sealing]") {
  const auto agent = must(crypto::PrivateKey::generate());
  const auto to = must(crypto::PublicKey::from_point(agent.public_point()));
  const auto size = [&](std::size_t length) {
    return must(seal_credentials(to, kBinding, one("password", std::string(length, 'x')))).size();
  };
  CHECK(size(1) == size(200));
  CHECK(size(1) == 256 + crypto::kHpkeOverhead);
  CHECK(size(300) == 512 + crypto::kHpkeOverhead);
}

TEST_CASE("values have names and bounds", "[sealing]") {
  CHECK(is_key_name("erp-db"));
  for (const auto* name : {"", "ERP", "9lives", "-a", "a-", "a b", "a_b", "ä"}) CHECK_FALSE(is_key_name(name));
  CHECK_FALSE(is_key_name(std::string(65, 'a')));

  CHECK_FALSE(format_credentials({}));
  CHECK_FALSE(format_credentials(one("password", "")));
  CHECK_FALSE(format_credentials(one("Password", "x")));
  CHECK_FALSE(format_credentials(one("password", "\xff")));
  CHECK(format_credentials(one("password", std::string(kMostValue, 'x'))));
  CHECK(format_credentials(one("password", std::string(kMostValue + 1, 'x'))).error().code == Errc::too_large);
  Credentials many;
  for (int i = 0; i < 3; ++i) many.emplace("v" + std::to_string(i), Secret::take(std::string(kMostValue, 'x')));
  CHECK(format_credentials(many).error().code == Errc::too_large);
  Credentials numerous;
  for (std::size_t i = 0; i <= kMostValues; ++i) numerous.emplace("v" + std::to_string(i), Secret::take("x"));
  CHECK(format_credentials(numerous).error().code == Errc::too_large);
}

TEST_CASE("a JSON object of texts is read as credentials, and no message repeats a value", "[sealing]") {
  const auto read = [](std::string_view text) { return read_json_credentials(Secret::take(std::string(text))); };
  const auto good = must(read(R"({"user": "erp", "password": "s3cr\u0065t"})"));
  CHECK(good.at("password").reveal() == "s3cret");
  for (const auto* text : {"", "s3cret", "[\"s3cret\"]", R"({"password": 1})", R"({"password": {"a": "s3cret"}})",
                           R"({"s3cret!": "s3cret"})", R"({"password": "s3cret", "password": "s3cret"})"}) {
    INFO(text);
    const auto bad = read(text);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.find("s3cret") == std::string::npos);
  }
}
