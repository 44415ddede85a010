#include "relay/keys/local_envelope.h"
#include "tests/support/async_test.h"

#include <set>

using namespace sallyport;
using namespace sallyport::keys;

namespace {

const RecordIdentity kIdentity{OrgId("org_a"), "steps", "output", "job_1/upsert/1"};

struct Named {
  const char* what;
  RecordIdentity identity;
};

// Every way to pretend that a field is another one, also with the same text cut at another place.
const Named kStrangers[] = {
    {"another organisation", {OrgId("org_b"), "steps", "output", "job_1/upsert/1"}},
    {"another table", {OrgId("org_a"), "jobs", "output", "job_1/upsert/1"}},
    {"another column", {OrgId("org_a"), "steps", "input", "job_1/upsert/1"}},
    {"another record", {OrgId("org_a"), "steps", "output", "job_1/upsert/2"}},
    {"no organisation", {OrgId(""), "steps", "output", "job_1/upsert/1"}},
    {"organisation and table run together", {OrgId("org_astep"), "s", "output", "job_1/upsert/1"}},
    {"table and column run together", {OrgId("org_a"), "stepso", "utput", "job_1/upsert/1"}},
    {"column and record run together", {OrgId("org_a"), "steps", "outputj", "ob_1/upsert/1"}},
    {"table and column swapped", {OrgId("org_a"), "output", "steps", "job_1/upsert/1"}},
};

boost::asio::awaitable<Bytes> sealed_text(LocalEnvelope& envelope, std::string text) {
  auto sealed = co_await envelope.seal(kIdentity, as_bytes(text));
  REQUIRE(sealed);
  co_return *std::move(sealed);
}

}  // namespace

ASYNC_TEST_CASE("what was sealed opens for the same record", "[keys][envelope]") {
  LocalEnvelope envelope(new_master_key());
  for (const std::string& text : {std::string(), std::string("x"), std::string("a\0b", 3), std::string(100'000, 'z')}) {
    INFO(text.size() << " bytes");
    Bytes sealed = co_await sealed_text(envelope, text);
    auto opened = co_await envelope.open(kIdentity, sealed);
    REQUIRE(opened);
    CHECK(opened->reveal() == text);
    CHECK(sealed.size() == text.size() + kSealedHeaderSize + 29);
  }
}

ASYNC_TEST_CASE("a sealed field opens nowhere else", "[keys][envelope]") {
  LocalEnvelope envelope(new_master_key());
  Bytes sealed = co_await sealed_text(envelope, "payload");
  for (const Named& stranger : kStrangers) {
    INFO(stranger.what);
    auto opened = co_await envelope.open(stranger.identity, sealed);
    REQUIRE(!opened);
    CHECK(opened.error().code == Errc::invalid);
    CHECK(opened.error().message.find("payload") == std::string::npos);
  }
}

ASYNC_TEST_CASE("every flipped bit is noticed", "[keys][envelope]") {
  LocalEnvelope envelope(new_master_key());
  const Bytes sealed = co_await sealed_text(envelope, "payload");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    INFO("bit " << bit);
    Bytes changed = sealed;
    changed[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    auto opened = co_await envelope.open(kIdentity, changed);
    CHECK(!opened);
  }
}

ASYNC_TEST_CASE("every truncation and every addition is noticed", "[keys][envelope]") {
  LocalEnvelope envelope(new_master_key());
  const Bytes sealed = co_await sealed_text(envelope, "payload");
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    INFO("cut to " << size);
    auto opened = co_await envelope.open(kIdentity, std::span(sealed).first(size));
    CHECK(!opened);
  }
  Bytes longer = sealed;
  longer.push_back(std::byte{0});
  auto opened = co_await envelope.open(kIdentity, longer);
  CHECK(!opened);
}

ASYNC_TEST_CASE("the same text sealed twice has nothing in common", "[keys][envelope]") {
  LocalEnvelope envelope(new_master_key());
  std::set<Bytes> salts;
  for (int i = 0; i < 100; ++i) {
    const Bytes sealed = co_await sealed_text(envelope, "payload");
    CHECK(as_text(sealed).find("payload") == std::string_view::npos);
    auto record = split_sealed(sealed);
    REQUIRE(record);
    salts.emplace(record->salt.begin(), record->salt.end());
  }
  CHECK(salts.size() == 100);
}

ASYNC_TEST_CASE("another master key is named, not used", "[keys][envelope]") {
  LocalEnvelope envelope(new_master_key());
  LocalEnvelope other(new_master_key());
  const Bytes sealed = co_await sealed_text(envelope, "payload");
  auto opened = co_await other.open(kIdentity, sealed);
  REQUIRE(!opened);
  CHECK(opened.error().code == Errc::unavailable);  // with the right key it would open
  CHECK(opened.error().message.find(hex(split_sealed(sealed)->key)) != std::string::npos);
  CHECK(opened.error().message.find("steps.output") != std::string::npos);
}
