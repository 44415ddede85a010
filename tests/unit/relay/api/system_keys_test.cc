#include "shared/base/json.h"
#include "shared/crypto/hpke.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

// `/v1/system-keys` and `/v1/sealing-keys`.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

constexpr std::string_view kPath = "/v1/system-keys/erp-db";

std::string sealed_bytes(std::size_t size = 256 + crypto::kHpkeOverhead, char fill = 'x') {
  return base64url(as_bytes(std::string(size, fill)));
}

std::string order_for(std::string_view group, std::string_view agent, std::uint64_t version = 1,
                      std::string sealed = sealed_bytes()) {
  return fmt::format(
      R"({{"group":"{}","version":{},"values":["user","password"],"sealed":{{"{}":{{"generation":2,"sealed":"{}"}}}}}})",
      group, version, agent, sealed);
}

Ask put(const Tenant& tenant, std::string body) {
  return {.method = "PUT", .target = std::string(kPath), .token = tenant.token(Role::editor), .body = std::move(body)};
}

}  // namespace

ASYNC_TEST_CASE("a system key is set, shown and removed, and no answer has what was sealed", "[api][system_keys]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("ours");
  const auto targets = co_await world.make_targets(tenant);
  const auto sealed = sealed_bytes();
  const auto set = co_await world.call(put(tenant, order_for(tenant.group.value, targets.agent.value)));
  INFO(set.body);
  REQUIRE(set.status == 200);
  const auto key = json_of(set);
  CHECK(text_of(key, "name") == "erp-db");
  CHECK(key.find("version")->as_int() == 1);
  CHECK(key.find("values")->as_list() == ValueList{Value("password"), Value("user")});
  CHECK(text_of(key, "set_by") == tenant.users.at(Role::editor).value);
  REQUIRE(key.find("agents")->as_list().size() == 1);
  CHECK(text_of(key.find("agents")->as_list()[0], "state") == "sealed");
  CHECK(world.system_keys_changed == std::vector<GroupId>{tenant.group});

  for (const auto* path : {"/v1/system-keys", "/v1/system-keys/erp-db", "/v1/audit-events", "/v1/agents"}) {
    const auto answer = co_await world.call({.target = path, .token = tenant.token(Role::owner)});
    CHECK(answer.status == 200);
    CHECK(answer.body.find(sealed.substr(0, 40)) == std::string::npos);
    CHECK(answer.body.find(std::string(20, 'x')) == std::string::npos);
  }
  const auto held = must(co_await world.stores.system_keys.of_agent(tenant.org, targets.agent));
  REQUIRE(held.size() == 1);
  CHECK(as_text(held[0].copy.sealed_copy).find(std::string(20, 'x')) == std::string_view::npos);  // in the envelope

  const auto removed =
      co_await world.call({.method = "DELETE", .target = std::string(kPath), .token = tenant.token(Role::editor)});
  CHECK(removed.status == 204);
  CHECK(world.system_keys_changed.size() == 2);
  const auto gone = co_await world.call({.target = std::string(kPath), .token = tenant.token(Role::viewer)});
  CHECK(gone.status == 404);
}

ASYNC_TEST_CASE("what is no set of sealed copies is refused, and nothing is kept of it", "[api][system_keys]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("ours");
  const auto other = co_await world.settle("theirs");
  const auto targets = co_await world.make_targets(tenant);
  const auto theirs = co_await world.make_targets(other);
  const auto group = tenant.group.value;
  const auto agent = targets.agent.value;
  const std::vector<std::string> wrong = {
      order_for(group, theirs.agent.value),
      order_for(group, "agt_x"),
      order_for(group, agent, 1, ""),
      order_for(group, agent, 1, "not base64url!"),
      order_for(group, agent, 1, sealed_bytes(255 + crypto::kHpkeOverhead)),
      order_for(group, agent, 1, sealed_bytes((64u << 10) + crypto::kHpkeOverhead)),
      fmt::format(
          R"({{"group":"{}","version":1,"values":["password"],"sealed":{{"{}":{{"generation":0,"sealed":"{}"}}}}}})",
          group, agent, sealed_bytes()),
      fmt::format(R"({{"group":"{}","version":1,"values":["password"],"sealed":{{"{}":{{"sealed":"{}"}}}}}})", group,
                  agent, sealed_bytes()),
      fmt::format(R"({{"group":"{}","version":1,"values":["password"],"sealed":{{"{}":"{}"}}}})", group, agent,
                  sealed_bytes()),
      fmt::format(
          R"({{"group":"{}","version":1,"values":["password"],"sealed":{{"{}":{{"generation":1,"sealed":"{}","password":"x"}}}}}})",
          group, agent, sealed_bytes()),
      fmt::format(R"({{"group":"{}","version":1,"values":["Password"],"sealed":{{}}}})", group),
      fmt::format(R"({{"group":"{}","version":1,"values":[],"sealed":{{}}}})", group),
      fmt::format(R"({{"group":"{}","version":0,"values":["password"],"sealed":{{}}}})", group)};
  for (const auto& body : wrong) {
    const auto answer = co_await world.call(put(tenant, body));
    INFO(body.substr(0, 200) << ": " << answer.body.substr(0, 300));
    CHECK(answer.status == 422);
  }
  const auto none = co_await world.call({.target = std::string(kPath), .token = tenant.token(Role::viewer)});
  CHECK(none.status == 404);
  auto named = put(tenant, order_for(group, agent));
  named.target = "/v1/system-keys/ERP";
  const auto badly = co_await world.call(named);
  CHECK(badly.status >= 400);
  const auto good = co_await world.call(put(tenant, order_for(group, agent)));  // positive control
  CHECK(good.status == 200);
}

ASYNC_TEST_CASE("of two who set a system key at once one is refused", "[api][system_keys]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("ours");
  const auto targets = co_await world.make_targets(tenant);
  const auto first = co_await world.call(put(tenant, order_for(tenant.group.value, targets.agent.value, 7)));
  const auto second = co_await world.call(put(tenant, order_for(tenant.group.value, targets.agent.value, 7)));
  const auto third = co_await world.call(put(tenant, order_for(tenant.group.value, targets.agent.value, 8)));
  CHECK(first.status == 200);
  CHECK(second.status == 409);
  CHECK(third.status == 200);
}

ASYNC_TEST_CASE("the sealing keys of a group's agents are told, of nobody else's", "[api][system_keys][tenancy]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("ours");
  const auto other = co_await world.settle("theirs");
  const auto targets = co_await world.make_targets(tenant);
  const auto path = "/v1/sealing-keys?group=" + tenant.group.value;
  auto answer = co_await world.call({.target = path, .token = tenant.token(Role::viewer)});
  REQUIRE(items_of(answer).size() == 1);
  CHECK(items_of(answer)[0].find("statement")->is_null());
  must(co_await world.stores.system_keys.put_sealing_key(
      tenant.org, {targets.agent, 1, Bytes(10, std::byte{1}), world.clock.wall()}));
  answer = co_await world.call({.target = path, .token = tenant.token(Role::viewer)});
  CHECK(text_of(items_of(answer)[0], "statement") == base64url(Bytes(10, std::byte{1})));
  CHECK(text_of(items_of(answer)[0], "agent") == targets.agent.value);
  const auto foreign = co_await world.call({.target = path, .token = other.token(Role::owner)});
  CHECK(foreign.status == 404);
}
