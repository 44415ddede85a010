#include "relay/app/options.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// What `init` refuses before it touches anything.
using namespace sallyport;
using namespace sallyport::app;

namespace {

Result<InitOrder> order_of(std::vector<std::string> more) {
  std::vector<std::string> words{"--data", "/nowhere", "--organisation", "acme", "--owner", "ada@acme.example"};
  words.insert(words.end(), more.begin(), more.end());
  SP_TRY(const auto options, parse_options(words, init_option_names()));
  SP_TRY(auto order, init_order(options));
  SP_CHECK(check(order));
  return order;
}

}  // namespace

TEST_CASE("a relay for this machine alone needs no addresses", "[app][init]") {
  const auto order = order_of({});
  REQUIRE(order);
  CHECK(to_string(order->settings.api_listen) == "127.0.0.1:8443");
  CHECK(order->settings.api_url == "https://127.0.0.1:8443");
  CHECK(to_string(order->settings.link_address) == "127.0.0.1:8444");
  CHECK(order->owner_name == "ada");
}

TEST_CASE("a relay for others is told how they reach it", "[app][init]") {
  const auto order = order_of({"--api", "0.0.0.0:8443", "--api-url", "https://relay.example:8443", "--link=[::]:8444",
                               "--link-address", "relay.example:8444", "--name", "10.0.0.7"});
  REQUIRE(order);
  CHECK(to_string(order->settings.link_listen) == "[::]:8444");
  CHECK(to_string(order->settings.link_address) == "relay.example:8444");
  CHECK(order->server_names == std::vector<std::string>{"localhost", "10.0.0.7"});
}

TEST_CASE("one port on two addresses is two listeners", "[app][init]") {
  CHECK(order_of({"--api", "127.0.0.1:8443", "--link", "127.0.0.2:8443"}));
  CHECK(order_of({"--api", "0.0.0.0:8443", "--api-url", "https://r.example", "--link", "[::1]:8443"}));
}

TEST_CASE("what serve or an agent could not use is refused by init", "[app][init]") {
  struct Row {
    std::vector<std::string> words;
    std::string_view says;
  };
  const auto row = GENERATE(
      Row{{"--api", "localhost:8443"}, "--api: \"localhost:8443\" is no address to listen on"},
      Row{{"--link", "relay.example:8444"}, "--link: \"relay.example:8444\" is no address to listen on"},
      Row{{"--api", "127.0.0.1"}, "write host:port"}, Row{{"--api", "127.0.0.1:0"}, "write host:port"},
      Row{{"--link", "0.0.0.0:8444"}, "agents cannot dial 0.0.0.0:8444; say how they reach this relay: --link-address"},
      Row{{"--link", "[::]:8444"}, "agents cannot dial [::]:8444"},
      Row{{"--link-address", "0.0.0.0:8444"}, "agents cannot dial 0.0.0.0:8444"},
      Row{{"--api", "0.0.0.0:8443"},
          "nobody can open \"https://0.0.0.0:8443\"; say how people reach this relay: --api-url"},
      Row{{"--api", "[::1]:8443", "--link", "[::]:8443", "--link-address", "r.example:1"},
          "[::1]:8443 and [::]:8443 are in each other's way: choose the same for --api and --link"},
      Row{{"--api", "0.0.0.0:8444", "--api-url", "https://r.example"}, "in each other's way"},
      Row{{"--link", "[::]:8443", "--link-address", "r.example:1"}, "in each other's way"},
      Row{{"--api-url", "http://relay.example"}, "nobody can open"}, Row{{"--api-url", "https://"}, "nobody can open"},
      Row{{"--trust-domain", "BAD_DOMAIN"}, "--trust-domain takes a lower-case DNS name"},
      Row{{"--owner", "ada"}, "--owner takes an e-mail address"},
      Row{{"--owner", "ada@"}, "--owner takes an e-mail address"},
      Row{{"--organisation", "a\nb"}, "--organisation takes a name"},
      Row{{"--organisation", ""}, "--data, --organisation and --owner are needed"},
      Row{{"--lnik", "x"}, "unknown option --lnik (did you mean --link?)"}, Row{{"here"}, "unexpected word 'here'"},
      Row{{"--name"}, "--name needs a value"});
  const auto order = order_of(row.words);
  REQUIRE_FALSE(order);
  CHECK(order.error().code == Errc::invalid);
  CHECK_THAT(order.error().message, Catch::Contains(std::string(row.says)));
}
