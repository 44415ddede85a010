#include "tests/contract/store/world.h"

using namespace sallyport;
using namespace sallyport::test;
using store::AgentStatus;
using store::Serial;

STORE_TEST_CASE("agents: what they say is kept, filters and pages", "[store][agents]") {
  auto& agents = world.stores.agents;
  const OrgId org = world.ours.org;
  must(co_await agents.seen(org, world.ours.agent, {"new.local", "sallyport-agent/0.2.0", at_ms(70)}));
  must(co_await agents.rename(org, world.ours.agent, {"edge-1"}));
  auto found = must(co_await agents.find(org, world.ours.agent));
  CHECK(found.name == "edge-1");
  CHECK(found.hostname == "new.local");
  CHECK(found.software == "sallyport-agent/0.2.0");
  CHECK(found.last_seen_at == at_ms(70));
  CHECK(found.generation == 1);

  const GroupId dc2 = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(org, {dc2, org, "dc2", at_ms(0)}));
  const AgentId second = world.id<AgentId>("agt_");
  must(co_await agents.add(org, {.id = second, .group = dc2, .name = "edge-2"}));
  must(co_await agents.revoke(org, second, at_ms(80)));
  auto all = must(co_await agents.list(org, {}, {}));
  CHECK(all.items.size() == 2);
  auto in_group = must(co_await agents.list(org, {.group = dc2}, {}));
  REQUIRE(in_group.items.size() == 1);
  CHECK(in_group.items[0].id == second);
  auto active = must(co_await agents.list(org, {.status = AgentStatus::active}, {}));
  REQUIRE(active.items.size() == 1);
  CHECK(active.items[0].id == world.ours.agent);
  auto first_page = must(co_await agents.list(org, {}, {.limit = 1}));
  auto last_page = must(co_await agents.list(org, {}, {.after = first_page.next, .limit = 1}));
  CHECK(last_page.items.at(0).id == second);
  CHECK(last_page.next.empty());
}

STORE_TEST_CASE("agents: an older certificate generation is an old copy", "[store][agents]") {
  auto& agents = world.stores.agents;
  const OrgId org = world.ours.org;
  auto raised = must(co_await agents.confirm_generation(org, world.ours.agent, 3));
  CHECK(raised.generation == 3);
  auto same = must(co_await agents.confirm_generation(org, world.ours.agent, 3));
  CHECK(same.generation == 3);
  auto old = co_await agents.confirm_generation(org, world.ours.agent, 2);
  CHECK(refusal(old) == Errc::conflict);
  must(co_await agents.revoke(org, world.ours.agent, at_ms(1)));
  auto revoked = co_await agents.confirm_generation(org, world.ours.agent, 4);
  CHECK(refusal(revoked) == Errc::forbidden);
}

STORE_TEST_CASE("agents: their certificate's end is that of the newest one that was used", "[store][agents]") {
  auto& stores = world.stores;
  const auto& [org, agent] = std::tie(world.ours.org, world.ours.agent);
  auto found = must(co_await stores.agents.find(org, agent));
  CHECK_FALSE(found.certificate_expires_at);
  for (const int end : {1'000, 2'000}) {
    must(co_await stores.certificates.add(org, agent, {store::Serial(std::to_string(end)), at_ms(1), at_ms(end)}));
  }
  found = must(co_await stores.agents.find(org, agent));
  CHECK(found.certificate_expires_at == at_ms(1'000));
  auto confirmed = must(co_await stores.agents.confirm_generation(org, agent, 2));
  CHECK(confirmed.certificate_expires_at == at_ms(2'000));
  const auto page = must(co_await stores.agents.list(org, {}, {}));
  CHECK(page.items.at(0).certificate_expires_at == at_ms(2'000));
  auto foreign = must(co_await stores.agents.find(world.theirs.org, world.theirs.agent));
  CHECK_FALSE(foreign.certificate_expires_at);
}

STORE_TEST_CASE("agents: the journal they are known by is changed by compare-and-set", "[store][agents]") {
  using store::JournalMark;
  auto& agents = world.stores.agents;
  const OrgId org = world.ours.org;
  const AgentId agent = world.ours.agent;
  constexpr std::uint64_t kMost = ~std::uint64_t{0} >> 1;
  auto known = must(co_await agents.journal(org, agent));
  CHECK_FALSE(known);
  must(co_await agents.raise_journal(org, agent, {7, 10}));  // none is known: nothing to raise
  known = must(co_await agents.journal(org, agent));
  CHECK_FALSE(known);

  must(co_await agents.change_journal(org, agent, {std::nullopt, {7, 10}}));
  auto again = co_await agents.change_journal(org, agent, {std::nullopt, {8, 0}});
  CHECK(refusal(again) == Errc::conflict);
  must(co_await agents.raise_journal(org, agent, {7, 12}));
  must(co_await agents.raise_journal(org, agent, {7, 11}));     // never lowered
  must(co_await agents.raise_journal(org, agent, {8, 1'000}));  // of a journal that is not the agent's
  known = must(co_await agents.journal(org, agent));
  CHECK(known == JournalMark{7, 12});

  auto late = co_await agents.change_journal(org, agent, {JournalMark{7, 10}, {8, 0}});
  CHECK(refusal(late) == Errc::conflict);
  must(co_await agents.change_journal(org, agent, {JournalMark{7, 12}, {kMost, 3}}));
  known = must(co_await agents.journal(org, agent));
  CHECK(known == JournalMark{kMost, 3});
  must(co_await agents.change_journal(org, agent, {JournalMark{kMost, 3}, {kMost, 1}}));  // the same, but older
  must(co_await agents.raise_journal(org, agent, {kMost, kMost}));
  known = must(co_await agents.journal(org, agent));
  CHECK(known == JournalMark{kMost, kMost});
}

STORE_TEST_CASE("agents: another organisation's journal does not exist", "[store][agents][tenancy]") {
  auto& agents = world.stores.agents;
  const OrgId org = world.ours.org;
  const AgentId foreign = world.theirs.agent;
  must(co_await agents.change_journal(world.theirs.org, foreign, {std::nullopt, {7, 10}}));
  auto known = co_await agents.journal(org, foreign);
  CHECK(refusal(known) == Errc::not_found);
  auto changed = co_await agents.change_journal(org, foreign, {store::JournalMark{7, 10}, {8, 0}});
  CHECK(refusal(changed) == Errc::not_found);
  must(co_await agents.raise_journal(org, foreign, {7, 99}));
  const auto theirs = must(co_await agents.journal(world.theirs.org, foreign));
  CHECK(theirs == store::JournalMark{7, 10});
}

STORE_TEST_CASE("agents: another organisation's agent does not exist", "[store][agents][tenancy]") {
  auto& agents = world.stores.agents;
  const OrgId org = world.ours.org;
  const AgentId foreign = world.theirs.agent;
  auto found = co_await agents.find(org, foreign);
  CHECK(refusal(found) == Errc::not_found);
  auto renamed = co_await agents.rename(org, foreign, {"mine"});
  CHECK(refusal(renamed) == Errc::not_found);
  auto seen = co_await agents.seen(org, foreign, {"h", "s", at_ms(1)});
  CHECK(refusal(seen) == Errc::not_found);
  auto confirmed = co_await agents.confirm_generation(org, foreign, 9);
  CHECK(refusal(confirmed) == Errc::not_found);
  auto revoked = co_await agents.revoke(org, foreign, at_ms(1));
  CHECK(refusal(revoked) == Errc::not_found);
  auto listed = must(co_await agents.list(org, {.group = world.theirs.group}, {}));
  CHECK(listed.items.empty());
  auto untouched = must(co_await agents.find(world.theirs.org, foreign));
  CHECK(untouched.name == "edge");
  CHECK(untouched.status == AgentStatus::active);
}

STORE_TEST_CASE("certificates: renewals count up, revocation is once and for the whole agent",
                "[store][certificates]") {
  auto& certificates = world.stores.certificates;
  const OrgId org = world.ours.org;
  for (std::uint32_t generation = 1; generation <= 3; ++generation) {
    auto added = must(co_await certificates.add(
        org, world.ours.agent, {Serial("a" + std::to_string(generation)), at_ms(generation), at_ms(1000)}));
    CHECK(added.generation == generation);
  }
  auto twice = co_await certificates.add(org, world.ours.agent, {Serial("a1"), at_ms(1), at_ms(2)});
  CHECK(refusal(twice) == Errc::conflict);
  auto listed = must(co_await certificates.of_agent(org, world.ours.agent));
  REQUIRE(listed.size() == 3);
  CHECK(listed[0].serial == Serial("a3"));

  must(co_await certificates.revoke(org, Serial("a2"), at_ms(50)));
  must(co_await certificates.revoke(org, Serial("a2"), at_ms(60)));
  must(co_await world.stores.agents.revoke(org, world.ours.agent, at_ms(70)));
  auto second = must(co_await certificates.find(org, Serial("a2")));
  CHECK(second.revoked_at == at_ms(50));
  auto third = must(co_await certificates.find(org, Serial("a3")));
  CHECK(third.revoked_at == at_ms(70));
  auto late = co_await certificates.add(org, world.ours.agent, {Serial("a4"), at_ms(80), at_ms(1000)});
  CHECK(refusal(late) == Errc::forbidden);

  auto revoked = must(co_await certificates.revoked_serials(at_ms(999)));
  CHECK(revoked.size() == 3);
  auto lapsed = must(co_await certificates.revoked_serials(at_ms(1000)));
  CHECK(lapsed.empty());
}

STORE_TEST_CASE("certificates and authorities: another organisation's do not exist", "[store][certificates][tenancy]") {
  auto& certificates = world.stores.certificates;
  const OrgId ours = world.ours.org, theirs = world.theirs.org;
  must(co_await certificates.add(theirs, world.theirs.agent, {Serial("b1"), at_ms(1), at_ms(1000)}));
  must(co_await certificates.add(ours, world.ours.agent, {Serial("b1"), at_ms(1), at_ms(1000)}));
  auto stolen = co_await certificates.add(ours, world.theirs.agent, {Serial("c1"), at_ms(1), at_ms(1000)});
  CHECK(refusal(stolen) == Errc::not_found);
  must(co_await certificates.revoke(ours, Serial("b1"), at_ms(5)));
  auto same_serial = must(co_await certificates.find(theirs, Serial("b1")));
  CHECK(!same_serial.revoked_at);
  auto foreign = must(co_await certificates.of_agent(ours, world.theirs.agent));
  CHECK(foreign.empty());
  auto revoked = must(co_await certificates.revoked_serials(at_ms(10)));
  REQUIRE(revoked.size() == 1);
  CHECK(revoked[0].org == ours);

  auto& cas = world.stores.issuing_cas;
  must(co_await cas.add(ours, {.certificate_der = bytes_of("der"),
                               .sealed_private_key = bytes_of("sealed"),
                               .created_at = at_ms(1),
                               .not_after = at_ms(2)}));
  auto again = co_await cas.add(ours, {});
  CHECK(refusal(again) == Errc::conflict);
  auto own = must(co_await cas.find(ours));
  CHECK(own.sealed_private_key == bytes_of("sealed"));
  auto none = co_await cas.find(theirs);
  CHECK(refusal(none) == Errc::not_found);
  auto loaded = must(co_await cas.load_all());
  REQUIRE(loaded.size() == 1);
  CHECK(loaded[0].org == ours);
  CHECK(loaded[0].certificate_der == bytes_of("der"));
}

STORE_TEST_CASE("issuing CAs: renewed by compare-and-set", "[store][certificates]") {
  auto& cas = world.stores.issuing_cas;
  const OrgId org = world.ours.org;
  const store::IssuingCa next{org, bytes_of("der 2"), bytes_of("sealed 2"), at_ms(3), at_ms(4)};
  auto none = co_await cas.replace(org, bytes_of("der"), next);
  CHECK(refusal(none) == Errc::conflict);
  must(co_await cas.add(org, {org, bytes_of("der"), bytes_of("sealed"), at_ms(1), at_ms(2)}));
  auto foreign = co_await cas.replace(world.theirs.org, bytes_of("der"), next);
  CHECK(refusal(foreign) == Errc::conflict);
  must(co_await cas.replace(org, bytes_of("der"), next));
  const auto now = must(co_await cas.find(org));
  CHECK(now.certificate_der == bytes_of("der 2"));
  CHECK(now.sealed_private_key == bytes_of("sealed 2"));
  CHECK(now.created_at == at_ms(3));
  CHECK(now.not_after == at_ms(4));
  auto stale = co_await cas.replace(org, bytes_of("der"), next);
  CHECK(refusal(stale) == Errc::conflict);
}

STORE_TEST_CASE("connections: the newest word of an agent replaces the earlier one", "[store][connections]") {
  auto& connections = world.stores.connections;
  const OrgId org = world.ours.org;
  std::vector<store::Connection> first(2);
  first[0].name = "erp-db";
  first[0].kind = "sql";
  first[0].health = store::ConnectionHealth::failing;
  first[0].sealed_detail = bytes_of("refused");
  first[0].checked_at = at_ms(3);
  first[1].name = "share";
  first[1].kind = "file";
  must(co_await connections.replace(org, world.ours.agent, first));
  auto now = must(co_await connections.list(org, {world.ours.agent}, {})).items;
  REQUIRE(now.size() == 2);
  CHECK(now[0].name == "erp-db");
  CHECK(now[0].health == store::ConnectionHealth::failing);
  CHECK(now[0].checked_at == at_ms(3));
  CHECK(now[0].sealed_detail == bytes_of("refused"));
  CHECK(!now[1].sealed_detail);
  CHECK(now[1].health == store::ConnectionHealth::unknown);
  auto page = must(co_await connections.list(org, {}, {.limit = 1}));
  auto rest = must(co_await connections.list(org, {}, {.after = page.next, .limit = 1}));
  CHECK(rest.items.at(0).name == "share");
  CHECK(rest.next.empty());
  auto of_agent = must(co_await connections.list(org, {world.ours.agent}, {.limit = 1}));
  CHECK(of_agent.items.at(0).name == "erp-db");
  of_agent = must(co_await connections.list(org, {world.ours.agent}, {.after = of_agent.next, .limit = 1}));
  CHECK(of_agent.items.at(0).name == "share");
  CHECK(of_agent.next.empty());

  first.push_back(first[0]);
  auto clash = co_await connections.replace(org, world.ours.agent, first);
  CHECK(refusal(clash) == Errc::conflict);
  auto kept = must(co_await connections.list(org, {world.ours.agent}, {})).items;
  CHECK(kept.size() == 2);
  auto flood = co_await connections.replace(org, world.ours.agent, std::vector<store::Connection>(1001));
  CHECK(refusal(flood) == Errc::too_large);
  must(co_await connections.replace(org, world.ours.agent, {}));
  auto none = must(co_await connections.list(org, {}, {}));
  CHECK(none.items.empty());
}

STORE_TEST_CASE("connections: a use is noted on those there are, of this agent only", "[store][connections][tenancy]") {
  auto& connections = world.stores.connections;
  const OrgId org = world.ours.org;
  std::vector<store::Connection> named(2);
  named[0].name = "erp-db";
  named[0].kind = "sql";
  named[1].name = "share";
  must(co_await connections.replace(org, world.ours.agent, named));
  must(co_await connections.replace(world.theirs.org, world.theirs.agent, named));
  std::vector<store::ConnectionUse> uses = {
      {"erp-db", store::ConnectionHealth::failing, bytes_of("timeout"), at_ms(9)},
      {"nobody", store::ConnectionHealth::failing, bytes_of("timeout"), at_ms(9)},
  };
  must(co_await connections.note_uses(org, world.ours.agent, uses));
  auto now = must(co_await connections.list(org, {}, {})).items;
  REQUIRE(now.size() == 2);
  CHECK(now[0].health == store::ConnectionHealth::failing);
  CHECK(now[0].sealed_detail == bytes_of("timeout"));
  CHECK(now[0].checked_at == at_ms(9));
  CHECK(now[0].kind == "sql");
  CHECK(now[1].health == store::ConnectionHealth::unknown);

  must(co_await connections.note_uses(org, world.ours.agent,
                                      {{"erp-db", store::ConnectionHealth::healthy, std::nullopt, at_ms(10)}}));
  now = must(co_await connections.list(org, {}, {})).items;
  CHECK(now[0].health == store::ConnectionHealth::healthy);
  CHECK_FALSE(now[0].sealed_detail);

  must(co_await connections.note_uses(org, world.theirs.agent, uses));  // nobody's: their agent is of another
  auto theirs = must(co_await connections.list(world.theirs.org, {}, {})).items;
  REQUIRE(theirs.size() == 2);
  CHECK(theirs[0].health == store::ConnectionHealth::unknown);
  auto flood = co_await connections.note_uses(org, world.ours.agent, std::vector<store::ConnectionUse>(1001));
  CHECK(refusal(flood) == Errc::too_large);
}

STORE_TEST_CASE("connections: another organisation's agent has none", "[store][connections][tenancy]") {
  auto& connections = world.stores.connections;
  std::vector<store::Connection> one(1);
  one[0].name = "erp-db";
  must(co_await connections.replace(world.theirs.org, world.theirs.agent, one));
  auto foreign = must(co_await connections.list(world.ours.org, {world.theirs.agent}, {})).items;
  CHECK(foreign.empty());
  auto listed = must(co_await connections.list(world.ours.org, {}, {}));
  CHECK(listed.items.empty());
  auto overwritten = co_await connections.replace(world.ours.org, world.theirs.agent, {});
  CHECK(refusal(overwritten) == Errc::not_found);
  auto kept = must(co_await connections.list(world.theirs.org, {world.theirs.agent}, {})).items;
  CHECK(kept.size() == 1);
}

STORE_TEST_CASE("agents: moved to another group by compare-and-set", "[store][agents]") {
  auto& agents = world.stores.agents;
  const auto& ours = world.ours;
  const GroupId other = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(ours.org, {other, ours.org, "dc2", at_ms(1)}));
  const auto moved = must(co_await agents.move(ours.org, ours.agent, {.expected = ours.group, .wanted = other}));
  CHECK(moved.group == other);
  CHECK(moved.name == "edge");
  const auto there = must(co_await agents.list(ours.org, {.group = other}, {}));
  REQUIRE(there.items.size() == 1);
  CHECK(there.items[0].id == ours.agent);
  auto stale = co_await agents.move(ours.org, ours.agent, {.expected = ours.group, .wanted = other});
  CHECK(refusal(stale) == Errc::conflict);
  const auto again = must(co_await agents.move(ours.org, ours.agent, {.expected = other, .wanted = other}));
  CHECK(again.group == other);
  auto nowhere = co_await agents.move(ours.org, ours.agent, {.expected = other, .wanted = GroupId("grp_absent")});
  CHECK(refusal(nowhere) == Errc::not_found);
  must(co_await agents.revoke(ours.org, ours.agent, at_ms(5)));
  auto revoked = co_await agents.move(ours.org, ours.agent, {.expected = other, .wanted = ours.group});
  CHECK(refusal(revoked) == Errc::conflict);
}

STORE_TEST_CASE("agents: none is moved into or out of another organisation", "[store][agents][tenancy]") {
  auto& agents = world.stores.agents;
  const auto& [ours, theirs] = std::tie(world.ours, world.theirs);
  auto foreign = co_await agents.move(ours.org, theirs.agent, {.expected = theirs.group, .wanted = ours.group});
  CHECK(refusal(foreign) == Errc::not_found);
  auto abroad = co_await agents.move(ours.org, ours.agent, {.expected = ours.group, .wanted = theirs.group});
  CHECK(refusal(abroad) == Errc::not_found);
  const auto kept = must(co_await agents.find(ours.org, ours.agent));
  CHECK(kept.group == ours.group);
}

STORE_TEST_CASE("agents: a change that expects a state meets no other", "[store][agents]") {
  auto& agents = world.stores.agents;
  const auto& ours = world.ours;
  const auto seen = state_of(must(co_await agents.find(ours.org, ours.agent)));
  must(co_await agents.rename(ours.org, ours.agent, {"first", seen}));
  auto second = co_await agents.rename(ours.org, ours.agent, {"second", seen});
  CHECK(refusal(second) == Errc::conflict);
  auto moved = co_await agents.move(ours.org, ours.agent, {ours.group, ours.group, seen});
  CHECK(refusal(moved) == Errc::conflict);
  auto now = state_of(must(co_await agents.find(ours.org, ours.agent)));
  CHECK(now.name == "first");
  must(co_await agents.move(ours.org, ours.agent, {ours.group, ours.group, now}));
  must(co_await agents.revoke(ours.org, ours.agent, at_ms(5)));
  auto late = co_await agents.rename(ours.org, ours.agent, {"third", now});
  CHECK(refusal(late) == Errc::conflict);
  must(co_await agents.rename(ours.org, ours.agent, {"third"}));
}
