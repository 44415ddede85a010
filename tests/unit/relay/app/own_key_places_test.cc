#include "relay/app/own_key_places.h"

#include "relay/keys/master_key.h"
#include "shared/crypto/aead.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;

namespace {

const OrgId kOurs("org_ours"), kTheirs("org_theirs");
constexpr std::string_view kAws = "aws_access_key_id = AKIA\naws_secret_access_key = secret\n";

keys::OwnKeyOrder order_of(std::string kind, std::vector<std::pair<std::string, std::string>> place,
                           std::string_view credentials = "") {
  keys::OwnKeyOrder order{std::move(kind), {}, Secret::take(std::string(credentials))};
  for (auto& [name, text] : place) order.place.emplace(Value(std::move(name)), Value(std::move(text)));
  return order;
}

struct Lines final : LogSink {
  void write(std::string_view line) override { text.append(line).append("\n"); }
  std::string text;
};

std::size_t times(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

struct Declared {
  TempDir folder;
  MovableClock clock;
  Lines lines;
  Log log{lines, clock};
  OwnKeyPlaces places{{.hosts = {{"https://vault.test:8200", ""}, {"https://10.0.0.7:8443", ""}},
                       .named = {{"ours", kOurs.value, OwnKeyFileSettings{folder.path("own.key"), ""}}}},
                      clock,
                      log};
};

}  // namespace

TEST_CASE("what an organisation names over the API does not lead into the relay's host or network",
          "[app][keys][ssrf]") {
  Declared declared;
  const auto is_refused = [&](const keys::OwnKeyOrder& order, const OrgId& org = kOurs) {
    const auto made = declared.places.provider(org, order);
    return !made && (made.error().code == Errc::forbidden || made.error().code == Errc::invalid);
  };
  for (const auto* host : {"https://127.0.0.1:8200", "https://localhost", "https://[::1]:8200",
                           "https://169.254.169.254", "https://10.0.0.8:8443", "https://vault.test",
                           "https://vault.test:8201", "https://VAULT.test:8200", "https://vault.test:8200@10.0.0.8",
                           "https://vault.test:8200/../x", "http://vault.test:8200", "file:///etc/passwd", ""}) {
    INFO(host);
    CHECK(is_refused(order_of("vault", {{"address", host}, {"key", "k"}}, "token")));
    if (*host == '\0') continue;  // then it is the region's own
    CHECK(is_refused(order_of("aws_kms", {{"region", "eu-central-1"}, {"key", "k"}, {"endpoint", host}}, kAws)));
  }
  for (const auto* region : {"", "eu.evil.test/", "eu-central-1.evil", "x@evil", "EU", "a b", "x#", "x:1"}) {
    INFO(region);
    CHECK(is_refused(order_of("aws_kms", {{"region", region}, {"key", "k"}}, kAws)));
  }
  for (const auto* name : {"", "theirs", "/etc/shadow", "../ours", "own.key"}) {
    INFO(name);
    CHECK(is_refused(order_of("file", {{"name", name}})));
    CHECK(is_refused(order_of("pkcs11", {{"name", name}})));
  }
  CHECK(is_refused(order_of("pkcs11", {{"name", "ours"}})));         // is none
  CHECK(is_refused(order_of("file", {{"name", "ours"}}), kTheirs));  // is not theirs

  CHECK(
      declared.places.provider(kOurs, order_of("vault", {{"address", "https://vault.test:8200"}, {"key", "k"}}, "t")));
  CHECK(declared.places.provider(kOurs, order_of("aws_kms", {{"region", "eu-central-1"}, {"key", "k"}}, kAws)));
  CHECK(declared.places.provider(
      kOurs, order_of("aws_kms", {{"region", "x"}, {"key", "k"}, {"endpoint", "https://10.0.0.7:8443"}}, kAws)));
  CHECK(declared.places.provider(kOurs, order_of("file", {{"name", "ours"}})));
}

TEST_CASE("what is wrong with the operator's file of authorities is told to the log alone", "[app][keys]") {
  Declared declared;
  OwnKeyPlaces places({.hosts = {{"https://vault.test:8200", declared.folder.path("canary.pem")}}, .named = {}},
                      declared.clock, declared.log);
  const auto order = order_of("vault", {{"address", "https://vault.test:8200"}, {"key", "k"}}, "t");
  const auto is_refused = [&](std::string_view why) {
    for (int i = 0; i < 2; ++i) {  // is told once
      const auto made = places.provider(kOurs, order);
      REQUIRE(!made);
      CHECK(made.error().code == Errc::unavailable);
      CHECK(made.error().message.find("operator") != std::string::npos);
      CHECK(made.error().message.find("canary") == std::string::npos);
    }
    CHECK(times(declared.lines.text, why) == 1);
  };
  const auto root = must(crypto::make_root("Ours", declared.clock)).certificate.pem();
  is_refused("canary.pem: the file with the certificate authorities cannot be read");
  declared.folder.write("canary.pem", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
  is_refused("canary.pem: the file with the certificate authorities has no certificate");
  CHECK(times(declared.lines.text, "organisation_key.failed") == 2);
  declared.folder.write("canary.pem", "# ours, and theirs\n" + root + root);
  CHECK(places.provider(kOurs, order));
  CHECK(times(declared.lines.text, "organisation_key.works") == 1);
}

ASYNC_TEST_CASE("what a proxy of this host is called is not told to the organisation", "[app][keys]") {
  ::setenv("https_proxy", "http://127.0.0.1:1", 1);  // nobody is there
  Declared declared;
  const auto order = order_of("vault", {{"address", "https://vault.test:8200"}, {"key", "k"}}, "t");
  const auto provider = must(declared.places.provider(kOurs, order));
  const auto asked = co_await provider->wrap("p", crypto::new_aead_key());
  ::unsetenv("https_proxy");
  REQUIRE(!asked);
  CHECK(asked.error().code == Errc::unavailable);
  CHECK(asked.error().message.find("vault.test") != std::string::npos);
  INFO(asked.error().message);
  CHECK(asked.error().message.find("127.0.0.1") == std::string::npos);
}

ASYNC_TEST_CASE("a key in a declared file is read each time, and its owner is not told where it lies", "[app][keys]") {
  Declared declared;
  const auto file = declared.folder.path("own.key");
  const auto provider = must(declared.places.provider(kOurs, order_of("file", {{"name", "ours"}})));
  auto refused = co_await provider->wrap("p", crypto::new_aead_key());
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::not_found);
  CHECK(refused.error().message.find(file) == std::string::npos);
  CHECK(refused.error().message.find("ours") != std::string::npos);
  CHECK(times(declared.lines.text, file) == 1);
  must(keys::write_key_file(file, crypto::new_aead_key(), std::nullopt));
  const auto wrapped = must(co_await provider->wrap("p", Secret::take(std::string(32, 'x'))));
  const auto back = must(co_await provider->unwrap("p", wrapped));
  CHECK(back.reveal() == std::string(32, 'x'));
  const auto other = co_await provider->unwrap("q", wrapped);
  CHECK(!other);
  std::filesystem::remove(file);
  const auto gone = co_await provider->unwrap("p", wrapped);
  REQUIRE(!gone);
  CHECK(gone.error().code == Errc::not_found);
  CHECK(times(declared.lines.text, "organisation_key.failed") == 3);  // as often as there was something new
  CHECK(times(declared.lines.text, "organisation_key.works") == 1);
}
