#include "relay/app/owner_token.h"

#include "relay/api/api_token.h"
#include "relay/app/data_lock.h"
#include "relay/app/options.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/app/made_relay.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

// A way into a relay whose tokens are all lost, for whoever holds its data directory.
using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

// Does something with the stopped relay's database.
template <class Use>
void with_stores(const DataDirectory& data, Use use) {
  auto database = store::SqliteStore::open({.file = data.database()});
  REQUIRE(database);
  run(use((*database)->stores()));
}

boost::asio::awaitable<void> add_organisation(store::Stores stores, std::string id, store::User user) {
  auto made = co_await stores.organisations.add({OrgId(id), id, kClock.wall()});
  REQUIRE(made);
  user.id = UserId("usr_" + id);
  auto added = co_await stores.users.add(OrgId(id), std::move(user));
  REQUIRE(added);
}

boost::asio::awaitable<void> check_token(store::Stores stores, std::string_view text) {
  const auto presented = api::parse_token(text);
  REQUIRE(presented);
  const auto found = co_await stores.api_tokens.find_for_authentication(presented->id);
  REQUIRE(found);
  CHECK(api::is_good(found->token, presented->hash, kClock.wall()));
  CHECK(api::is_good(found->token, presented->hash, kClock.wall() + std::chrono::hours(24 * 89)));
  CHECK_FALSE(api::is_good(found->token, presented->hash, kClock.wall() + std::chrono::hours(24 * 91)));
  CHECK(found->user.email == "ada@acme.example");
  CHECK(found->token.scopes == domain::scopes_of(domain::Role::owner, domain::PlatformRights::admin));
  auto rows = co_await stores.audit_log.list(found->token.org, {.action = "token.create", .since = {}}, {});
  REQUIRE(rows);
  REQUIRE(rows->items.size() == 1);
  const auto row = parse_json(store::whole_json(rows->items[0].event));
  REQUIRE(row);
  CHECK(row->find("actor")->as_string() == "system");
  CHECK(row->find("target")->as_string() == "token:" + presented->id.value);
  CHECK(row->find("detail")->find("for_user")->as_string() == found->user.id.value);
}

void refuses(const TokenOrder& order, Errc code, std::string_view says) {
  const auto token = make_owner_token(order, kClock);
  REQUIRE_FALSE(token);
  CHECK(token.error().code == code);
  CHECK_THAT(token.error().message, Catch::Contains(std::string(says)));
}

struct Ran {
  int code;
  std::string out, err;
};
Ran relay_program(const TempDir& folder, std::string_view words) {
  const auto command = fmt::format("cd {0} && {1}/sallyport-relay >out 2>err {2}", folder.path(),
                                   fs::absolute(std::getenv("SALLYPORT_BIN")).string(), words);
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), folder.read("out"), folder.read("err")};
}

}  // namespace

TEST_CASE("an owner's new token is good, audited, and all that they may", "[app][token]") {
  const TempDir folder;
  const auto data = made_relay(folder).data;
  const auto token = make_owner_token({data, "Ada@ACME.example", ""}, kClock);
  REQUIRE(token);
  CHECK(token->reveal() != folder.read("relay/first-owner.token"));
  with_stores(data, [&](store::Stores stores) { return check_token(stores, token->reveal()); });
  CHECK(make_owner_token({data, "ada@acme.example", "acme"}, kClock));
}

TEST_CASE("who gets no token is told why", "[app][token]") {
  const TempDir folder;
  const auto data = made_relay(folder).data;
  const auto add = [&](std::string id, std::string email, domain::Role role) {
    with_stores(data, [&](store::Stores stores) {
      return add_organisation(stores, id, {.email = email, .role = role, .created_at = kClock.wall()});
    });
  };
  add("org_two", "ada@acme.example", domain::Role::owner);
  add("org_three", "eve@acme.example", domain::Role::editor);
  refuses({data, "bob@acme.example", ""}, Errc::not_found, "there is no user bob@acme.example");
  refuses({data, "ada@acme.example", "nowhere"}, Errc::not_found, "the organisation \"nowhere\"");
  refuses({data, "ada@acme.example", ""}, Errc::invalid, "of 2 organisations: name one with --organisation");
  refuses({data, "eve@acme.example", ""}, Errc::invalid, "eve@acme.example has the role editor in \"org_three\"");
  refuses({{folder.path("elsewhere")}, "ada@acme.example", ""}, Errc::not_found, "holds no relay");
  CHECK(make_owner_token({data, "ada@acme.example", "org_two"}, kClock));

  const auto running = DataLock::take(data);
  REQUIRE(running);
  refuses({data, "ada@acme.example", "acme"}, Errc::conflict, "uses the data directory");
}

TEST_CASE("no token by another user than the relay's, which could not open what that leaves", "[app][token]") {
  if (::geteuid() != 0) {  // only root gets that far
    WARN("not tested: needs root");
    return;
  }
  const TempDir folder;
  const auto data = made_relay(folder).data;
  fs::remove(data.lock());
  REQUIRE(::chown(data.root.c_str(), 65534, 65534) == 0);
  refuses({data, "ada@acme.example", "acme"}, Errc::forbidden, "belongs to nobody");
  CHECK_FALSE(fs::exists(data.lock()));
}

TEST_CASE("the words of token", "[app][token]") {
  CHECK_FALSE(token_order({{"data", "x"}}));
  CHECK_FALSE(token_order({{"owner", "ada@acme.example"}}));
  const auto order = token_order({{"data", "x"}, {"owner", "ada@acme.example"}, {"organisation", "acme"}});
  REQUIRE(order);
  CHECK(order->organisation == "acme");
}

TEST_CASE("the programs: help and version as people ask for them", "[app][init]") {
  if (std::getenv("SALLYPORT_BIN") == nullptr) {
    WARN("no SALLYPORT_BIN: the program was not run");
    return;
  }
  const TempDir folder;
  for (const auto* words : {"--help", "init --help", "serve --help", "token -h", "init --data x --help"}) {
    INFO(words);
    const auto help = relay_program(folder, words);
    CHECK(help.code == 0);
    CHECK_THAT(help.out, Catch::StartsWith("usage: sallyport-relay init"));
    CHECK(help.err.empty());
  }
  const auto version = relay_program(folder, "--version");
  CHECK(version.code == 0);
  CHECK_THAT(version.out, Catch::StartsWith("sallyport-relay "));
  CHECK_FALSE(folder.has("x"));
}

TEST_CASE("the program: a token for who lost theirs", "[app][token]") {
  if (std::getenv("SALLYPORT_BIN") == nullptr) {
    WARN("no SALLYPORT_BIN: the program was not run");
    return;
  }
  const TempDir folder;
  const auto data = made_relay(folder).data;
  const auto printed = relay_program(folder, "token --data relay --owner ada@acme.example");
  CHECK(printed.code == 0);
  CHECK_THAT(printed.out, Catch::StartsWith("spt_"));
  const auto filed = relay_program(folder, "token --data relay --owner ada@acme.example --token-file new.token");
  CHECK(filed.code == 0);
  CHECK(filed.out.empty());
  CHECK_THAT(folder.read("new.token"), Catch::StartsWith("spt_"));
  CHECK(relay_program(folder, "token --data relay --owner ada@acme.example --token-file new.token").code == 1);
  CHECK(relay_program(folder, "token --data relay").code == 2);
  const auto closed = relay_program(folder, "token --data relay --owner ada@acme.example >/dev/full");
  CHECK_THAT(closed.err, Catch::Contains("the token was made and cannot be handed over; make another"));
  const auto unknown = relay_program(folder, "token --data relay --owner bob@acme.example");
  CHECK(unknown.code == 1);
  CHECK_THAT(unknown.err, Catch::Contains("there is no user bob@acme.example"));
}
