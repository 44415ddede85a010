#include "relay/app/settings.h"

#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::app;
using namespace std::chrono_literals;

namespace {

Result<Settings> load(std::string_view text) {
  const test::TempDir dir;
  return load_settings(dir.write("relay.yaml", text));
}

}  // namespace

TEST_CASE("an empty relay.yaml has the defaults", "[app]") {
  const auto settings = load("{}\n");
  REQUIRE(settings);
  CHECK(to_string(settings->api_listen) == "127.0.0.1:8443");
  CHECK(settings->api_url == "https://127.0.0.1:8443");
  CHECK(to_string(settings->link_listen) == "127.0.0.1:8444");
  CHECK(to_string(settings->link_address) == "127.0.0.1:8444");
  CHECK(settings->lease == 60s);
  CHECK(settings->failover == 60s);
  CHECK(settings->tunnel_networks == domain::default_listen_networks());
  CHECK(settings->tunnel_connections == 5'000);
  CHECK(settings->tunnel_ports == domain::PortRange{1024, 65535});
  CHECK(settings->log_level == LogLevel::info);
  CHECK(settings->logs.to == LogSettings::To::both);
  CHECK(settings->logs.most_per_hour == 64u << 20);
}

TEST_CASE("where the log goes is read", "[app][log]") {
  const std::pair<const char*, LogSettings::To> places[] = {
      {"both", LogSettings::To::both}, {"files", LogSettings::To::files}, {"stderr", LogSettings::To::standard_error}};
  for (const auto& [name, to] : places) {
    const auto settings = load("logs:\n  to: " + std::string(name) + "\n  mib_per_hour: 2\n");
    REQUIRE(settings);
    CHECK(settings->logs.to == to);
    CHECK(settings->logs.most_per_hour == 2u << 20);
  }
  for (const auto* wrong : {"logs: {to: syslog}\n", "logs: {mib_per_hour: 0}\n", "logs: {keep: 30d}\n"}) {
    INFO(wrong);
    CHECK(!load(wrong));
  }
}

TEST_CASE("every setting is read", "[app]") {
  const auto settings = load(
      "api:\n  listen: 0.0.0.0:9443\n  url: https://relay.acme.example/base\n"
      "link:\n  listen: \"[::]:9444\"\n  address: relay.acme.example:443\n"
      "jobs:\n  lease: 30s\n  failover: 2m\n"
      "tunnels:\n  listen: [127.0.0.0/8, \"2001:DB8::/32\"]\n  ports: 443-8443\n  connections: 100\nlog_level: "
      "debug\n");
  REQUIRE(settings);
  CHECK(settings->api_listen.host == "0.0.0.0");
  CHECK(settings->api_url == "https://relay.acme.example/base");
  CHECK(settings->link_listen.host == "::");
  CHECK(settings->link_address.host == "relay.acme.example");
  CHECK(settings->link_address.port == 443);
  CHECK(settings->lease == 30s);
  CHECK(settings->failover == 2min);
  CHECK(settings->tunnel_networks == std::vector<std::string>{"127.0.0.0/8", "2001:db8::/32"});
  CHECK(settings->tunnel_connections == 100);
  CHECK(settings->tunnel_ports == domain::PortRange{443, 8443});
  CHECK(settings->log_level == LogLevel::debug);
}

TEST_CASE("what init writes is what is read", "[app]") {
  Settings settings;
  settings.api_listen = {"::1", 9443};
  settings.api_url = "https://relay.acme.example:9443/a#b";
  settings.link_listen = {"0.0.0.0", 9444};
  settings.link_address = {"relay.acme.example", 443};
  settings.lease = 90s;
  settings.failover = 1h;
  settings.tunnel_networks = {"10.1.0.0/16", "fd00::/8"};
  settings.tunnel_connections = 7;
  settings.tunnel_ports = {15'000, 15'999};
  settings.log_level = LogLevel::error;
  const auto again = load(settings_text(settings));
  REQUIRE(again);
  CHECK(to_string(again->api_listen) == "[::1]:9443");
  CHECK(again->api_url == settings.api_url);
  CHECK(to_string(again->link_listen) == "0.0.0.0:9444");
  CHECK(to_string(again->link_address) == "relay.acme.example:443");
  CHECK(again->lease == 90s);
  CHECK(again->failover == 1h);
  CHECK(again->tunnel_networks == settings.tunnel_networks);
  CHECK(again->tunnel_connections == 7);
  CHECK(again->tunnel_ports == settings.tunnel_ports);
  CHECK(again->log_level == LogLevel::error);
}

TEST_CASE("people and agents have a port each, or exactly the same one", "[app]") {
  CHECK(load("api: {listen: 127.0.0.1:9443}\nlink: {listen: 127.0.0.1:9443}\n"));
  const auto settings =
      load("api: {listen: 127.0.0.1:9443, url: \"https://r:9443\"}\nlink: {listen: 0.0.0.0:9443, address: r:9443}\n");
  REQUIRE_FALSE(settings);
  CHECK_THAT(settings.error().message,
             Catch::StartsWith("relay.yaml: ") && Catch::Contains("api.listen or link.listen"));
}

TEST_CASE("what is wrong is named with line and column", "[app]") {
  struct Case {
    std::string what;
    std::string text;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"misspelt key", "api:\n  lisen: 127.0.0.1:1\n", "relay.yaml:2:3: unknown key `lisen`"},
      {"and its right name", "api:\n  lisen: 127.0.0.1:1\n", "listen"},
      {"misspelt section", "jbos: {lease: 60s}\n", "jobs"},
      {"another program's key", "tunnel: {}\n", "relay.yaml:1:1: unknown key `tunnel`"},
      {"twice", "log_level: info\nlog_level: debug\n", "relay.yaml:2:1"},
      {"a list for a map", "api: [127.0.0.1:1]\n", "relay.yaml:1:6"},
      {"a text for a map", "link: 127.0.0.1:1\n", "`link`"},
      {"a map for a text", "api: {listen: {host: a}}\n", "`listen`"},
      {"a whole list", "- a\n", "relay.yaml:1:1"},
      {"no address", "api:\n  listen: localhost\n", "relay.yaml:2:11: \"localhost\" is no address; write host:port"},
      {"port 0", "link: {listen: \"127.0.0.1:0\"}\n", "no address"},
      {"port 65536", "link: {listen: \"127.0.0.1:65536\"}\n", "no address"},
      {"no https", "api: {url: \"http://relay\"}\n", "relay.yaml:1:12: \"http://relay\" is no address of a web API"},
      {"lease too short", "jobs: {lease: 9s}\n", "relay.yaml:1:15"},
      {"lease too long", "jobs: {lease: 2h}\n", "`lease`"},
      {"no duration", "jobs: {lease: 60}\n", "`lease`"},
      {"no failover", "jobs: {failover: 0s}\n", "`failover`"},
      {"failover too long", "jobs: {failover: 25h}\n", "`failover`"},
      {"no network", "tunnels:\n  listen: [10.0.0.0/8, everywhere]\n", "relay.yaml:2:24"},
      {"bits behind the prefix", "tunnels: {listen: [10.0.0.1/8]}\n",
       "relay.yaml:1:20: bits are set behind the prefix"},
      {"a number for a network", "tunnels: {listen: [10]}\n", "relay.yaml:1:20: a network is a text"},
      {"no list of networks", "tunnels: {listen: 10.0.0.0/8}\n", "`listen`"},
      {"ports backwards", "tunnels:\n  ports: 2000-1999\n", "relay.yaml:2:10: not a range of ports"},
      {"no ports", "tunnels: {ports: \"\"}\n", "relay.yaml:1:18: not a range of ports"},
      {"a port beyond", "tunnels: {ports: 1024-65536}\n", "relay.yaml:1:18: not a range of ports"},
      {"port zero", "tunnels: {ports: 0-1024}\n", "relay.yaml:1:18: not a range of ports"},
      {"a list of ports", "tunnels: {ports: [1024, 2048]}\n", "`ports`"},
      {"no connections", "tunnels: {connections: 0}\n", "`connections`"},
      {"too many connections", "tunnels: {connections: 100001}\n", "`connections`"},
      {"a host for keys without https", "organisation_keys: {hosts: [{url: \"http://vault:8200\"}]}\n",
       "relay.yaml:1:35: the address of a host must be https://host or https://host:port"},
      {"a host for keys with a path", "organisation_keys: {hosts: [{url: \"https://vault/v1\"}]}\n", "not a host"},
      {"misspelt tunnels", "tunnels: {listener: []}\n", "listen"},
      {"unknown level", "log_level: loud\n", "debug"},
      {"an anchor", "api: &a {listen: \"127.0.0.1:1\"}\n", "relay.yaml:1"},
      {"a tab", "api:\n\tlisten: 127.0.0.1:1\n", "relay.yaml:2"},
      {"broken UTF-8", "log_level: \"\xc3\x28\"\n", "relay.yaml"},
      {"nothing", "", "relay.yaml"},
      {"too deep", std::string(200, '[') + std::string(200, ']'), "relay.yaml"},
      {"over 64 KiB", "# " + std::string(64u << 10, 'x') + "\n{}\n", "64 KiB"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    const auto outcome = load(one.text);
    REQUIRE_FALSE(outcome);
    CAPTURE(outcome.error().message);
    CHECK(outcome.error().message.find(one.fragment) != std::string::npos);
  }
}

TEST_CASE("all problems are told at once", "[app]") {
  const auto outcome = load("api: {lisen: a}\njobs: {lease: 1s, fail_over: 1s}\nlog_level: loud\n");
  REQUIRE_FALSE(outcome);
  for (const std::string_view word : {":1:7", ":2:15", ":2:19", ":3:12"}) {
    INFO(word << " in " << outcome.error().message);
    CHECK(outcome.error().message.find(word) != std::string::npos);
  }
}

TEST_CASE("no relay.yaml says what to do", "[app]") {
  const test::TempDir dir;
  const auto outcome = load_settings(dir.path("relay.yaml"));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::not_found);
  CHECK(outcome.error().message.find("init") != std::string::npos);
}

TEST_CASE("addresses", "[app]") {
  for (const std::string_view good : {"127.0.0.1:1", "relay.example:65535", "[::1]:443", "[fe80::1%eth0]:443"}) {
    INFO(good);
    const auto parsed = parse_host_port(good);
    REQUIRE(parsed);
    CHECK(to_string(*parsed) == good);
  }
  for (const std::string_view bad : {"",
                                     ":",
                                     ":443",
                                     "relay",
                                     "relay:",
                                     "relay:x",
                                     "relay:0",
                                     "relay:65536",
                                     "relay:-1",
                                     "relay:+1",
                                     "relay:1 ",
                                     "::1:443",
                                     "[::1:443",
                                     "::1]:443",
                                     "[]:443",
                                     "[relay]:443",
                                     "re lay:1",
                                     "relay\n:1",
                                     "https://relay:1",
                                     "a/b:1"}) {
    INFO(bad);
    CHECK_FALSE(parse_host_port(bad));
  }
}

TEST_CASE("addresses of the web API", "[app]") {
  for (const std::string_view good : {"https://relay", "https://relay:1", "https://[::1]:8443", "https://relay/a/b"}) {
    INFO(good);
    CHECK(check_api_url(good));
  }
  for (const std::string& bad : std::vector<std::string>{
           "", "relay", "http://relay", "https://", "https:///a", "https://user@relay", "https://relay:0",
           "https://relay: 1", "https://relay/a b", "https://relay/\n", "https://relay/" + std::string(255, 'x')}) {
    INFO(bad);
    CHECK_FALSE(check_api_url(bad));
  }
}

TEST_CASE("people and agents share one port, or have one each", "[app]") {
  for (const char* text : {"api:\n  listen: 0.0.0.0:9000\n  url: https://a.test\nlink:\n  listen: 127.0.0.1:9000\n",
                           "api:\n  listen: 127.0.0.1:9000\nlink:\n  listen: \"[::]:9000\"\n  address: a.test:9\n"}) {
    const auto shared = load(text);
    INFO(text);
    REQUIRE_FALSE(shared);
    CHECK_THAT(shared.error().message, Catch::Contains("in each other's way"));
  }
  for (const char* text : {"api:\n  listen: 127.0.0.1:9000\nlink:\n  listen: 127.0.0.1:9000\n",
                           "api:\n  listen: \"[::1]:9000\"\nlink:\n  listen: \"[0:0::1]:9000\"\n"}) {
    const auto one = load(text);
    INFO(text);
    REQUIRE(one);
    CHECK(share_one_port(*one));
  }
  const auto apart = load("api:\n  listen: 127.0.0.1:9000\nlink:\n  listen: 127.0.0.2:9000\n");
  REQUIRE(apart);
  CHECK_FALSE(share_one_port(*apart));
  CHECK(load("api:\n  listen: 127.0.0.1:9000\nlink:\n  listen: 127.0.0.1:9001\n"));
}

TEST_CASE("backups of keys.db have their place, time and pace", "[app]") {
  const auto settings = load("keys:\n  backups: {directory: /srv/keys, keep: 3d, every: 1m}\n");
  REQUIRE(settings);
  CHECK(settings->key_backups.directory == "/srv/keys");
  CHECK(settings->key_backups.keep == 72h);
  CHECK(settings->key_backups.every == 1min);
  CHECK(load("{}\n")->key_backups.keep == 168h);
  CHECK_FALSE(load("keys:\n  backups: {directory: keys}\n"));
  CHECK_FALSE(load("keys:\n  backups: {keep: 31d}\n"));
  CHECK_FALSE(load("keys:\n  backups: {every: 1s}\n"));
  CHECK_FALSE(load("keys:\n  backups: {kept: 1d}\n"));
}

TEST_CASE("relative paths count from the folder of relay.yaml, wherever the relay was started", "[app]") {
  const test::TempDir dir;
  const auto read = [&](const std::string& text) {
    const auto settings = load_settings(dir.write("relay.yaml", text));
    INFO((settings ? "" : settings.error().message));
    REQUIRE(settings);
    return *settings;
  };
  const auto s3 = read(
      "archives: {b: {directory: /srv/jobs}, c: {s3: {bucket: b, region: r, "
      "endpoint: 'https://s3.test', credentials_file: s3.ini, ca_file: ca.pem}}}\n");
  CHECK(std::get<DirectoryArchive>(s3.archives.at("b")).directory == "/srv/jobs");
  CHECK(std::get<S3Archive>(s3.archives.at("c")).credentials_file == dir.path("s3.ini"));
  CHECK(std::get<S3Archive>(s3.archives.at("c")).ca_file == dir.path("ca.pem"));

  const auto vault = read("keys: {vault: {address: 'https://v.test', key: k, token_file: t, ca_file: /etc/ca.pem}}\n");
  CHECK(std::get<VaultKeySettings>(vault.keys).token_file == dir.path("t"));
  CHECK(std::get<VaultKeySettings>(vault.keys).ca_file == "/etc/ca.pem");

  const auto kms = read("keys: {aws_kms: {region: r, key: k, credentials_file: aws/credentials}}\n");
  CHECK(std::get<AwsKmsKeySettings>(kms.keys).credentials_file == dir.path("aws/credentials"));
  CHECK(std::get<AwsKmsKeySettings>(kms.keys).ca_file.empty());  // nothing stays nothing

  const auto token = read("keys: {pkcs11: {module: lib/softhsm2.so, token: t, key: k, pin_file: pin}}\n");
  CHECK(std::get<Pkcs11KeySettings>(token.keys).module == dir.path("lib/softhsm2.so"));
  CHECK(std::get<Pkcs11KeySettings>(token.keys).pin_file == dir.path("pin"));

  const auto file = read("keys: {file: {passphrase_file: words}}\n");
  CHECK(std::get<FileKeySettings>(file.keys).passphrase_file == dir.path("words"));

  const auto named = std::filesystem::relative(dir.path("relay.yaml"));  // as with `--data ./x`
  REQUIRE(named.is_relative());
  const auto settings = load_settings(named);
  REQUIRE(settings);
  const auto& words = std::get<FileKeySettings>(settings->keys).passphrase_file;
  CHECK(std::filesystem::path(words).is_absolute());
  CHECK(std::filesystem::weakly_canonical(words) == std::filesystem::weakly_canonical(dir.path("words")));
}

TEST_CASE("what may not be in the data, or is looked for nowhere, is named from / on", "[app]") {
  const auto why = [](const std::string& text) {
    const auto settings = load(text);
    return settings ? "" : settings.error().message;
  };
  CHECK_THAT(why("archives: {a: {directory: jobs}}\n"), Catch::Contains("an archive's directory is named from / on"));
  CHECK_THAT(why("keys: {pkcs11: {module: softhsm2.so, token: t, key: k, pin_file: pin}}\n"),
             Catch::Contains("the PKCS#11 module is looked for nowhere: name it from / on"));
}
