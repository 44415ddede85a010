#include "relay/app/init.h"

#include "relay/api/api_token.h"
#include "relay/identity/deployment.h"
#include "relay/keys/master_key.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/crypto/digest.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <map>

#include <sys/stat.h>

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

struct Bench {
  TempDir dir;
  MovableClock clock;
  InitOrder order;
  std::vector<std::string> tokens;  // handed over

  Bench() {
    order.data.root = dir.path("relay");
    order.settings.api_url = "https://127.0.0.1:8443";
    order.settings.link_address = {"relay.test", 8444};
    order.trust_domain = "sallyport.internal";
    order.organisation = "acme";
    order.owner_name = "olga";
    order.owner_email = "olga@acme.example";
  }
  Result<void> run(std::optional<Error> hand_over_fails = std::nullopt) {
    return init(order, clock, [&](const Secret& token) -> Result<void> {
      tokens.emplace_back(token.reveal());
      if (hand_over_fails) return std::unexpected(*hand_over_fails);
      return {};
    });
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(order.data.root)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      all[fs::relative(entry.path(), order.data.root).string()] = {std::istreambuf_iterator<char>(in), {}};
    }
    return all;
  }
  unsigned mode(const fs::path& path) const {
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    return facts.st_mode & 0777;
  }
};

bool is_whole(const DataDirectory& data) {
  return load_settings(data.settings()) && keys::read_key_file(data.master_key()) &&
         identity::load_deployment(data.deployment()) && !fs::exists(data.unfinished());
}

boost::asio::awaitable<std::vector<store::ApiToken>> tokens_of(store::Stores stores) {
  const auto organisation = must(co_await stores.organisations.find_by_name("acme"));
  const auto page = must(co_await stores.api_tokens.list(organisation.id, {}));
  co_return page.items;
}

}  // namespace

TEST_CASE("a relay is made out of nothing, readable by its owner alone", "[app]") {
  Bench bench;
  must(bench.run());
  const auto& data = bench.order.data;
  CHECK(is_whole(data));
  for (const auto& directory : {data.root, data.root / "keys", data.deployment()}) {
    INFO(directory);
    CHECK(bench.mode(directory) == 0700);
  }
  for (const auto& file : {data.master_key(), data.deployment() / "root.key", data.deployment() / "server.pem",
                           data.database(), data.settings()}) {
    INFO(file);
    CHECK(bench.mode(file) == 0600);
  }
  const auto deployment = must(identity::load_deployment(data.deployment()));
  CHECK(deployment.trust_domain == "sallyport.internal");
  std::vector<std::string> names;
  for (const auto& name : deployment.server.certificate.alt_names()) names.push_back(name.text);
  CHECK(names == std::vector<std::string>{"127.0.0.1", "relay.test"});
}

TEST_CASE("the owner's token is given away once and stored as a hash", "[app]") {
  Bench bench;
  must(bench.run());
  REQUIRE(bench.tokens.size() == 1);
  const auto& token = bench.tokens[0];
  const auto presented = api::parse_token(token);
  REQUIRE(presented);
  {
    auto engine = must(store::SqliteStore::open({.file = bench.order.data.database()}));
    std::vector<store::ApiToken> stored;
    run([](store::Stores stores, std::vector<store::ApiToken>& into) -> boost::asio::awaitable<void> {
      into = co_await tokens_of(stores);
    }(engine->stores(), stored));
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].id == presented->id);
    CHECK(api::is_good(stored[0], presented->hash, bench.clock.wall()));
    CHECK_FALSE(api::is_good(stored[0], presented->hash, bench.clock.wall() + std::chrono::hours(24 * 90)));
    CHECK(stored[0].scopes.contains(domain::Scope::platform_write));
  }
  const auto secret = token.substr(token.size() - 43);  // 32 bytes in base64url
  const auto raw = must(from_base64url(secret));
  bool positive_control = false;
  for (const auto& [name, content] : bench.contents()) {
    INFO(name);
    for (const auto& form : {token, secret, std::string(as_text(raw)), hex(raw), base64(raw)})
      CHECK(content.find(form) == std::string::npos);
    positive_control = positive_control || content.find(as_text(presented->hash)) != std::string::npos;
  }
  CHECK(positive_control);
}

TEST_CASE("a directory that holds a relay, or anything else, is left as it is", "[app]") {
  Bench bench;
  must(bench.run());
  const auto before = bench.contents();
  auto outcome = bench.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::conflict);
  CHECK(outcome.error().message.find("holds a relay already") != std::string::npos);
  CHECK(bench.tokens.size() == 1);
  CHECK(bench.contents() == before);

  fs::remove(bench.order.data.settings());  // lost, which is no invitation to begin anew
  outcome = bench.run();
  CHECK(outcome.error().code == Errc::conflict);
  CHECK(bench.contents().at("relay.db") == before.at("relay.db"));
  CHECK(bench.contents().at("keys/master.key") == before.at("keys/master.key"));

  Bench home;
  home.order.data.root = home.dir.path("home");
  home.dir.write("home/letter.txt", "dear diary");
  fs::permissions(home.order.data.root, fs::perms(0755));
  outcome = home.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::conflict);
  CHECK(outcome.error().message.find("is not empty") != std::string::npos);
  CHECK(home.mode(home.order.data.root) == 0755);
  CHECK(home.contents().size() == 1);
}

TEST_CASE("an empty directory that is there is made private", "[app]") {
  Bench bench;
  fs::create_directory(bench.order.data.root);
  fs::permissions(bench.order.data.root, fs::perms(0755));
  must(bench.run());
  CHECK(bench.mode(bench.order.data.root) == 0700);
}

TEST_CASE("a token that cannot be handed over leaves an init that can be started again", "[app]") {
  Bench bench;
  const auto outcome = bench.run(Error{Errc::unavailable, "cannot write the token"});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message == "cannot write the token");
  CHECK_FALSE(fs::exists(bench.order.data.settings()));
  must(bench.run());
  CHECK(is_whole(bench.order.data));
  REQUIRE(bench.tokens.size() == 2);
  CHECK(bench.tokens[0] != bench.tokens[1]);
}

// What a crash can have left: the mark and the first so many pieces, the last of them perhaps cut short.
TEST_CASE("an init that broke off anywhere is begun anew", "[app]") {
  const std::vector<std::string> in_order = {"keys",
                                             "keys/master.key",
                                             "deployment/root.key",
                                             "deployment/root.pem",
                                             "deployment/server.pem",
                                             "deployment/trust-domain",
                                             "relay.db"};
  for (std::size_t kept = 0; kept <= in_order.size(); ++kept) {
    for (const bool cut : {false, true}) {
      INFO(kept << " pieces" << (cut ? ", the last one cut" : ""));
      Bench bench;
      REQUIRE_FALSE(bench.run(Error{Errc::unavailable, "planted"}));
      const auto& root = bench.order.data.root;
      for (std::size_t i = kept; i < in_order.size(); ++i) fs::remove_all(root / in_order[i]);
      if (cut && kept > 0 && fs::is_regular_file(root / in_order[kept - 1]))
        fs::resize_file(root / in_order[kept - 1], 10);
      must(bench.run());
      CHECK(is_whole(bench.order.data));
      CHECK(store::SqliteStore::open({.file = bench.order.data.database()}).has_value());
    }
  }
}

TEST_CASE("orders that cannot be are refused before anything is made", "[app]") {
  struct Case {
    std::string what;
    std::function<void(InitOrder&)> bend;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"no web address", [](InitOrder& o) { o.settings.api_url = "relay"; }, "web API"},
      {"no organisation", [](InitOrder& o) { o.organisation.clear(); }, "organisation"},
      {"no mail address", [](InitOrder& o) { o.owner_email = "olga"; }, "mail address"},
      {"trust domain", [](InitOrder& o) { o.trust_domain = "Sallyport!"; }, "trust domain"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    Bench bench;
    one.bend(bench.order);
    const auto outcome = bench.run();
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == Errc::invalid);
    CHECK(outcome.error().message.find(one.fragment) != std::string::npos);
    CHECK_FALSE(fs::exists(bench.order.data.root));
    CHECK(bench.tokens.empty());
  }
}

TEST_CASE("a directory that cannot be made", "[app]") {
  Bench bench;
  bench.dir.write("file", "");
  bench.order.data.root = bench.dir.path("file/relay");
  const auto outcome = bench.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::unavailable);
  CHECK(outcome.error().message.find("file/relay") != std::string::npos);
}
