#include "agent/vault/redacting_vault.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::vault;

namespace {

class ChangingVault final : public Vault {
 public:
  Result<Secret> resolve(const SecretRef&) const override {
    if (value.empty()) return fail(Errc::not_found, "gone");
    return Secret::take(std::string(value));
  }
  std::uint64_t version_of(const SecretRef&) const override { return version; }
  std::string value = "first-password";
  std::uint64_t version = 3;
};

const SecretRef kPassword{SecretRef::Source::file, "/etc/sallyport/erp.password"};

}  // namespace

TEST_CASE("what a vault gave is kept out of logs, as long as the reference leads to it", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  CHECK_FALSE(redactor.redact("login with first-password refused"));  // positive control: nobody has asked for it
  CHECK(vault.resolve(kPassword)->reveal() == "first-password");
  CHECK(redactor.redact("login with first-password refused") == "login with *** refused");
  CHECK(vault.version_of(kPassword) == 3);

  inner.value = "second-password";
  CHECK(vault.resolve(kPassword)->reveal() == "second-password");
  CHECK(redactor.redact("second-password") == "***");
  CHECK_FALSE(redactor.redact("first-password"));

  inner.value.clear();
  CHECK(vault.resolve(kPassword).error().code == Errc::not_found);
  CHECK(redactor.redact("second-password") == "***");  // connections that were opened with it may still live
}

TEST_CASE("a password asked for again and again costs one place of the redactor", "[vault]") {
  ChangingVault inner;
  Redactor redactor;
  const RedactingVault vault(inner, redactor);
  for (std::size_t i = 0; i < 2 * Redactor::kMostSecrets; ++i) {
    inner.value = i % 2 == 0 ? "first-password" : "second-password";
    REQUIRE(vault.resolve(kPassword));
  }
}
