#include "shared/crypto/random.h"
#include "tests/contract/keys/vault_place.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

boost::asio::awaitable<Result<Bytes>> wrap_with(keys::VaultTransitConfig config) {
  const auto provider = must(keys::make_vault_transit(std::move(config)));
  co_return co_await provider->wrap("a purpose", crypto::random_secret(32));
}

bool says(const Error& error, std::string_view text) { return error.message.find(text) != std::string::npos; }

}  // namespace

ASYNC_TEST_CASE("Vault Transit: a mount and a namespace of one's own", "[keys][vault]") {
  VaultPlace place;
  auto config = place.config();
  config.mount = "keys/transit";
  config.name_space = "team/a";
  const auto provider = must(keys::make_vault_transit(std::move(config)));
  CHECK(provider->describe() == "Vault Transit key keys/transit/main of namespace team/a at " + place.server.url());
  const auto wrapped = must(co_await provider->wrap("a purpose", crypto::random_secret(32)));
  const auto back = co_await provider->unwrap("a purpose", wrapped);
  CHECK(back);
  for (const char* elsewhere : {"", "team/b"}) {
    auto stray = place.config();
    stray.mount = "keys/transit";
    stray.name_space = elsewhere;
    const auto lost = co_await wrap_with(std::move(stray));
    REQUIRE(!lost);
    CHECK(lost.error().code == Errc::not_found);
  }
}

ASYNC_TEST_CASE("Vault Transit: another token gets nowhere", "[keys][vault]") {
  VaultPlace place;
  auto config = place.config();
  config.token = outbound::always(Secret::take("hvs.another"));
  const auto refused = co_await wrap_with(std::move(config));
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::forbidden);
  CHECK(
      says(refused.error(), "the token is not valid any more, or its policy does not allow this (permission denied)"));
  const auto control = co_await wrap_with(place.config());
  CHECK(control);
}

ASYNC_TEST_CASE("Vault Transit: a new token counts at the next call", "[keys][vault]") {
  VaultPlace place;
  auto config = place.config();
  auto given = std::make_shared<std::string>("hvs.token-of-the-test");
  config.token = [given]() -> Result<Secret> {
    if (given->empty()) return fail(Errc::not_found, "the file is not there");
    return Secret::take(std::string(*given));
  };
  const auto provider = must(keys::make_vault_transit(std::move(config)));
  const auto outcome = [&]() -> boost::asio::awaitable<std::string> {
    const auto wrapped = co_await provider->wrap("a purpose", crypto::random_secret(32));
    co_return wrapped ? "wrapped" : std::string(to_string(wrapped.error().code));
  };
  auto got = co_await outcome();
  CHECK(got == "wrapped");
  *given = "hvs.expired";
  got = co_await outcome();
  CHECK(got == "forbidden");  // control: it is looked at
  given->clear();
  got = co_await outcome();
  CHECK(got == "unavailable");  // and not as if the key were gone
  *given = "evil\r\nX-Vault-Policy: root";
  got = co_await outcome();
  CHECK(got == "unavailable");
  *given = "hvs.token-of-the-test";
  got = co_await outcome();
  CHECK(got == "wrapped");
}

ASYNC_TEST_CASE("Vault Transit: each of its errors says what it means here", "[keys][vault]") {
  VaultPlace place;
  const auto provider = place.main();
  const auto wrapped = must(co_await provider->wrap("a purpose", crypto::random_secret(32)));
  struct Case {
    const char* control;
    Errc code;
    const char* told;
  };
  const Case cases[] = {
      {R"({"mode":"sealed"})", Errc::unavailable, "sealed"},
      {R"({"mode":"revoked"})", Errc::forbidden, "token"},
      {R"({"mode":"too_old"})", Errc::forbidden, "min_decryption_version"},
      {R"({"mode":"fail","status":500,"body":"{\"errors\":[\"internal\\u001b error\"]}"})", Errc::unavailable,
       "internal? error"},
      {R"({"mode":"fail","status":429,"body":"{\"errors\":[]}"})", Errc::unavailable, "429"},
      {R"({"mode":"fail","status":412,"body":"{\"errors\":[1]}"})", Errc::unavailable, "412"},
      {R"({"mode":"fail","status":200,"body":"{\"data\":{}}"})", Errc::unavailable, "no plaintext"},
      {R"({"mode":"fail","status":200,"body":"{\"plaintext\":\"AAAA\"}"})", Errc::unavailable, "not where it belongs"},
      {R"({"mode":"fail","status":200,"body":"{\"data\":{\"plaintext\":\"AAAA\"}}"})", Errc::invalid, "purpose"},
      {R"({"mode":"deep"})", Errc::unavailable, "no plaintext"},
      {R"({"mode":"endless"})", Errc::unavailable, "more than 65536 bytes"},
      {R"({"mode":"drop"})", Errc::unavailable, ""},
      {R"({"mode":"redirect","to":"https://127.0.0.1:1/"})", Errc::unavailable, "307"},
  };
  for (const auto& [control, code, told] : cases) {
    INFO(control);
    place.server.control(control);
    const auto refused = co_await provider->unwrap("a purpose", wrapped);
    REQUIRE(!refused);
    INFO(refused.error().message);
    CHECK(refused.error().code == code);
    CHECK(says(refused.error(), told));
    CHECK(refused.error().message.starts_with("Vault Transit key transit/main at https://127.0.0.1:"));
  }
}

ASYNC_TEST_CASE("Vault Transit: a key that is not there", "[keys][vault]") {
  VaultPlace place;
  const auto wrapped = must(co_await place.main()->wrap("a purpose", crypto::random_secret(32)));
  const auto nobody = place.provider("nobody", 10s);
  const auto lost = co_await nobody->unwrap("a purpose", wrapped);
  REQUIRE(!lost);
  CHECK(lost.error().code == Errc::not_found);
  const auto refused = co_await nobody->wrap("a purpose", crypto::random_secret(32));
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::forbidden);  // Vault would make it for those who may
}

TEST_CASE("Vault Transit: a configuration that cannot work is refused with its reason", "[keys][vault]") {
  VaultPlace place;
  struct Case {
    const char* told;
    void (*change)(keys::VaultTransitConfig&);
  };
  const Case cases[] = {
      {"the address of Vault", [](auto& c) { c.address = "http://127.0.0.1:8200"; }},
      {"the address of Vault", [](auto& c) { c.address = ""; }},
      {"the address of Vault", [](auto& c) { c.address = "https://127.0.0.1/v1"; }},
      {"the mount", [](auto& c) { c.mount = ""; }},
      {"the mount", [](auto& c) { c.mount = "transit/../sys"; }},
      {"the mount", [](auto& c) { c.mount = "/transit"; }},
      {"the key", [](auto& c) { c.key = "a/b"; }},
      {"the key", [](auto& c) { c.key = ""; }},
      {"the key", [](auto& c) { c.key = "a?b"; }},
      {"Vault's token", [](auto& c) { c.token = outbound::always(Secret()); }},
      {"Vault's token", [](auto& c) { c.token = outbound::always(Secret::take("evil\r\nX-Vault-Policy: root")); }},
      {"the namespace", [](auto& c) { c.name_space = "a//b"; }},
      {"certificate authorities", [](auto& c) { c.ca_file = "/nonexistent"; }},
      {"the deadline", [](auto& c) { c.deadline = 11s; }},
  };
  for (const auto& [told, change] : cases) {
    auto config = place.config();
    change(config);
    const auto refused = keys::make_vault_transit(std::move(config));
    REQUIRE(!refused);
    INFO(refused.error().message);
    CHECK(refused.error().code == Errc::invalid);
    CHECK(says(refused.error(), told));
    CHECK(!says(refused.error(), "evil"));
  }
}
