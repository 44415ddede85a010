#include "relay/keys/sealed_record.h"

#include "shared/base/json.h"
#include "shared/crypto/random.h"
#include "tests/support/pki.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>
#include <map>

using namespace sallyport;
using namespace sallyport::keys;
using sallyport::test::must;

namespace {

const std::map<std::string, KeyClass> kClasses = {{"standing", KeyClass::standing},
                                                  {"payload", KeyClass::payload},
                                                  {"logs", KeyClass::logs},
                                                  {"transient", KeyClass::transient}};

struct Case {
  Bytes inner = crypto::random_bytes(32);
  Bytes outer = crypto::random_bytes(32);
  SealHeader header{.key = KeyClass::payload, .global = 7, .inner = 0};
  RecordIdentity identity{OrgId("org_a"), "steps", "output", "job_1/upsert/1", KeyClass::payload, JobId("job_1")};

  SealKeys keys() const { return {inner, outer}; }
  Bytes seal(std::string_view text) {
    crypto::fill_random(header.salt);
    return must(seal_record(keys(), header, identity, as_bytes(text)));
  }
  Result<Secret> open(const Bytes& sealed, const RecordIdentity& as) const {
    SP_TRY(const auto record, split_sealed(sealed));
    return open_record(keys(), record, as);
  }
};

}  // namespace

TEST_CASE("what was sealed opens for the same record", "[keys][envelope]") {
  Case one;
  for (const std::string& text : {std::string(), std::string("x"), std::string("a\0b", 3), std::string(100'000, 'z')}) {
    INFO(text.size() << " bytes");
    const auto sealed = one.seal(text);
    CHECK(sealed.size() == text.size() + kSealedOverhead);
    const auto opened = one.open(sealed, one.identity);
    REQUIRE(opened);
    CHECK(opened->reveal() == text);
  }
}

TEST_CASE("aad_swap: a field of any identity opens under no other one", "[keys][envelope]") {
  std::vector<RecordIdentity> all;
  for (const auto* org : {"org_a", "org_b"}) {
    for (const auto* table : {"steps", "jobs", "output"}) {
      for (const auto* column : {"output", "input", "steps"}) {
        for (const auto* record : {"job_1/a/1", "job_1/a/2", "job_1/b/1", "job_2/a/1", "job_1/1/2", ""}) {
          for (const auto* job : {"job_1", "job_2", ""}) {
            all.push_back({OrgId(org), table, column, record, KeyClass::payload, JobId(job)});
          }
        }
      }
    }
  }
  Case one;
  std::size_t opened = 0;
  for (const auto& sealed_as : all) {
    one.identity = sealed_as;
    const auto sealed = one.seal("payload");
    for (const auto& opened_as : all) opened += one.open(sealed, opened_as).has_value() ? 1u : 0u;
  }
  CHECK(opened == all.size());  // each as what it is: the control, and nothing else
  CHECK(all.size() > 300);
}

TEST_CASE("every bit of a sealed field counts", "[keys][envelope]") {
  Case one;
  const auto sealed = one.seal("payload");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    INFO("bit " << bit);
    const auto opened = one.open(changed, one.identity);
    REQUIRE(!opened);
    CHECK(opened.error().code == Errc::invalid);
    CHECK(opened.error().message.find("payload") == std::string::npos);
  }
  CHECK(one.open(sealed, one.identity));
}

TEST_CASE("one of the two keys alone opens nothing, and a cut field neither", "[keys][envelope]") {
  Case one, other;
  const auto sealed = one.seal("payload");
  other.inner = one.inner;
  CHECK(!other.open(sealed, one.identity));
  other.inner = other.outer;
  other.outer = one.outer;
  CHECK(!other.open(sealed, one.identity));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    CHECK(!one.open(Bytes(sealed.begin(), sealed.begin() + static_cast<std::ptrdiff_t>(size)), one.identity));
  }
}

TEST_CASE("versions and classes that are not known are refused", "[keys][envelope]") {
  Case one;
  auto sealed = one.seal("payload");
  for (int value = 0; value < 256; ++value) {
    auto changed = sealed;
    changed[0] = static_cast<std::byte>(value);
    CHECK(split_sealed(changed).has_value() == (value == 2));
    changed = sealed;
    changed[1] = static_cast<std::byte>(value);
    CHECK(split_sealed(changed).has_value() == (value <= 4));
  }
}

TEST_CASE("another implementation seals to the same bytes", "[keys][envelope][vectors]") {
  std::ifstream in("tests/vectors/envelope.json");
  const auto cases = must(parse_json(std::string{std::istreambuf_iterator<char>(in), {}}));
  REQUIRE(cases.as_list().size() == 4);
  for (const auto& vector : cases.as_list()) {
    const auto text = [&](const char* name) { return vector.find(name)->as_string(); };
    const auto bytes = [&](const char* name) { return must(from_hex(text(name))); };
    INFO(text("class"));
    const RecordIdentity identity{OrgId(text("org")),         text("table"),     text("column"), text("record"),
                                  kClasses.at(text("class")), JobId(text("job"))};
    SealHeader header{.key = identity.key,
                      .global = static_cast<std::uint32_t>(vector.find("global")->as_int()),
                      .inner = static_cast<std::uint32_t>(vector.find("inner")->as_int())};
    std::ranges::copy(bytes("salt"), header.salt.begin());
    const auto inner = bytes("inner_key"), outer = bytes("outer_key"), plaintext = bytes("plaintext");
    const auto sealed = must(seal_record({inner, outer}, header, identity, plaintext));
    CHECK(hex(sealed) == text("sealed"));
    const auto opened = must(open_record({inner, outer}, must(split_sealed(sealed)), identity));
    CHECK(std::ranges::equal(as_bytes(opened.reveal()), plaintext));
  }
}
