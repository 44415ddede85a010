#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/tunnel_asks.h"

// Who may open a tunnel from a workstation.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("who may open a tunnel stands with it", "[api][tunnels][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  struct Row {
    std::string_view name;
    std::string members;
    std::string access;
  };
  const auto token = targets.token.value;
  for (const auto& row : {Row{"usual", "", R"({"roles":["owner","editor"],"tokens":[]})"},
                          Row{"nothing", R"("access":{})", R"({"roles":["owner","editor"],"tokens":[]})"},
                          Row{"viewers", R"("access":{"roles":["viewer","owner","viewer"]})",
                              R"({"roles":["owner","viewer"],"tokens":[]})"},
                          Row{"nobody", R"("access":{"roles":[]})", R"({"roles":[],"tokens":[]})"},
                          Row{"one-token", fmt::format(R"("access":{{"tokens":["{0}","{0}"]}})", token),
                              fmt::format(R"({{"roles":[],"tokens":["{}"]}})", token)}}) {
    INFO(row.name);
    const auto made = co_await world.call(order(tenant, row.members, row.name));
    REQUIRE(made.status == 201);
    CHECK(to_json(*json_of(made).find("access")) == row.access);
  }
  const auto other = co_await world.settle("b");
  const auto foreign = co_await world.make_targets(other);
  for (const auto& [members, status] : {std::pair{std::string(R"("access":{"roles":["admin"]})"), 422},
                                        {R"("access":{"users":[]})", 422},
                                        {R"("access":{"tokens":["x"]})", 422},
                                        {fmt::format(R"("access":{{"tokens":["{}"]}})", foreign.token.value), 404}}) {
    INFO(members);
    const auto refused = co_await world.call(order(tenant, members, "bad"));
    CHECK(refused.status == status);
  }
}

ASYNC_TEST_CASE("a session is given to whom the tunnel lets in, and asked about again", "[api][tunnels][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto made = json_of(co_await world.call(order(tenant)));
  const auto session = place_of(made) + "/session";
  const auto refused = co_await world.call({"GET", session, tenant.token(Role::viewer)});
  CHECK(refused.status == 403);
  CHECK_THAT(refused.body, Catch::Contains("access"));
  const auto absent =
      co_await world.call({"GET", fmt::format("/v1/tunnels/{}/session", crypto::new_id<TunnelId>(world.clock).value),
                           tenant.token(Role::editor)});
  CHECK(absent.status == 404);
  for (const auto& [code, status] :
       {std::pair{Errc::conflict, 409}, {Errc::exhausted, 429}, {Errc::unavailable, 503}}) {
    world.desk.session_fault = Error{code, "as the desk says"};
    const auto full = co_await world.call({"GET", session, tenant.token(Role::editor)});
    CHECK(full.status == status);
    CHECK_THAT(full.body, Catch::Contains("as the desk says"));
  }
  world.desk.session_fault.reset();

  auto reply = co_await world.play({"GET", session, tenant.token(Role::editor)});
  const auto* upgrade = std::get_if<http::UpgradeResponse>(&reply);
  REQUIRE(upgrade != nullptr);
  CHECK(upgrade->protocol == "sallyport-tunnel/1");
  CHECK(upgrade->serve);
  REQUIRE(world.desk.openers.size() == 1);
  const auto& opener = world.desk.openers[0];
  CHECK(opener.user == tenant.users.at(Role::editor));
  CHECK_FALSE(opener.source.empty());
  CHECK(upgrade->actor == "token:" + opener.token.value);
  auto denial = must(co_await world.desk.ask());
  CHECK_FALSE(denial);
  must(co_await world.stores.users.change_role(tenant.org, opener.user, Role::viewer, world.clock.wall()));
  denial = must(co_await world.desk.ask());
  REQUIRE(denial);
  CHECK(denial->code == "forbidden");
  must(co_await world.stores.users.change_role(tenant.org, opener.user, Role::editor, world.clock.wall()));
  denial = must(co_await world.desk.ask());
  CHECK_FALSE(denial);
  must(co_await world.stores.tunnels.remove(tenant.org, TunnelId(text_of(made, "id")), world.clock.wall()));
  denial = must(co_await world.desk.ask());
  REQUIRE(denial);
  CHECK(denial->code == "removed");
  must(co_await world.stores.api_tokens.revoke(tenant.org, opener.token, world.clock.wall()));
  denial = must(co_await world.desk.ask());
  REQUIRE(denial);
  CHECK(denial->code == "revoked");
}
