#include "tests/contract/store/tunnels.h"

#include <set>

using namespace sallyport;
using namespace sallyport::test;
using store::Tunnel;
using store::TunnelStatus;

namespace {

awaitable<Errc> add_code(World& world, const OrgId& org, Tunnel tunnel) {
  auto added = co_await world.stores.tunnels.add(org, std::move(tunnel));
  co_return refusal(added);
}

Tunnel listening(World& world, const Tenant& tenant, std::string address, std::uint16_t port) {
  Tunnel tunnel = new_tunnel(world, tenant);
  tunnel.listener = {{std::move(address), port}};
  return tunnel;
}

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

}  // namespace

STORE_TEST_CASE("tunnels: everything comes back as it was given", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  Tunnel full = new_tunnel(world, world.ours, "erp \"db\" ü");
  full.org = world.theirs.org;  // the organisation comes from the argument
  full.agent = world.ours.agent;
  full.listener = {{"::1", 65535}};
  full.networks = {"10.0.0.0/8", "::1/128", "127.0.0.1/32"};
  const auto token = co_await added_token(world, world.ours);
  full.access = {.roles = {domain::Role::owner, domain::Role::viewer}, .tokens = {token}};
  full.limits = {.connections = 1000, .bytes_per_second = std::uint64_t{1} << 62, .idle = std::chrono::hours(24 * 365)};
  full.expires_at = at_ms(77'777);
  full.status = TunnelStatus::paused;
  must(co_await tunnels.add(org, full));
  const auto found = must(co_await tunnels.find(org, full.id));
  full.org = org;
  check_same(found, full);

  Tunnel nobodys = new_tunnel(world, world.ours, "nobody may open it");
  nobodys.access = {.roles = {}};
  must(co_await tunnels.add(org, nobodys));
  const auto kept = must(co_await tunnels.find(org, nobodys.id));
  check_same(kept, nobodys);

  const Tunnel bare = new_tunnel(world, world.ours, "bare");
  must(co_await tunnels.add(org, bare));
  const auto plain = must(co_await tunnels.find(org, bare.id));
  check_same(plain, bare);
  CHECK_FALSE(plain.agent);
  CHECK_FALSE(plain.listener);
  CHECK_FALSE(plain.expires_at);
  CHECK_FALSE(plain.removed_at);
}

STORE_TEST_CASE("tunnels: a name is taken until its tunnel is removed", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel first = new_tunnel(world, world.ours, "db");
  must(co_await tunnels.add(org, first));
  auto taken = co_await tunnels.add(org, new_tunnel(world, world.ours, "db"));
  CHECK(refusal(taken) == Errc::conflict);
  CHECK_THAT(taken.error().message, Catch::Contains("name"));
  must(co_await tunnels.add(world.theirs.org, new_tunnel(world, world.theirs, "db")));
  must(co_await tunnels.remove(org, first.id, at_ms(5)));
  must(co_await tunnels.add(org, new_tunnel(world, world.ours, "db")));
}

STORE_TEST_CASE("tunnels: group and agent have to be there, and belong together", "[store][tunnels]") {
  const OrgId org = world.ours.org;
  const GroupId other = world.id<GroupId>("grp_"), removed = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(org, {other, org, "dc2", at_ms(0)}));
  must(co_await world.stores.groups.add(org, {removed, org, "dc3", at_ms(0)}));
  must(co_await world.stores.groups.remove(org, removed, at_ms(1)));
  struct Row {
    const char* what;
    GroupId group;
    std::optional<AgentId> agent;
  };
  for (const Row& row : {Row{"an absent group", GroupId("grp_absent"), {}}, Row{"a removed group", removed, {}},
                         Row{"another organisation's group", world.theirs.group, {}},
                         Row{"an absent agent", world.ours.group, AgentId("agt_absent")},
                         Row{"an agent of another group", other, world.ours.agent},
                         Row{"another organisation's agent", world.ours.group, world.theirs.agent},
                         Row{"another organisation's group and agent", world.theirs.group, world.theirs.agent}}) {
    INFO(row.what);
    Tunnel tunnel = new_tunnel(world, world.ours);
    tunnel.group = row.group;
    tunnel.agent = row.agent;
    const auto code = co_await add_code(world, org, tunnel);
    CHECK(code == Errc::not_found);
    auto found = co_await world.stores.tunnels.find(org, tunnel.id);
    CHECK(refusal(found) == Errc::not_found);
  }
  must(co_await world.stores.agents.revoke(org, world.ours.agent, at_ms(2)));
  Tunnel pinned = new_tunnel(world, world.ours);
  pinned.agent = world.ours.agent;
  const auto revoked = co_await add_code(world, org, pinned);
  CHECK(revoked == Errc::not_found);
}

STORE_TEST_CASE("tunnels: the tokens that may open one are of its organisation", "[store][tunnels]") {
  const auto ours = co_await added_token(world, world.ours), theirs = co_await added_token(world, world.theirs);
  for (const auto& token : {ApiTokenId("tok_absent"), theirs}) {
    Tunnel tunnel = new_tunnel(world, world.ours);
    tunnel.access.tokens = {ours, token};
    const auto code = co_await add_code(world, world.ours.org, tunnel);
    CHECK(code == Errc::not_found);
  }
  Tunnel tunnel = new_tunnel(world, world.ours);
  tunnel.access.tokens = {ours};
  must(co_await world.stores.tunnels.add(world.ours.org, tunnel));
}

STORE_TEST_CASE("tunnels: one stays with its agent when that is moved or revoked", "[store][tunnels]") {
  const OrgId org = world.ours.org;
  Tunnel pinned = new_tunnel(world, world.ours);
  pinned.agent = world.ours.agent;
  must(co_await world.stores.tunnels.add(org, pinned));
  const GroupId other = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(org, {other, org, "dc2", at_ms(0)}));
  must(co_await world.stores.agents.move(org, world.ours.agent, {world.ours.group, other}));
  auto found = must(co_await world.stores.tunnels.find(org, pinned.id));
  check_same(found, pinned);
  must(co_await world.stores.agents.revoke(org, world.ours.agent, at_ms(2)));
  found = must(co_await world.stores.tunnels.find(org, pinned.id));
  check_same(found, pinned);
}

STORE_TEST_CASE("tunnels: a listener is taken once on the whole relay", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  must(co_await tunnels.add(world.ours.org, listening(world, world.ours, "127.0.0.1", 5432)));
  must(co_await tunnels.add(world.theirs.org, listening(world, world.theirs, "0.0.0.0", 6000)));
  must(co_await tunnels.add(world.theirs.org, listening(world, world.theirs, "::1", 7000)));
  struct Row {
    const char* address;
    std::uint16_t port;
    bool taken;
  };
  for (const Row& row : {Row{"127.0.0.1", 5432, true},
                         {"0.0.0.0", 5432, true},
                         {"127.0.0.2", 5432, false},
                         {"::", 5432, false},
                         {"127.0.0.1", 5433, false},
                         {"0.0.0.0", 6000, true},
                         {"10.0.0.1", 6000, true},
                         {"::1", 6000, false},
                         {"::", 7000, true},
                         {"::1", 7000, true},
                         {"fd00::1", 7000, false},
                         {"0.0.0.0", 7000, false}}) {
    for (const Tenant& tenant : {world.ours, world.theirs}) {
      INFO(row.address << " port " << row.port << " for " << tenant.org.value);
      const Tunnel tunnel = listening(world, tenant, row.address, row.port);
      auto added = co_await tunnels.add(tenant.org, tunnel);
      CHECK(added.has_value() == !row.taken);
      if (!added) CHECK(added.error().code == Errc::conflict);
      if (added) must(co_await tunnels.remove(tenant.org, tunnel.id, at_ms(0) - store::kListenerClaim));
    }
  }
}

STORE_TEST_CASE("tunnels: a conflict names ours, and nothing of another organisation's", "[store][tunnels][tenancy]") {
  auto& tunnels = world.stores.tunnels;
  Tunnel theirs = listening(world, world.theirs, "0.0.0.0", 5432);
  theirs.name = "their-secret-name";
  must(co_await tunnels.add(world.theirs.org, theirs));
  auto foreign = co_await tunnels.add(world.ours.org, listening(world, world.ours, "127.0.0.1", 5432));
  CHECK(refusal(foreign) == Errc::conflict);
  const std::string message = foreign ? "" : foreign.error().message;
  CHECK_THAT(message, Catch::Contains("127.0.0.1 port 5432 is taken"));
  for (const auto& hidden : {theirs.name, theirs.id.value, world.theirs.org.value, std::string("0.0.0.0")}) {
    INFO(hidden);
    CHECK_THAT(message, !Catch::Contains(hidden));
  }
  auto own = co_await tunnels.add(world.theirs.org, listening(world, world.theirs, "127.0.0.1", 5432));
  CHECK(refusal(own) == Errc::conflict);
  CHECK_THAT(own.error().message, Catch::Contains("\"their-secret-name\" listens on 0.0.0.0 port 5432"));
}

STORE_TEST_CASE("tunnels: a paused or expired one keeps its listener, a removed one does not", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  Tunnel first = listening(world, world.ours, "127.0.0.1", 5432);
  first.expires_at = at_ms(1);
  must(co_await tunnels.add(org, first));
  must(co_await tunnels.set_status(org, first.id, TunnelStatus::paused));
  auto code = co_await add_code(world, org, listening(world, world.ours, "127.0.0.1", 5432));
  CHECK(code == Errc::conflict);
  must(co_await tunnels.remove(org, first.id, at_ms(0) - store::kListenerClaim));
  must(co_await tunnels.add(world.theirs.org, listening(world, world.theirs, "127.0.0.1", 5432)));
  code = co_await add_code(world, org, listening(world, world.ours, "127.0.0.1", 5432));
  CHECK(code == Errc::conflict);
}

STORE_TEST_CASE("tunnels: what a removed one listened on is its organisation's for a day",
                "[store][tunnels][tenancy]") {
  auto& tunnels = world.stores.tunnels;
  Tunnel first = listening(world, world.ours, "10.0.0.1", 5432);
  first.name = "our-secret-name";
  must(co_await tunnels.add(world.ours.org, first));
  const auto removed = at_ms(500);
  must(co_await tunnels.remove(world.ours.org, first.id, removed));
  struct Row {
    const char* address;
    std::uint16_t port;
    std::chrono::milliseconds after;
    bool taken;
  };
  using std::chrono::milliseconds;
  const milliseconds day = store::kListenerClaim;
  CHECK(day == std::chrono::hours(24));
  for (const Row& row : {Row{"10.0.0.1", 5432, milliseconds(0), true},
                         {"10.0.0.1", 5432, day - milliseconds(1), true},
                         {"0.0.0.0", 5432, day - milliseconds(1), true},
                         {"10.0.0.1", 5432, milliseconds(-7), true},  // the clock was set back
                         {"10.0.0.1", 5432, day, false},
                         {"0.0.0.0", 5432, day, false},
                         {"10.0.0.2", 5432, milliseconds(0), false},
                         {"::", 5432, milliseconds(0), false},
                         {"10.0.0.1", 5433, milliseconds(0), false}}) {
    INFO(row.address << " port " << row.port << " " << row.after.count() << " ms after");
    Tunnel foreign = listening(world, world.theirs, row.address, row.port);
    foreign.created_at = removed + row.after;
    auto added = co_await tunnels.add(world.theirs.org, foreign);
    CHECK(added.has_value() == !row.taken);
    if (added) must(co_await tunnels.remove(world.theirs.org, foreign.id, at_ms(0) - day));
    if (added) continue;
    CHECK(added.error().code == Errc::conflict);
    CHECK_THAT(added.error().message, Catch::Contains(std::string(row.address) + " port 5432 is taken on this relay"));
    CHECK_THAT(added.error().message, !Catch::Contains("secret"));
  }
  Tunnel own = listening(world, world.ours, "0.0.0.0", 5432);
  own.created_at = removed;
  must(co_await tunnels.add(world.ours.org, own));
}

STORE_TEST_CASE("tunnels: an organisation has so many at the most", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  std::vector<TunnelId> ids;
  for (std::size_t i = 0; i < store::kMostTunnels; ++i) {
    const Tunnel tunnel = new_tunnel(world, world.ours);
    ids.push_back(tunnel.id);
    must(co_await tunnels.add(org, tunnel));
  }
  auto beyond = co_await tunnels.add(org, new_tunnel(world, world.ours));
  CHECK(refusal(beyond) == Errc::conflict);
  CHECK_THAT(beyond.error().message, Catch::Contains("there are 500 tunnels already"));
  must(co_await tunnels.add(world.theirs.org, new_tunnel(world, world.theirs)));
  must(co_await tunnels.set_status(org, ids[0], TunnelStatus::paused));  // takes a place still
  beyond = co_await tunnels.add(org, new_tunnel(world, world.ours));
  CHECK(refusal(beyond) == Errc::conflict);
  must(co_await tunnels.remove(org, ids[0], at_ms(1)));
  must(co_await tunnels.add(org, new_tunnel(world, world.ours)));
}

STORE_TEST_CASE("tunnels: pages are oldest first, whole and filtered", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) {
    Tunnel tunnel = new_tunnel(world, world.ours, "t" + std::to_string(9 - i));
    if (i % 2 == 1) tunnel.status = TunnelStatus::paused;
    must(co_await tunnels.add(org, tunnel));
    if (i == 2) {
      must(co_await tunnels.remove(org, tunnel.id, at_ms(1)));
    } else {
      names.push_back(tunnel.name);
    }
  }
  must(co_await tunnels.add(world.theirs.org, new_tunnel(world, world.theirs, "t9")));
  auto listed = co_await all_names(world, org, {});
  CHECK(listed == names);
  listed = co_await all_names(world, org, {.status = TunnelStatus::paused});
  CHECK(listed == std::vector<std::string>{"t8", "t6"});
  listed = co_await all_names(world, org, {.status = TunnelStatus::active});
  CHECK(listed == std::vector<std::string>{"t9", "t5"});
  listed = co_await all_names(world, org, {.name = "t8"});
  CHECK(listed == std::vector<std::string>{"t8"});
  for (const store::TunnelFilter& none :
       {store::TunnelFilter{.name = "t7"}, {.name = "t8", .status = TunnelStatus::active}, {.name = ""}}) {
    listed = co_await all_names(world, org, none);
    CHECK(listed.empty());
  }
}

STORE_TEST_CASE("tunnels: the relay's start sees those of all organisations", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  std::set<std::string> wanted;
  for (int i = 0; i < 3; ++i) {
    for (const Tenant& tenant : {world.ours, world.theirs}) {
      Tunnel tunnel = new_tunnel(world, tenant, "t" + std::to_string(i));
      if (i == 2) tunnel.status = TunnelStatus::paused;
      must(co_await tunnels.add(tenant.org, tunnel));
      wanted.insert(tunnel.org.value + "/" + tunnel.id.value);
    }
  }
  const Tunnel gone = new_tunnel(world, world.ours, "gone");
  must(co_await tunnels.add(world.ours.org, gone));
  must(co_await tunnels.remove(world.ours.org, gone.id, at_ms(1)));
  for (const std::size_t limit : {1, 2, 3, 6, 50}) {
    INFO("pages of " << limit);
    std::set<std::string> seen;
    store::PageQuery query{.limit = limit};
    do {
      const auto page = must(co_await tunnels.list_everywhere(query));
      CHECK(page.items.size() <= limit);
      for (const auto& one : page.items) CHECK(seen.insert(one.org.value + "/" + one.id.value).second);
      query.after = page.next;
    } while (!query.after.empty() && seen.size() <= wanted.size());
    CHECK(seen == wanted);
  }
}

STORE_TEST_CASE("tunnels: pausing tells what is now, and is noted once", "[store][tunnels][audit]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel tunnel = new_tunnel(world, world.ours);
  must(co_await tunnels.add(org, tunnel));
  const auto note = [&](std::shared_ptr<bool> stored) -> store::AuditNote<> {
    return {[org]() -> Result<store::AuditEntry> {
              return store::AuditEntry{org, {EventId("evt_1"), at_ms(5), R"({"action":"tunnel.pause"})"}};
            },
            std::move(stored)};
  };
  for (const bool first : {true, false}) {
    INFO("the first time: " << first);
    auto stored = std::make_shared<bool>(false);
    const auto now = must(co_await tunnels.set_status(org, tunnel.id, TunnelStatus::paused, note(stored)));
    CHECK(now.status == TunnelStatus::paused);
    CHECK(now.name == tunnel.name);
    CHECK(*stored == first);
    const auto ledger = must(co_await world.stores.audit_log.verify(org));
    CHECK(ledger.rows == 1);
  }
  const auto found = must(co_await tunnels.find(org, tunnel.id));
  CHECK(found.status == TunnelStatus::paused);
  const auto resumed = must(co_await tunnels.set_status(org, tunnel.id, TunnelStatus::active));
  CHECK(resumed.status == TunnelStatus::active);
}

STORE_TEST_CASE("tunnels: one that was removed is gone", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel tunnel = new_tunnel(world, world.ours);
  must(co_await tunnels.add(org, tunnel));
  must(co_await tunnels.remove(org, tunnel.id, at_ms(3)));
  auto again = co_await tunnels.remove(org, tunnel.id, at_ms(4));
  CHECK(refusal(again) == Errc::not_found);
  auto found = co_await tunnels.find(org, tunnel.id);
  CHECK(refusal(found) == Errc::not_found);
  auto paused = co_await tunnels.set_status(org, tunnel.id, TunnelStatus::paused);
  CHECK(refusal(paused) == Errc::not_found);
  const auto listed = co_await all_names(world, org, {});
  CHECK(listed.empty());
}

STORE_TEST_CASE("tunnels: another organisation's tunnel does not exist", "[store][tunnels][tenancy]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel foreign = new_tunnel(world, world.theirs, "db");
  must(co_await tunnels.add(world.theirs.org, foreign));
  auto found = co_await tunnels.find(org, foreign.id);
  CHECK(refusal(found) == Errc::not_found);
  auto absent = co_await tunnels.find(org, TunnelId("tun_absent"));
  CHECK(refusal(absent) == Errc::not_found);
  if (!found && !absent) CHECK(found.error() == absent.error());
  auto paused = co_await tunnels.set_status(org, foreign.id, TunnelStatus::paused);
  CHECK(refusal(paused) == Errc::not_found);
  auto removed = co_await tunnels.remove(org, foreign.id, at_ms(1));
  CHECK(refusal(removed) == Errc::not_found);
  const auto listed = co_await all_names(world, org, {.name = "db"});
  CHECK(listed.empty());
  const auto untouched = must(co_await tunnels.find(world.theirs.org, foreign.id));
  check_same(untouched, foreign);
}

STORE_TEST_CASE("tunnels: a group stays while a tunnel goes through it", "[store][tunnels][groups]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const GroupId group = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(org, {group, org, "dc2", at_ms(0)}));
  Tunnel tunnel = new_tunnel(world, world.ours, "erp");
  tunnel.group = group;
  tunnel.status = TunnelStatus::paused;
  must(co_await tunnels.add(org, tunnel));
  auto in_use = co_await world.stores.groups.remove(org, group, at_ms(1));
  CHECK(refusal(in_use) == Errc::conflict);
  CHECK_THAT(in_use.error().message, Catch::Contains("tunnel \"erp\" goes through it: remove it"));
  must(co_await tunnels.remove(org, tunnel.id, at_ms(2)));
  must(co_await world.stores.groups.remove(org, group, at_ms(3)));
}
