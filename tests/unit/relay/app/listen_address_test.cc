#include "relay/app/settings.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

// relay.yaml is held to what `init` is held to.
using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;

TEST_CASE("an address to listen on is an IP address", "[app][settings]") {
  CHECK(to_string(*parse_listen_address("0.0.0.0:443")) == "0.0.0.0:443");
  CHECK(to_string(*parse_listen_address("[::1]:8443")) == "[::1]:8443");
  for (const auto* wrong :
       {"localhost:8443", "relay.example:1", "127.0.0.1", ":8443", "127.0.0.1:99999", "300.1.1.1:1"})
    CHECK_FALSE(parse_listen_address(wrong));
}

TEST_CASE("settings that nobody could reach are refused with the file's name", "[app][settings]") {
  struct Row {
    const char* text;
    const char* says;
  };
  const auto row =
      GENERATE(Row{"api:\n  listen: localhost:8443\n", "relay.yaml:2:"},
               Row{"link:\n  listen: somewhere:8444\n", "relay.yaml:2:"},
               Row{"link:\n  listen: 0.0.0.0:8444\n", "relay.yaml: agents cannot dial 0.0.0.0:8444"},
               Row{"link:\n  address: \"[::]:8444\"\n", "relay.yaml: agents cannot dial [::]:8444"},
               Row{"api:\n  listen: 0.0.0.0:8443\n", "relay.yaml: nobody can open \"https://0.0.0.0:8443\""});
  const TempDir folder;
  const auto settings = load_settings(folder.write("relay.yaml", row.text));
  REQUIRE_FALSE(settings);
  CHECK_THAT(settings.error().message, Catch::Contains(row.says));
}

TEST_CASE("what init writes, serve reads", "[app][settings]") {
  Settings settings;
  settings.api_listen = *parse_listen_address("0.0.0.0:8443");
  settings.api_url = "https://relay.example:8443";
  settings.link_listen = *parse_listen_address("[::]:8444");
  settings.link_address = *parse_host_port("relay.example:8444");
  const TempDir folder;
  const auto read = load_settings(folder.write("relay.yaml", settings_text(settings)));
  REQUIRE(read);
  CHECK(settings_text(*read) == settings_text(settings));
}

TEST_CASE("the host of a URL", "[app][settings]") {
  CHECK(host_of("https://relay.example:8443/x") == "relay.example");
  CHECK(host_of("https://[::1]:8443") == "::1");
  CHECK(host_of("https://10.0.0.7") == "10.0.0.7");
  CHECK(host_of("https://").empty());
}
