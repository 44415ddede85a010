#include "agent/vault/redacting_vault.h"

#include <catch2/catch.hpp>

#include <functional>
#include <string_view>
#include <utility>

using namespace sallyport;
using namespace sallyport::vault;

namespace {

class ChangingVault final : public Vault {
 public:
  Result<Secret> resolve(const SecretRef&) const override {
    if (value.empty()) return fail(Errc::not_found, "gone");
    auto read = Secret::take(std::string(value));
    if (const auto meanwhile = std::exchange(overtaken, nullptr)) meanwhile();
    return read;
  }
  std::uint64_t version_of(const SecretRef&) const override { return version; }
  std::string value = "first-password";
  std::uint64_t version = 3;
  mutable std::function<void()> overtaken;  // by this, between the next reading and its end
};

const SecretRef kPassword{SecretRef::Source::file, "/etc/sallyport/erp.password"};
const SecretRef kOther{SecretRef::Source::file, "/etc/sallyport/crm.password"};
const SecretRef kNew{SecretRef::Source::file, "/etc/sallyport/new.password"};
const SecretRef kLate{SecretRef::Source::file, "/etc/sallyport/late.password"};

}  // namespace

TEST_CASE("what a vault gave is kept out of logs", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  CHECK_FALSE(redactor.redact("login with first-password refused"));  // positive control: nobody has asked for it
  CHECK(vault.resolve(kPassword)->reveal() == "first-password");
  CHECK(redactor.redact("login with first-password refused") == "login with *** refused");
  CHECK(vault.version_of(kPassword) == 3);

  inner.value.clear();
  CHECK(vault.resolve(kPassword).error().code == Errc::not_found);
  CHECK(redactor.redact("first-password") == "***");  // connections that were opened with it may still live
}

TEST_CASE("a password that was replaced is hidden on, for what still uses it", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  REQUIRE(vault.resolve(kPassword));
  for (std::size_t i = 1; i < RedactingVault::kKept; ++i) {
    inner.value = "password-" + std::to_string(i);
    REQUIRE(vault.resolve(kPassword));
    CHECK(redactor.redact("first-password, " + inner.value) == "***, ***");
  }
  inner.value = "one-too-many";
  REQUIRE(vault.resolve(kPassword));
  CHECK(redactor.redact("one-too-many") == "***");
  CHECK_FALSE(redactor.redact("first-password"));
  CHECK(redactor.redact("password-1") == "***");
}

TEST_CASE("who reads a password while it changes takes nobody's out of what is hidden", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  REQUIRE(vault.resolve(kPassword));
  inner.overtaken = [&] {
    inner.value = "second-password";
    CHECK(vault.resolve(kPassword)->reveal() == "second-password");
  };
  CHECK(vault.resolve(kPassword)->reveal() == "first-password");
  CHECK(redactor.redact("first-password second-password") == "*** ***");
}

TEST_CASE("a password asked for again and again costs few places of the redactor", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  for (std::size_t i = 0; i < 2 * Redactor::kMostSecrets; ++i) {
    inner.value = i % 2 == 0 ? "first-password" : "password-" + std::to_string(i);
    REQUIRE(vault.resolve(kPassword));
  }
  CHECK(redactor.redact("first-password") == "***");  // one that is asked for again is not the oldest
}

TEST_CASE("in a full redactor older passwords make room, and the last one stays", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  REQUIRE(vault.resolve(kPassword));
  inner.value = "second-password";
  REQUIRE(vault.resolve(kPassword));
  const auto left = std::string_view("second-passwordthird-password").size();
  REQUIRE(redactor.add("job_1", Secret::take(std::string(Redactor::kMostBytes - left, 'x'))));
  inner.value = "third-password";
  CHECK(vault.resolve(kPassword)->reveal() == "third-password");
  CHECK_FALSE(redactor.redact("first-password"));
  CHECK(redactor.redact("second-password third-password") == "*** ***");

  inner.value = std::string(Redactor::kMostBytes, 'y');
  CHECK(vault.resolve(kPassword).error().code == Errc::exhausted);
  CHECK(redactor.redact("third-password") == "***");
}

TEST_CASE("in a full redactor a new reference takes the place of what was replaced longest ago", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  const auto given = [&](const SecretRef& ref, std::string value) {
    inner.value = std::move(value);
    return vault.resolve(ref).has_value();
  };
  const auto left = 4 * std::string_view("erp-1").size();
  REQUIRE(redactor.add("job_1", Secret::take(std::string(Redactor::kMostBytes - left, 'x'))));
  REQUIRE(given(kPassword, "erp-1"));
  REQUIRE(given(kOther, "crm-1"));
  REQUIRE(given(kOther, "crm-2"));
  REQUIRE(given(kPassword, "erp-2"));
  REQUIRE_FALSE(redactor.add("job_2", Secret::take("more")));  // positive control: it is full

  CHECK(given(kNew, "new-1"));
  CHECK_FALSE(redactor.redact("erp-1"));
  CHECK(redactor.redact("crm-1 crm-2 erp-2 new-1") == "*** *** *** ***");
  CHECK(given(kPassword, "erp-3"));
  CHECK_FALSE(redactor.redact("crm-1"));
  CHECK(given(kOther, "crm-3"));
  CHECK_FALSE(redactor.redact("erp-2"));
  CHECK(given(kLate, "late1"));
  CHECK_FALSE(redactor.redact("crm-2"));
  CHECK_FALSE(given(kNew, "new-2"));  // the last one of each is in use
  CHECK(redactor.redact("erp-3 crm-3 new-1 late1") == "*** *** *** ***");
  redactor.forget("job_1");
  CHECK(given(kNew, "new-2"));
}
