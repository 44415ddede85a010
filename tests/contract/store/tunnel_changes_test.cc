#include "tests/contract/store/tunnels.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::test;
using store::TunnelChange;
using store::TunnelStatus;
using Note = store::AuditNote<store::ChangedTunnel>;

namespace {

awaitable<ApiTokenId> added_token(World& world, Tenant tenant) {
  const auto id = world.id<ApiTokenId>("tok_");
  must(co_await world.stores.api_tokens.add(tenant.org, {.id = id,
                                                         .org = tenant.org,
                                                         .user = tenant.owner,
                                                         .name = "t",
                                                         .secret_hash = Bytes(32),
                                                         .created_at = at_ms(1)}));
  co_return id;
}

Note note(const OrgId& org, std::shared_ptr<bool> stored) {
  return {[org](const store::ChangedTunnel& tunnel) -> Result<store::AuditEntry> {
            const auto text = fmt::format(R"({{"action":"tunnel.change","was":{},"is":{}}})",
                                          tunnel.before.limits.connections, tunnel.now.limits.connections);
            return store::AuditEntry{org, {EventId("evt_1"), at_ms(5), text}};
          },
          std::move(stored)};
}

}  // namespace

STORE_TEST_CASE("tunnels: of what can be changed each is changed by itself", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  auto tunnel = new_tunnel(world, world.ours);
  tunnel.listener = {{"127.0.0.1", 15432}};
  tunnel.limits = {.connections = 5, .bytes_per_second = 1000, .idle = std::chrono::seconds(60)};
  tunnel.expires_at = at_ms(77'777);
  must(co_await tunnels.add(org, tunnel));
  const auto token = co_await added_token(world, world.ours);
  using Roles = std::vector<domain::Role>;
  using Tokens = std::vector<ApiTokenId>;
  using Texts = std::vector<std::string>;
  struct Row {
    const char* what;
    TunnelChange change;
    std::function<void(store::Tunnel&)> expected;
  };
  for (const Row& row : {
           Row{"networks",
               {.networks = Texts{"10.0.0.0/8", "::1/128"}},
               [](auto& one) { one.networks = {"10.0.0.0/8", "::1/128"}; }},
           Row{"roles",
               {.roles = Roles{domain::Role::viewer}},
               [](auto& one) { one.access.roles = {domain::Role::viewer}; }},
           Row{"tokens", {.tokens = Tokens{token}}, [&](auto& one) { one.access.tokens = {token}; }},
           Row{"no roles", {.roles = Roles{}}, [](auto& one) { one.access.roles.clear(); }},
           Row{"no tokens", {.tokens = Tokens{}}, [](auto& one) { one.access.tokens.clear(); }},
           Row{"connections", {.connections = 7}, [](auto& one) { one.limits.connections = 7; }},
           Row{"rate", {.bytes_per_second = 0}, [](auto& one) { one.limits.bytes_per_second = 0; }},
           Row{"idle", {.idle = std::chrono::hours(2)}, [](auto& one) { one.limits.idle = std::chrono::hours(2); }},
           Row{"no end", {.expires_at = std::optional<WallTime>()}, [](auto& one) { one.expires_at.reset(); }},
           Row{"an end", {.expires_at = at_ms(5)}, [](auto& one) { one.expires_at = at_ms(5); }},
           Row{"nothing", {}, [](auto&) {}},
       }) {
    INFO(row.what);
    const auto before = state_of(tunnel);
    row.expected(tunnel);
    const auto changed = must(co_await tunnels.change(org, tunnel.id, row.change));
    CHECK(changed.before == before);
    check_same(changed.now, tunnel);
    const auto found = must(co_await tunnels.find(org, tunnel.id));
    check_same(found, tunnel);
  }
}

STORE_TEST_CASE("tunnels: a change is noted once, with what was and what is", "[store][tunnels][audit]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const auto tunnel = new_tunnel(world, world.ours);
  must(co_await tunnels.add(org, tunnel));
  for (const bool first : {true, false}) {
    INFO("the first time: " << first);
    auto stored = std::make_shared<bool>(false);
    must(co_await tunnels.change(org, tunnel.id, {.connections = 7}, note(org, stored)));
    CHECK(*stored == first);
    const auto ledger = must(co_await world.stores.audit_log.verify(org));
    CHECK(ledger.rows == 1);
  }
  auto stored = std::make_shared<bool>(false);
  const auto broken =
      Note{[](const auto&) -> Result<store::AuditEntry> { return fail(Errc::internal, "no ledger"); }, stored};
  auto refused = co_await tunnels.change(org, tunnel.id, {.connections = 8}, broken);
  CHECK(refusal(refused) == Errc::internal);
  CHECK_FALSE(*stored);
  const auto found = must(co_await tunnels.find(org, tunnel.id));
  CHECK(found.limits.connections == 7);  // both or neither
}

STORE_TEST_CASE("tunnels: a change holds to the state that its caller saw", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const auto tunnel = new_tunnel(world, world.ours);
  must(co_await tunnels.add(org, tunnel));
  const auto seen = state_of(tunnel);
  must(co_await tunnels.set_status(org, tunnel.id, TunnelStatus::paused));
  auto refused = co_await tunnels.change(org, tunnel.id, {.connections = 7, .only_if = seen});
  CHECK(refusal(refused) == Errc::conflict);
  auto now = seen;
  now.status = TunnelStatus::paused;
  const auto changed = must(co_await tunnels.change(org, tunnel.id, {.connections = 7, .only_if = now}));
  CHECK(changed.now.limits.connections == 7);
  CHECK(changed.now.status == TunnelStatus::paused);
}

STORE_TEST_CASE("tunnels: only tokens that are new to a tunnel have to be there", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const auto ours = co_await added_token(world, world.ours), theirs = co_await added_token(world, world.theirs);
  auto tunnel = new_tunnel(world, world.ours);
  tunnel.access.tokens = {ours};
  must(co_await tunnels.add(org, tunnel));
  for (const auto& token : {ApiTokenId("tok_absent"), theirs}) {
    auto refused = co_await tunnels.change(org, tunnel.id, {.tokens = std::vector{ours, token}});
    CHECK(refusal(refused) == Errc::not_found);
  }
  const auto untouched = must(co_await tunnels.find(org, tunnel.id));
  check_same(untouched, tunnel);
}

STORE_TEST_CASE("tunnels: what is not there, or not the caller's, is not changed", "[store][tunnels][tenancy]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const auto foreign = new_tunnel(world, world.theirs, "db"), removed = new_tunnel(world, world.ours);
  must(co_await tunnels.add(world.theirs.org, foreign));
  must(co_await tunnels.add(org, removed));
  must(co_await tunnels.remove(org, removed.id, at_ms(3)));
  for (const auto& id : {foreign.id, removed.id, TunnelId("tun_absent")}) {
    auto refused = co_await tunnels.change(org, id, {.connections = 7});
    CHECK(refusal(refused) == Errc::not_found);
  }
  const auto untouched = must(co_await tunnels.find(world.theirs.org, foreign.id));
  check_same(untouched, foreign);
}
