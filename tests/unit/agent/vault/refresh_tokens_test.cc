#include "agent/vault/refresh_tokens.h"

#include "agent/platform/secret_file.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <thread>

using namespace sallyport;
using namespace sallyport::vault;
using namespace std::chrono_literals;

namespace {

struct State {
  State() { REQUIRE(platform::write_secret_file(dir.path("local.key"), std::string(32, 'k'))); }
  auto hold(std::string client = "client", std::string url = "https://login.example.com:443/token",
            std::string connection = "erp") const {
    return tokens.hold({std::move(connection), std::move(url), std::move(client)},
                       std::chrono::steady_clock::now() + 30s, {});
  }
  test::TempDir dir;
  RefreshTokens tokens{dir.path()};
};

Secret secret(std::string text) { return Secret::take(std::move(text)); }

}  // namespace

TEST_CASE("a refresh token is kept, replaced and forgotten", "[vault][refresh]") {
  const State state;
  CHECK(state.tokens.authorization_of("erp") == 0);
  {
    const auto held = state.hold();
    REQUIRE(held);
    CHECK(held->read().error().code == Errc::not_found);
    CHECK_FALSE(held->replace(secret("t0ken")));  // of no authorization
    REQUIRE(held->begin(secret("t0ken")));
    CHECK(held->read()->reveal() == "t0ken");
  }
  const auto first = state.tokens.authorization_of("erp");
  CHECK(first != 0);
  CHECK_FALSE(state.dir.read("refresh-token-erp").contains("t0ken"));
  {
    const auto held = state.hold();
    REQUIRE(held->replace(secret("next")));
    CHECK(held->read()->reveal() == "next");
    CHECK(state.tokens.authorization_of("erp") == first);
    REQUIRE(held->begin(secret("other")));
    CHECK(state.tokens.authorization_of("erp") != first);
    REQUIRE(held->forget());
  }
  CHECK(state.tokens.authorization_of("erp") == 0);
}

TEST_CASE("a refresh token opens for its own connection, endpoint and client alone", "[vault][refresh]") {
  const State state;
  REQUIRE(state.hold()->begin(secret("t0ken")));
  CHECK(state.hold("another")->read().error().code == Errc::not_found);
  CHECK(state.hold("client", "https://evil.example.com:443/token")->read().error().code == Errc::not_found);
  std::filesystem::copy_file(state.dir.path("refresh-token-erp"), state.dir.path("refresh-token-crm"));
  CHECK(state.hold("client", "https://login.example.com:443/token", "crm")->read().error().code == Errc::not_found);
  CHECK(state.hold()->read()->reveal() == "t0ken");
  auto text = state.dir.read("refresh-token-erp");
  text[text.find(' ', 26) - 1] ^= 1;  // another authorization's number
  REQUIRE(platform::write_secret_file(state.dir.path("refresh-token-erp"), text));
  CHECK(state.hold()->read().error().code == Errc::not_found);
  for (const char* damaged : {"", "sallyport-refresh-token 1 ", "sallyport-refresh-token 1 x y",
                              "sallyport-refresh-token 1 0 AAAA", "sallyport-refresh-token 1 7 !"}) {
    REQUIRE(platform::write_secret_file(state.dir.path("refresh-token-erp"), damaged));
    CHECK(state.hold()->read().error().code == Errc::not_found);
  }
}

TEST_CASE("without its local key an agent has no refresh tokens", "[vault][refresh]") {
  const State state;
  std::filesystem::remove(state.dir.path("local.key"));
  const auto held = state.hold();
  REQUIRE_FALSE(held);
  CHECK(held.error().code == Errc::not_found);
  CHECK(held.error().message.contains("start the agent once"));
}

TEST_CASE("who holds a refresh token is waited for, until a deadline or a stop", "[vault][refresh]") {
  const State state;
  const auto held = state.hold();
  REQUIRE(held);
  const TokenHome home{"erp", "https://login.example.com:443/token", "client"};
  CHECK(state.tokens.hold(home, std::chrono::steady_clock::now(), {}).error().code == Errc::timed_out);
  std::stop_source stop;
  stop.request_stop();
  CHECK(state.tokens.hold(home, std::chrono::steady_clock::now() + 30s, stop.get_token()).error().code ==
        Errc::cancelled);
  CHECK(state.hold("client", "https://login.example.com:443/token", "crm"));
}

TEST_CASE("a revoked agent's refresh tokens go, and nothing else", "[vault][refresh]") {
  const State state;
  REQUIRE(state.hold()->begin(secret("a")));
  REQUIRE(state.hold("c", "u", "crm")->begin(secret("b")));
  REQUIRE(state.tokens.forget_all());
  CHECK_FALSE(state.dir.has("refresh-token-erp"));
  CHECK_FALSE(state.dir.has("refresh-token-crm"));
  CHECK(state.dir.has("local.key"));
}
