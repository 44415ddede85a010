#include "relay/app/own_key_places.h"
#include "relay/keys/master_key.h"
#include "shared/async/task_group.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/random.h"
#include "tests/contract/keys/pkcs11_place.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <fmt/format.h>

#include <filesystem>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

const OrgId kOurs("org_ours");

struct Lines final : LogSink {
  void write(std::string_view line) override { text.append(line).append("\n"); }
  std::size_t count(std::string_view what) const {
    std::size_t found = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
    return found;
  }
  std::string text;
};

keys::OwnKeyOrder order_of(std::string kind, const std::string& name) {
  return {std::move(kind), {{Value("name"), Value(name)}}, {}};
}

// What relay.yaml declares: keys in the place's token, each with its PIN's file, and a key in a file.
struct Declared {
  explicit Declared(std::size_t in_token) {
    app::OrganisationKeySettings settings;
    for (std::size_t i = 0; i < in_token; ++i) {
      settings.named.push_back({"token-" + std::to_string(i), kOurs.value,
                                app::Pkcs11KeySettings{FAULTY_PKCS11, token.label, "main", folder.path("pin")}});
    }
    settings.named.push_back({"own-file", kOurs.value, app::OwnKeyFileSettings{folder.path("own.key"), ""}});
    must(keys::write_key_file(folder.path("own.key"), crypto::new_aead_key(), std::nullopt));
    write_pin(token.credentials().front());
    places = std::make_unique<app::OwnKeyPlaces>(std::move(settings), clock, log);
  }
  void write_pin(const std::string& pin) {
    std::filesystem::remove(folder.path("pin"));
    folder.write("pin", pin + "\n");
    std::filesystem::permissions(folder.path("pin"), std::filesystem::perms::owner_read);
  }
  std::unique_ptr<keys::Provider> provider(std::string kind, const std::string& name) {
    return must(places->provider(kOurs, order_of(std::move(kind), name)));
  }

  TempDir folder;
  Pkcs11Place token;
  MovableClock clock;
  Lines lines;
  Log log{lines, clock};
  std::unique_ptr<app::OwnKeyPlaces> places;
};

boost::asio::awaitable<Result<Bytes>> wrap_in(keys::Provider& provider) {
  co_return co_await provider.wrap("a purpose", crypto::random_secret(32));
}

}  // namespace

ASYNC_TEST_CASE("however many tokens never come back, the keys of others are served", "[keys][pkcs11][own]") {
  constexpr std::size_t kTokens = 12;
  Declared declared(kTokens);
  std::vector<std::unique_ptr<keys::Provider>> stuck;
  TaskGroup calls(co_await boost::asio::this_coro::executor, [](const auto&, const auto&) { FAIL_CHECK("a fault"); });
  std::size_t ended = 0;
  const auto ask = [&](keys::Provider& provider) -> boost::asio::awaitable<void> {
    static_cast<void>(co_await wrap_in(provider));
    ++ended;
  };
  declared.token.slow();
  for (std::size_t i = 0; i < kTokens; ++i) {
    stuck.push_back(declared.provider("pkcs11", "token-" + std::to_string(i)));
    calls.spawn("ask", ask(*stuck.back()));
  }
  const auto file = declared.provider("file", "own-file");
  const auto served = co_await wrap_in(*file);
  CHECK(served);
  CHECK(ended == 0);  // they hang all the time
  declared.token.heal();
  co_await calls.join();
  CHECK(ended == kTokens);
}

ASYNC_TEST_CASE("a declared token with a wrong PIN in its file works once the file is mended, without a restart",
                "[keys][pkcs11][own]") {
  Declared declared(1);
  declared.write_pin("wrong-pin");
  const auto attached = declared.provider("pkcs11", "token-0");
  for (int i = 0; i < 3; ++i) {
    const auto another_try = declared.provider("pkcs11", "token-0");  // as each attempt to attach makes one
    for (auto* provider : {attached.get(), another_try.get()}) {
      const auto refused = co_await wrap_in(*provider);
      REQUIRE(!refused);
      CHECK(refused.error().code == Errc::forbidden);
      CHECK(refused.error().message.find("token-0") != std::string::npos);
      CHECK(refused.error().message.find("PIN") == std::string::npos);  // is the operator's business
    }
  }
  CHECK(declared.token.faults.logins == 1);
  CHECK(declared.lines.count("organisation_key.failed") == 1);
  CHECK(declared.lines.count("the PIN is wrong") == 1);
  CHECK(declared.lines.count(kOurs.value) == 1);
  declared.write_pin(declared.token.credentials().front());
  const auto wrapped = co_await wrap_in(*attached);
  CHECK(wrapped);
  CHECK(declared.token.faults.logins == 2);
  CHECK(declared.lines.count("organisation_key.works") == 1);
}

ASYNC_TEST_CASE("what keeps a declared token away is told to the log", "[keys][pkcs11][own]") {
  Declared declared(1);
  std::filesystem::remove(declared.folder.path("pin"));
  const auto made = declared.places->provider(kOurs, order_of("pkcs11", "token-0"));
  REQUIRE(!made);
  CHECK(made.error().message.find(declared.folder.path("pin")) == std::string::npos);
  CHECK(declared.lines.count(declared.folder.path("pin") + ": cannot open the file") == 1);
  CHECK(declared.lines.count("organisation_key.failed") == 1);
  declared.write_pin(declared.token.credentials().front());
  const auto provider = declared.provider("pkcs11", "token-0");
  const auto wrapped = co_await wrap_in(*provider);
  CHECK(wrapped);
  CHECK(declared.lines.count("organisation_key.works") == 1);
}
