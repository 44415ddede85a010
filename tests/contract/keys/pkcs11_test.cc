#include "shared/crypto/random.h"
#include "tests/contract/keys/pkcs11_place.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <filesystem>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

boost::asio::awaitable<Result<Bytes>> wrap_in(keys::Provider& provider) {
  co_return co_await provider.wrap("a purpose", crypto::random_secret(32));
}

boost::asio::awaitable<Result<Bytes>> wrap_with(keys::Pkcs11Config config) {
  const auto provider = must(keys::make_pkcs11(std::move(config)));
  co_return co_await wrap_in(*provider);
}

bool says(const Error& error, std::string_view text) { return error.message.find(text) != std::string::npos; }

}  // namespace

ASYNC_TEST_CASE("PKCS#11: a wrong PIN is tried once and never again", "[keys][pkcs11]") {
  Pkcs11Place place;
  auto config = place.config();
  config.pin = outbound::always(Secret::take("wrong-pin"));
  const auto provider = must(keys::make_pkcs11(std::move(config)));
  for (int i = 0; i < 5; ++i) {
    const auto refused = co_await wrap_in(*provider);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::forbidden);
    CHECK(says(refused.error(), "not tried again"));
  }
  CHECK(place.faults.logins == 1);
  const auto control = co_await wrap_with(place.config());  // the token is not locked
  CHECK(control);
}

ASYNC_TEST_CASE("PKCS#11: after a PIN that was refused another one is tried, and each wrong one once",
                "[keys][pkcs11]") {
  Pkcs11Place place;
  auto config = place.config();
  std::string written = "wrong-pin";
  config.pin = [&written]() -> Result<Secret> {
    if (written.empty()) return fail(Errc::not_found, "/canary/pin: is not there");
    return Secret::take(std::string(written));
  };
  const auto provider = must(keys::make_pkcs11(std::move(config)));
  for (const auto* wrong : {"wrong-pin", "another-wrong-pin", "wrong-pin", "another-wrong-pin"}) {
    written = wrong;
    const auto refused = co_await wrap_in(*provider);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::forbidden);
  }
  CHECK(place.faults.logins == 2);
  written.clear();
  const auto unread = co_await wrap_in(*provider);
  REQUIRE(!unread);
  CHECK(unread.error().code == Errc::unavailable);
  CHECK(place.faults.logins == 2);
  written = place.credentials().front();
  const auto wrapped = co_await wrap_in(*provider);
  CHECK(wrapped);
  CHECK(place.faults.logins == 3);
  written = "wrong-pin";  // the token is open, and nobody asks
  const auto again = co_await wrap_in(*provider);
  CHECK(again);
  CHECK(place.faults.logins == 3);
}

ASYNC_TEST_CASE("PKCS#11: the last try before the token locks is not ours", "[keys][pkcs11]") {
  Pkcs11Place place;
  const auto provider = place.main();
  for (const CK_FLAGS flag : {CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED}) {
    place.faults.token_flags = flag;
    const auto refused = co_await wrap_in(*provider);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::forbidden);
    CHECK(says(refused.error(), "lock"));
  }
  CHECK(place.faults.logins == 0);
  place.faults.token_flags = CKF_USER_PIN_COUNT_LOW;  // somebody mistyped it once
  const auto control = co_await wrap_in(*provider);
  CHECK(control);
  CHECK(place.faults.logins == 1);
}

ASYNC_TEST_CASE("PKCS#11: what is missing is named", "[keys][pkcs11]") {
  Pkcs11Place place;
  const auto no_key = co_await wrap_with(place.config("nobody"));
  REQUIRE(!no_key);
  CHECK(no_key.error().code == Errc::not_found);
  CHECK(says(no_key.error(), "PKCS#11 key nobody of token " + place.label));
  auto config = place.config();
  config.token = "no such token";
  const auto no_token = co_await wrap_with(std::move(config));
  REQUIRE(!no_token);
  CHECK(no_token.error().code == Errc::unavailable);
  CHECK(says(no_token.error(), "no token has this label now"));
}

ASYNC_TEST_CASE("PKCS#11: a key that was removed is not found, and a new one opens nothing of it", "[keys][pkcs11]") {
  Pkcs11Place place;
  const auto provider = place.main();
  const auto wrapped = must(co_await wrap_in(*provider));
  place.remove_key("main");
  const auto lost = co_await provider->unwrap("a purpose", wrapped);
  REQUIRE(!lost);
  CHECK(lost.error().code == Errc::not_found);
  must(keys::make_pkcs11_key(place.config()));
  const auto refused = co_await provider->unwrap("a purpose", wrapped);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::invalid);
}

ASYNC_TEST_CASE("PKCS#11: what is gone is opened anew, once for each call", "[keys][pkcs11]") {
  Pkcs11Place place;
  const auto provider = place.main();
  const auto wrapped = must(co_await wrap_in(*provider));
  for (const CK_RV code :
       {CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID, CKR_TOKEN_NOT_PRESENT, CKR_USER_NOT_LOGGED_IN}) {
    INFO(code);
    place.faults.init_code = code;
    place.faults.init_times = 1;
    const auto back = co_await provider->unwrap("a purpose", wrapped);
    CHECK(back);
    place.faults.init_times = 3;
    const auto gone = co_await provider->unwrap("a purpose", wrapped);
    REQUIRE(!gone);
    CHECK(gone.error().code == Errc::unavailable);
    CHECK(place.faults.init_times == 1);  // of three, two were met
    place.faults.init_times = 0;
  }
  CHECK(place.faults.locking == CKF_OS_LOCKING_OK);
}

ASYNC_TEST_CASE("PKCS#11: all tokens taken away and put back", "[keys][pkcs11]") {
  Pkcs11Place place;
  const TempDir elsewhere;
  const auto provider = place.main();
  const auto wrapped = must(co_await wrap_in(*provider));
  std::filesystem::rename(token_folder(), elsewhere.path("tokens"));
  for (int i = 0; i < 2; ++i) {
    const auto gone = co_await provider->unwrap("a purpose", wrapped);
    REQUIRE(!gone);
    CHECK(gone.error().code == Errc::unavailable);
  }
  std::filesystem::rename(elsewhere.path("tokens"), token_folder());
  const auto back = co_await provider->unwrap("a purpose", wrapped);
  CHECK(back);
}

ASYNC_TEST_CASE("PKCS#11: two providers of one module do not disturb each other", "[keys][pkcs11]") {
  Pkcs11Place place, place_of_another;
  const auto one = place.main();
  const auto other = place_of_another.main();
  const auto wrapped = must(co_await wrap_in(*one));
  const auto wrapped_there = must(co_await wrap_in(*other));
  place.stop();
  for (int i = 0; i < 3; ++i) {
    const auto gone = co_await one->unwrap("a purpose", wrapped);
    CHECK(!gone);
    const auto there = co_await other->unwrap("a purpose", wrapped_there);
    CHECK(there);
  }
  place.heal();
  Result<Secret> back = co_await one->unwrap("a purpose", wrapped);
  const auto patience = std::chrono::steady_clock::now() + 60s;
  while (!back && std::chrono::steady_clock::now() < patience) back = co_await one->unwrap("a purpose", wrapped);
  CHECK(back);  // after a pause: the module is not started afresh at every call
}

ASYNC_TEST_CASE("PKCS#11: an error of the token is not taken for a changed key", "[keys][pkcs11]") {
  Pkcs11Place place;
  const auto provider = place.main();
  auto wrapped = must(co_await wrap_in(*provider));
  place.faults.decrypt_code = CKR_GENERAL_ERROR;  // as SoftHSM says of a wrong tag
  const auto broken = co_await provider->unwrap("a purpose", wrapped);
  REQUIRE(!broken);
  CHECK(broken.error().code == Errc::unavailable);
  place.heal();
  wrapped.back() ^= std::byte{1};
  const auto changed = co_await provider->unwrap("a purpose", wrapped);
  REQUIRE(!changed);
  CHECK(changed.error().code == Errc::invalid);
}

ASYNC_TEST_CASE("PKCS#11: a library that hangs lets the provider go", "[keys][pkcs11]") {
  Pkcs11Place place;
  {
    const auto provider = place.provider("main", 100ms);
    place.slow();
    const auto hanging = co_await wrap_in(*provider);
    REQUIRE(!hanging);
    CHECK(hanging.error().code == Errc::timed_out);
  }
  place.heal();  // what was left behind ends by itself
  const auto control = co_await wrap_with(place.config());
  CHECK(control);
}

ASYNC_TEST_CASE("PKCS#11: a key that is made cannot leave the token, and is made once", "[keys][pkcs11]") {
  Pkcs11Place place;
  auto again = keys::make_pkcs11_key(place.config());
  REQUIRE(!again);
  CHECK(again.error().code == Errc::conflict);
  place.as_owner([&](CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
    const auto key = place.find(module, session, "main");
    CK_BBOOL sensitive = CK_FALSE, extractable = CK_TRUE, kept = CK_FALSE;
    CK_ATTRIBUTE asked[] = {{CKA_SENSITIVE, &sensitive, 1}, {CKA_EXTRACTABLE, &extractable, 1}, {CKA_TOKEN, &kept, 1}};
    CHECK(module.C_GetAttributeValue(session, key, asked, 3) == CKR_OK);
    CHECK(sensitive == CK_TRUE);
    CHECK(extractable == CK_FALSE);
    CHECK(kept == CK_TRUE);
    char value[32];
    CK_ATTRIBUTE secret{CKA_VALUE, value, sizeof(value)};
    CHECK(module.C_GetAttributeValue(session, key, &secret, 1) == CKR_ATTRIBUTE_SENSITIVE);
  });
  auto wrong = place.config("another");
  wrong.pin = outbound::always(Secret::take("wrong-pin"));
  again = keys::make_pkcs11_key(wrong);
  REQUIRE(!again);
  CHECK(again.error().code == Errc::forbidden);
  const auto control = co_await wrap_with(place.config());
  CHECK(control);
}

ASYNC_TEST_CASE("PKCS#11: a key that is too short, or not the only one, is not used", "[keys][pkcs11]") {
  Pkcs11Place place;
  place.as_owner([](CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
    for (const auto& [name, bytes] :
         {std::pair("short", CK_ULONG{16}), std::pair("twice", CK_ULONG{32}), std::pair("twice", CK_ULONG{32})}) {
      CK_BBOOL yes = CK_TRUE;
      CK_ULONG size = bytes;
      CK_ATTRIBUTE wanted[] = {{CKA_LABEL, const_cast<char*>(name), 5},
                               {CKA_VALUE_LEN, &size, sizeof(size)},
                               {CKA_TOKEN, &yes, 1},
                               {CKA_ENCRYPT, &yes, 1},
                               {CKA_DECRYPT, &yes, 1}};
      CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
      CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
      CHECK(module.C_GenerateKey(session, &mechanism, wanted, 5, &key) == CKR_OK);
    }
  });
  for (const auto& [name, told] : {std::pair("short", "128 bits"), std::pair("twice", "several")}) {
    const auto refused = co_await wrap_with(place.config(name));
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::invalid);
    CHECK(says(refused.error(), told));
  }
}

TEST_CASE("PKCS#11: a configuration that cannot work is refused with its reason", "[keys][pkcs11]") {
  Pkcs11Place place;
  const TempDir dir;
  const std::string no_library = dir.write("text.so", "no library");
  struct Case {
    Errc code;
    std::string told;
    std::function<void(keys::Pkcs11Config&)> change;
  };
  const Case cases[] = {
      {Errc::invalid, "whole path", [](auto& c) { c.module = "libsofthsm2.so"; }},
      {Errc::not_found, "/nonexistent.so", [](auto& c) { c.module = "/nonexistent.so"; }},
      {Errc::not_found, "text.so", [&](auto& c) { c.module = no_library; }},
      {Errc::invalid, "no PKCS#11 module", [](auto& c) { c.module = "/lib/x86_64-linux-gnu/libc.so.6"; }},
      {Errc::invalid, "token's label", [](auto& c) { c.token = ""; }},
      {Errc::invalid, "token's label", [](auto& c) { c.token = std::string(33, 't'); }},
      {Errc::invalid, "key's label", [](auto& c) { c.key = "a\nb"; }},
      {Errc::invalid, "PIN", [](auto& c) { c.pin = outbound::always(Secret()); }},
      {Errc::invalid, "deadline", [](auto& c) { c.deadline = 0ms; }},
  };
  for (const auto& [code, told, change] : cases) {
    auto config = place.config();
    change(config);
    const auto refused = keys::make_pkcs11(std::move(config));
    REQUIRE(!refused);
    INFO(refused.error().message);
    CHECK(refused.error().code == code);
    CHECK(says(refused.error(), told));
  }
}
