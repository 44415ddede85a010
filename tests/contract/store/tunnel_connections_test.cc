#include "tests/contract/store/tunnels.h"

using namespace sallyport;
using namespace sallyport::test;
using store::Tunnel;
using store::TunnelConnection;

namespace {

TunnelConnection opened(World& world, const TunnelId& tunnel) {
  const auto id = world.id<TunnelConnectionId>("tcn_");
  return {.id = id, .tunnel = tunnel, .source = "127.0.0.1", .opened_at = at_ms(world.made), .end = "", .detail = ""};
}

TunnelConnection closed(TunnelConnection connection, std::string end = "target_closed") {
  connection.closed_at = connection.opened_at + std::chrono::seconds(5);
  connection.to_target = 10;
  connection.from_target = 20;
  connection.end = std::move(end);
  connection.detail = "said " + connection.end;
  return connection;
}

void check_same(const TunnelConnection& found, const TunnelConnection& wanted) {
  INFO(wanted.id.value);
  CHECK(found.id == wanted.id);
  CHECK(found.tunnel == wanted.tunnel);
  CHECK(found.agent == wanted.agent);
  CHECK(found.source == wanted.source);
  CHECK(found.user == wanted.user);
  CHECK(found.token == wanted.token);
  CHECK(found.opened_at == wanted.opened_at);
  CHECK(found.closed_at == wanted.closed_at);
  CHECK(found.to_target == wanted.to_target);
  CHECK(found.from_target == wanted.from_target);
  CHECK(found.end == wanted.end);
  CHECK(found.detail == wanted.detail);
}

awaitable<Tunnel> added_tunnel(World& world, Tenant tenant) {
  const Tunnel tunnel = new_tunnel(world, tenant);
  must(co_await world.stores.tunnels.add(tenant.org, tunnel));
  co_return tunnel;
}

awaitable<std::vector<TunnelConnection>> all_of(World& world, OrgId org, TunnelId tunnel) {
  auto page = must(co_await world.stores.tunnels.list_connections(org, tunnel, {.limit = 200}));
  CHECK(page.next.empty());
  co_return std::move(page.items);
}

}  // namespace

STORE_TEST_CASE("tunnel connections: opened, then completed", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel tunnel = co_await added_tunnel(world, world.ours);
  auto record = opened(world, tunnel.id);
  record.user = world.ours.owner;
  record.token = ApiTokenId("tok_of_the_session");
  must(co_await tunnels.note_connections(org, {record}));
  auto found = co_await all_of(world, org, tunnel.id);
  REQUIRE(found.size() == 1);
  check_same(found[0], record);

  record.agent = world.ours.agent;  // chosen later, and then known
  record.to_target = std::uint64_t{1} << 62;
  record.from_target = 7;
  must(co_await tunnels.note_connections(org, {record}));
  found = co_await all_of(world, org, tunnel.id);
  REQUIRE(found.size() == 1);
  check_same(found[0], record);

  auto end = closed(record);
  end.agent = {};
  end.source = "10.9.9.9";
  end.opened_at = at_ms(1);
  must(co_await tunnels.note_connections(org, {end}));
  found = co_await all_of(world, org, tunnel.id);
  REQUIRE(found.size() == 1);
  check_same(found[0], closed(record));  // agent, source and beginning stay
}

STORE_TEST_CASE("tunnel connections: a closed one is never changed", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel tunnel = co_await added_tunnel(world, world.ours);
  const auto record = opened(world, tunnel.id);
  must(co_await tunnels.note_connections(org, {closed(record)}));  // at once, without having been open
  auto other = closed(record, "relay_closed");
  other.to_target = 999;
  must(co_await tunnels.note_connections(org, {record}));
  must(co_await tunnels.note_connections(org, {other, record, other}));
  const auto changed = must(co_await tunnels.close_open_connections(at_ms(99'999), "relay_stopped", ""));
  CHECK(changed == 0);
  const auto found = co_await all_of(world, org, tunnel.id);
  REQUIRE(found.size() == 1);
  check_same(found[0], closed(record));
}

STORE_TEST_CASE("tunnel connections: a batch of many tunnels, opened and closed in it", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel first = co_await added_tunnel(world, world.ours), second = co_await added_tunnel(world, world.ours);
  std::vector<TunnelConnection> batch;
  for (int i = 0; i < 100; ++i) {
    batch.push_back(opened(world, i % 2 == 0 ? first.id : second.id));
    if (i % 4 == 0) batch.push_back(closed(batch.back()));
  }
  must(co_await tunnels.note_connections(org, batch));
  must(co_await tunnels.note_connections(org, {}));
  for (const Tunnel& tunnel : {first, second}) {
    const auto found = co_await all_of(world, org, tunnel.id);
    CHECK(found.size() == 50);
    for (const auto& one : found) CHECK(one.tunnel == tunnel.id);
    const auto open = std::ranges::count_if(found, [](const auto& one) { return !one.closed_at; });
    CHECK(open == (tunnel.id == first.id ? 25 : 50));
  }
}

STORE_TEST_CASE("tunnel connections: a batch that is too large, or of no such tunnel, stores nothing",
                "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel tunnel = co_await added_tunnel(world, world.ours);
  const Tunnel foreign = co_await added_tunnel(world, world.theirs);
  for (const TunnelId& wrong : {foreign.id, TunnelId("tun_absent"), TunnelId()}) {
    INFO("\"" << wrong.value << "\"");
    std::vector batch = {opened(world, tunnel.id), opened(world, wrong), opened(world, tunnel.id)};
    auto refused = co_await tunnels.note_connections(org, std::move(batch));
    CHECK(refusal(refused) == Errc::not_found);
  }
  std::vector<TunnelConnection> most;
  most.reserve(store::kMostNotedConnections);
  for (std::size_t i = 0; i < store::kMostNotedConnections; ++i) most.push_back(opened(world, tunnel.id));
  auto larger = most;
  larger.push_back(opened(world, tunnel.id));
  auto refused = co_await tunnels.note_connections(org, larger);
  CHECK(refusal(refused) == Errc::too_large);
  auto found = co_await all_of(world, org, tunnel.id);
  CHECK(found.empty());
  found = co_await all_of(world, world.theirs.org, foreign.id);
  CHECK(found.empty());
  must(co_await tunnels.note_connections(org, most));
}

STORE_TEST_CASE("tunnel connections: another organisation's are neither seen nor completed",
                "[store][tunnels][tenancy]") {
  auto& tunnels = world.stores.tunnels;
  const Tunnel foreign = co_await added_tunnel(world, world.theirs);
  const auto record = opened(world, foreign.id);
  must(co_await tunnels.note_connections(world.theirs.org, {record}));
  auto completed = co_await tunnels.note_connections(world.ours.org, {closed(record)});
  CHECK(refusal(completed) == Errc::not_found);
  auto listed = co_await tunnels.list_connections(world.ours.org, foreign.id, {});
  CHECK(refusal(listed) == Errc::not_found);
  auto absent = co_await tunnels.list_connections(world.ours.org, TunnelId("tun_absent"), {});
  CHECK(refusal(absent) == Errc::not_found);
  if (!listed && !absent) CHECK(listed.error() == absent.error());

  // The same id in both: each has its own.
  const Tunnel own = co_await added_tunnel(world, world.ours);
  auto twin = record;
  twin.tunnel = own.id;
  must(co_await tunnels.note_connections(world.ours.org, {closed(twin)}));
  const auto theirs = co_await all_of(world, world.theirs.org, foreign.id);
  REQUIRE(theirs.size() == 1);
  check_same(theirs[0], record);
}

STORE_TEST_CASE("tunnel connections: newest first, in whole pages", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel tunnel = co_await added_tunnel(world, world.ours), other = co_await added_tunnel(world, world.ours);
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) {
    const auto record = opened(world, tunnel.id);
    ids.insert(ids.begin(), record.id.value);
    must(co_await tunnels.note_connections(org, {i % 2 == 0 ? record : closed(record), opened(world, other.id)}));
  }
  for (const std::size_t limit : {1, 2, 6, 7, 8}) {
    INFO("pages of " << limit);
    std::vector<std::string> seen;
    store::PageQuery query{.limit = limit};
    do {
      const auto page = must(co_await tunnels.list_connections(org, tunnel.id, query));
      CHECK(page.items.size() <= limit);
      for (const auto& one : page.items) seen.push_back(one.id.value);
      query.after = page.next;
    } while (!query.after.empty() && seen.size() <= ids.size());
    CHECK(seen == ids);
  }
}

STORE_TEST_CASE("tunnel connections: the records of a removed tunnel stay, and are completed", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel tunnel = co_await added_tunnel(world, world.ours);
  const auto record = opened(world, tunnel.id), late = opened(world, tunnel.id);
  must(co_await tunnels.note_connections(org, {record}));
  must(co_await tunnels.remove(org, tunnel.id, at_ms(50)));
  must(co_await tunnels.note_connections(org, {closed(record, "removed"), closed(late, "removed")}));
  const auto found = co_await all_of(world, org, tunnel.id);
  REQUIRE(found.size() == 2);
  check_same(found[0], closed(late, "removed"));
  check_same(found[1], closed(record, "removed"));
}

STORE_TEST_CASE("tunnel connections: of a tunnel the newest closed ones are kept, and every open one",
                "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const OrgId org = world.ours.org;
  const Tunnel busy = co_await added_tunnel(world, world.ours), quiet = co_await added_tunnel(world, world.ours);
  const auto first_open = opened(world, busy.id), first_of_quiet = closed(opened(world, quiet.id));
  must(co_await tunnels.note_connections(org, {first_open, first_of_quiet}));
  std::vector<TunnelConnection> batch;
  std::vector<TunnelConnectionId> ids;
  const auto flush = [&]() -> awaitable<void> {
    must(co_await tunnels.note_connections(org, batch));
    batch.clear();
  };
  for (std::size_t i = 0; i < store::kMostClosedConnections; ++i) {
    batch.push_back(closed(opened(world, busy.id)));
    ids.push_back(batch.back().id);
    if (batch.size() == store::kMostNotedConnections) co_await flush();
  }
  const auto oldest = [&](std::size_t skipped) -> awaitable<std::string> {
    const auto page =
        must(co_await tunnels.list_connections(org, busy.id, {.after = ids.at(skipped + 2).value, .limit = 200}));
    std::string all;
    for (const auto& one : page.items) all += one.id.value + " ";
    co_return all;
  };
  const auto of = [&](std::initializer_list<TunnelConnectionId> some) {
    std::string all;
    for (const auto& id : some) all += id.value + " ";
    return all;
  };
  auto left = co_await oldest(0);
  CHECK(left == of({ids[1], ids[0], first_open.id}));  // as many as there may be, and one that is open

  batch = {closed(opened(world, busy.id)), opened(world, busy.id)};
  co_await flush();
  left = co_await oldest(0);
  CHECK(left == of({ids[1], first_open.id}));

  batch = {closed(first_open)};  // the oldest of all, now that it is closed
  co_await flush();
  left = co_await oldest(0);
  CHECK(left == of({ids[1]}));

  batch = {closed(first_open), closed(opened(world, quiet.id))};  // said again, and of another tunnel
  co_await flush();
  left = co_await oldest(0);
  CHECK(left == of({ids[1]}));
  const auto of_quiet = co_await all_of(world, org, quiet.id);
  CHECK(of_quiet.size() == 2);
}

STORE_TEST_CASE("tunnel connections: what a dead relay left open is closed, everywhere", "[store][tunnels]") {
  auto& tunnels = world.stores.tunnels;
  const Tunnel ours = co_await added_tunnel(world, world.ours), theirs = co_await added_tunnel(world, world.theirs);
  auto left = opened(world, ours.id);
  left.to_target = 33;
  const auto over = closed(opened(world, ours.id));
  auto from_tomorrow = opened(world, theirs.id);
  from_tomorrow.opened_at = at_ms(1'000'000);  // the clock was set back since
  must(co_await tunnels.note_connections(world.ours.org, {left, over}));
  must(co_await tunnels.note_connections(world.theirs.org, {from_tomorrow}));
  must(co_await tunnels.remove(world.ours.org, ours.id, at_ms(1)));
  auto closed_now = must(co_await tunnels.close_open_connections(at_ms(500), "relay_stopped", "the relay was killed"));
  CHECK(closed_now == 2);
  closed_now = must(co_await tunnels.close_open_connections(at_ms(600), "again", "again"));
  CHECK(closed_now == 0);

  for (TunnelConnection* one : {&left, &from_tomorrow}) {
    one->closed_at = std::max(at_ms(500), one->opened_at);
    one->end = "relay_stopped";
    one->detail = "the relay was killed";
  }
  const auto of_ours = co_await all_of(world, world.ours.org, ours.id);
  REQUIRE(of_ours.size() == 2);
  check_same(of_ours[0], over);
  check_same(of_ours[1], left);
  const auto of_theirs = co_await all_of(world, world.theirs.org, theirs.id);
  REQUIRE(of_theirs.size() == 1);
  check_same(of_theirs[0], from_tomorrow);
}
