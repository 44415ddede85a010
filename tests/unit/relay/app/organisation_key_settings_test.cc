#include "relay/app/organisation_key_settings.h"

#include "relay/app/settings.h"
#include "tests/support/temp_dir.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::app;

namespace {

constexpr std::string_view kOrg = "org_01HZX0000000000000000000AB";

Result<Settings> load(std::string_view organisation_keys) {
  const test::TempDir dir;
  return load_settings(dir.write("relay.yaml", fmt::format("organisation_keys:\n{}", organisation_keys)));
}

std::string named(std::string_view rest) { return fmt::format("  named:\n    - {{{}}}\n", rest); }

std::string declared(std::string_view name, std::string_view kept) {
  return named(fmt::format("name: {}, organisation: {}, {}", name, kOrg, kept));
}

}  // namespace

TEST_CASE("where organisations may keep keys of their own is read", "[app][keys]") {
  const auto settings = load(
      fmt::format("  hosts:\n    - {{url: \"https://vault.acme.example:8200\", ca_file: /etc/ca.pem}}\n    - {{url: "
                  "\"https://kms.test\"}}\n"
                  "  named:\n"
                  "    - {{name: acme-hsm, organisation: {0}, pkcs11: {{module: /lib/m.so, token: acme, key: k, "
                  "pin_file: /pin}}}}\n"
                  "    - {{name: acme-file, organisation: {0}, file: {{path: /media/k, passphrase_file: /etc/p}}}}\n",
                  kOrg));
  REQUIRE(settings);
  const auto& keys = settings->organisation_keys;
  REQUIRE(keys.hosts.size() == 2);
  CHECK(keys.hosts[0].url == "https://vault.acme.example:8200");
  CHECK(keys.hosts[0].ca_file == "/etc/ca.pem");
  CHECK(keys.hosts[1].ca_file.empty());
  REQUIRE(keys.named.size() == 2);
  CHECK(keys.named[0].name == "acme-hsm");
  CHECK(keys.named[0].organisation == kOrg);
  const auto& token = std::get<Pkcs11KeySettings>(keys.named[0].kept);
  CHECK(token.module == "/lib/m.so");
  CHECK(token.token == "acme");
  CHECK(token.key == "k");
  CHECK(token.pin_file == "/pin");
  const auto& file = std::get<OwnKeyFileSettings>(keys.named[1].kept);
  CHECK(file.path == "/media/k");
  CHECK(file.passphrase_file == "/etc/p");
}

TEST_CASE("without a declaration organisations may keep keys in no place of the operator's", "[app][keys]") {
  const test::TempDir dir;
  const auto settings = load_settings(dir.write("relay.yaml", "{}\n"));
  REQUIRE(settings);
  CHECK(settings->organisation_keys.hosts.empty());
  CHECK(settings->organisation_keys.named.empty());
}

TEST_CASE("what is wrong with where organisations keep keys is said, and no relay starts with it", "[app][keys]") {
  const std::string file = "file: {path: /k}", token = "pkcs11: {module: /m, token: t, key: k, pin_file: /p}";
  struct Row {
    std::string text;
    std::string_view says;
  };
  const Row rows[] = {
      {"  hosts: https://vault.test\n", "hosts"},
      {"  hosts:\n    - {ca_file: /ca.pem}\n", "url"},
      {"  hosts:\n    - {url: \"https://vault.test\", insecure: true}\n", "insecure"},
      {"  elsewhere: []\n", "elsewhere"},
      {named(fmt::format("organisation: {}, {}", kOrg, file)), "name"},
      {named("name: acme, " + file), "organisation"},
      {named("name: acme, organisation: acme, " + file), "org_..."},
      {named(fmt::format("name: acme, organisation: {}", kOrg)), "one of pkcs11 and file"},
      {declared("acme", file + ", " + token), "one of pkcs11 and file"},
      {declared("Acme", file), "lower-case"},
      {declared("a/b", file), "lower-case"},
      {declared(std::string(65, 'a'), file), "lower-case"},
      {declared("acme", "file: {path: key}"), "whole path"},
      {declared("acme", "file: {passphrase_file: /p}"), "path"},
      {declared("acme", "file: {path: /k, passphrase: secret}"), "passphrase"},
      {declared("acme", "pkcs11: {module: /m, token: t, key: k}"), "pin_file"},
      {declared("acme", file) + named(fmt::format("name: acme, organisation: {}, {}", kOrg, file)).substr(9), "twice"},
  };
  for (const auto& [text, says] : rows) {
    INFO(text);
    const auto settings = load(text);
    REQUIRE(!settings);
    INFO(settings.error().message);
    CHECK(settings.error().message.find(says) != std::string::npos);
  }
  CHECK(load(declared("acme", file)));  // positive controls
  CHECK(load(declared(std::string(64, 'a'), token)));
}

TEST_CASE("so many keys are declared at most", "[app][keys]") {
  const auto hosts = [](int count) {
    std::string text = "  hosts:\n";
    for (int i = 0; i < count; ++i) text += fmt::format("    - {{url: \"https://h{}.test\"}}\n", i);
    return text;
  };
  const auto keys = [](int count) {
    std::string text = "  named:\n";
    for (int i = 0; i < count; ++i)
      text += fmt::format("    - {{name: k{}, organisation: {}, file: {{path: /k}}}}\n", i, kOrg);
    return text;
  };
  CHECK(load(hosts(64)));
  CHECK(!load(hosts(65)));
  CHECK(load(keys(256)));
  CHECK(!load(keys(257)));
}
