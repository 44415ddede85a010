#include "tests/contract/store/world.h"

using namespace sallyport;
using namespace sallyport::test;

namespace {

store::SystemKey key_of(const Tenant& tenant, std::uint64_t version = 1, std::string name = "erp-db") {
  return {.org = tenant.org,
          .name = std::move(name),
          .group = tenant.group,
          .version = version,
          .values = {"password", "user"},
          .set_by = UserId("usr_1"),
          .set_at = at_ms(5)};
}

std::vector<store::SystemKeyCopy> copies_for(const Tenant& tenant, std::string_view bytes = "ciphertext") {
  return {{.agent = tenant.agent, .generation = 3, .sealed_copy = bytes_of(bytes)}};
}

store::SealingKey word_of(const Tenant& tenant, std::uint32_t generation = 3) {
  return {tenant.agent, generation, bytes_of("statement " + std::to_string(generation)), at_ms(1)};
}

}  // namespace

STORE_TEST_CASE("system keys: what was put reads back, for its agent alone with its copy", "[store][system_keys]") {
  auto& keys = world.stores.system_keys;
  const auto& ours = world.ours;
  must(co_await keys.put(ours.org, key_of(ours), copies_for(ours)));
  const auto found = must(co_await keys.find(ours.org, "erp-db"));
  CHECK(found.group == ours.group);
  CHECK(found.version == 1);
  CHECK(found.values == std::vector<std::string>{"password", "user"});
  CHECK(found.set_by == UserId("usr_1"));
  CHECK(found.set_at == at_ms(5));
  const auto held = must(co_await keys.of_agent(ours.org, ours.agent));
  REQUIRE(held.size() == 1);
  CHECK(held[0].name == "erp-db");
  CHECK(held[0].version == 1);
  CHECK(held[0].group == ours.group);
  CHECK(held[0].copy.generation == 3);
  CHECK(held[0].copy.sealed_copy == bytes_of("ciphertext"));
}

STORE_TEST_CASE("system keys: organisations do not see each other's", "[store][system_keys][tenancy]") {
  auto& keys = world.stores.system_keys;
  const auto& ours = world.ours;
  const auto& theirs = world.theirs;
  must(co_await keys.put(ours.org, key_of(ours), copies_for(ours)));
  must(co_await keys.put_sealing_key(ours.org, word_of(ours)));
  CHECK(refusal(co_await keys.find(theirs.org, "erp-db")) == Errc::not_found);
  CHECK(must(co_await keys.list(theirs.org, {})).items.empty());
  CHECK(must(co_await keys.holders(theirs.org, "erp-db")).empty());
  CHECK(must(co_await keys.of_agent(theirs.org, ours.agent)).empty());
  CHECK(refusal(co_await keys.recipients(theirs.org, ours.group)) == Errc::not_found);
  CHECK(refusal(co_await keys.remove(theirs.org, "erp-db")) == Errc::not_found);
  CHECK(refusal(co_await keys.put_sealing_key(theirs.org, word_of(ours))) == Errc::not_found);
  CHECK(refusal(co_await keys.put(theirs.org, key_of(ours), {})) == Errc::not_found);                // our group
  CHECK(refusal(co_await keys.put(theirs.org, key_of(theirs), copies_for(ours))) == Errc::invalid);  // our agent
  must(co_await keys.note_copies(theirs.org, ours.agent, {{"erp-db", 1, store::CopyState::held}}));
  CHECK(must(co_await keys.holders(ours.org, "erp-db")).at(0).state == store::CopyState::untold);

  must(co_await keys.put(theirs.org, key_of(theirs), copies_for(theirs, "theirs")));  // the same name is free there
  CHECK(must(co_await keys.of_agent(ours.org, ours.agent)).at(0).copy.sealed_copy == bytes_of("ciphertext"));
}

STORE_TEST_CASE("system keys: the next version takes the place of the present one, and nothing else does",
                "[store][system_keys]") {
  auto& keys = world.stores.system_keys;
  const auto& ours = world.ours;
  must(co_await keys.put(ours.org, key_of(ours), copies_for(ours)));
  must(co_await keys.note_copies(ours.org, ours.agent, {{"erp-db", 1, store::CopyState::held}}));
  CHECK(refusal(co_await keys.put(ours.org, key_of(ours, 1), {})) == Errc::conflict);
  CHECK(refusal(co_await keys.put(ours.org, key_of(ours, 3), {})) == Errc::conflict);
  must(co_await keys.put(ours.org, key_of(ours, 2), copies_for(ours, "second")));
  CHECK(must(co_await keys.of_agent(ours.org, ours.agent)).at(0).copy.sealed_copy == bytes_of("second"));
  CHECK(must(co_await keys.holders(ours.org, "erp-db")).at(0).state == store::CopyState::untold);

  const GroupId other = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(ours.org, {other, ours.org, "elsewhere", at_ms(0)}));
  auto moved = key_of(ours, 3);
  moved.group = other;
  CHECK(refusal(co_await keys.put(ours.org, moved, {})) == Errc::conflict);
}

STORE_TEST_CASE("system keys: who of the group lacks one is told", "[store][system_keys]") {
  auto& keys = world.stores.system_keys;
  const auto& ours = world.ours;
  must(co_await keys.put(ours.org, key_of(ours), {}));
  auto holders = must(co_await keys.holders(ours.org, "erp-db"));
  REQUIRE(holders.size() == 1);
  CHECK_FALSE(holders[0].newest);
  CHECK_FALSE(holders[0].sealed);

  CHECK(must(co_await keys.put_sealing_key(ours.org, word_of(ours))));
  CHECK_FALSE(must(co_await keys.put_sealing_key(ours.org, word_of(ours))));  // the same word again
  must(co_await keys.put(ours.org, key_of(ours, 2), copies_for(ours)));
  must(co_await keys.note_copies(ours.org, ours.agent, {{"erp-db", 1, store::CopyState::held}}));  // of the one before
  CHECK(must(co_await keys.holders(ours.org, "erp-db")).at(0).state == store::CopyState::untold);
  must(
      co_await keys.note_copies(ours.org, ours.agent, {{"erp-db", 2, store::CopyState::unopenable}, {"other", 1, {}}}));
  holders = must(co_await keys.holders(ours.org, "erp-db"));
  CHECK(holders.at(0).state == store::CopyState::unopenable);
  CHECK(holders.at(0).newest == 3u);
  CHECK(holders.at(0).sealed == 3u);

  CHECK(must(co_await keys.put_sealing_key(ours.org, word_of(ours, 4))));
  CHECK(must(co_await keys.holders(ours.org, "erp-db")).at(0).newest == 4u);
  const auto recipients = must(co_await keys.recipients(ours.org, ours.group));
  REQUIRE(recipients.size() == 1);
  REQUIRE(recipients[0].key);
  CHECK(recipients[0].key->statement == bytes_of("statement 4"));
  CHECK(recipients[0].key->said_at == at_ms(1));
}

STORE_TEST_CASE("system keys: an agent that left the group, or was revoked, is handed nothing",
                "[store][system_keys]") {
  auto& keys = world.stores.system_keys;
  const auto& ours = world.ours;
  must(co_await keys.put(ours.org, key_of(ours), copies_for(ours)));
  const GroupId other = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(ours.org, {other, ours.org, "elsewhere", at_ms(0)}));
  must(co_await world.stores.agents.move(ours.org, ours.agent, {ours.group, other}));
  CHECK(must(co_await keys.of_agent(ours.org, ours.agent)).empty());
  CHECK(must(co_await keys.holders(ours.org, "erp-db")).empty());
  CHECK(refusal(co_await keys.put(ours.org, key_of(ours, 2), copies_for(ours))) == Errc::invalid);
  must(co_await world.stores.agents.move(ours.org, ours.agent, {other, ours.group}));
  CHECK(must(co_await keys.of_agent(ours.org, ours.agent)).size() == 1);
  must(co_await world.stores.agents.revoke(ours.org, ours.agent, at_ms(9)));
  CHECK(must(co_await keys.of_agent(ours.org, ours.agent)).empty());
  CHECK(must(co_await keys.recipients(ours.org, ours.group)).empty());
}

STORE_TEST_CASE("system keys: one that is removed leaves nothing, and a group that has one stays",
                "[store][system_keys]") {
  auto& keys = world.stores.system_keys;
  const Tenant tenant = co_await world.settle("keys");
  must(co_await keys.put(tenant.org, key_of(tenant), copies_for(tenant)));
  CHECK(refusal(co_await world.stores.groups.remove(tenant.org, tenant.group, at_ms(1))) == Errc::conflict);
  const auto removed = must(co_await keys.remove(tenant.org, "erp-db"));
  CHECK(removed.version == 1);
  CHECK(refusal(co_await keys.remove(tenant.org, "erp-db")) == Errc::not_found);
  CHECK(must(co_await keys.of_agent(tenant.org, tenant.agent)).empty());
  must(co_await keys.put(tenant.org, key_of(tenant), {}));  // begins anew, without the copies it had
  CHECK(must(co_await keys.of_agent(tenant.org, tenant.agent)).empty());
}

STORE_TEST_CASE("system keys: there are so many of an organisation, in pages by name", "[store][system_keys]") {
  auto& keys = world.stores.system_keys;
  const auto& ours = world.ours;
  for (int i = 0; i < 100; ++i) must(co_await keys.put(ours.org, key_of(ours, 1, "k" + std::to_string(100 + i)), {}));
  CHECK(refusal(co_await keys.put(ours.org, key_of(ours, 1, "one-more"), {})) == Errc::exhausted);
  must(co_await keys.put(ours.org, key_of(ours, 2, "k100"), {}));
  const auto first = must(co_await keys.list(ours.org, {.after = "", .limit = 60}));
  CHECK(first.items.size() == 60);
  const auto second = must(co_await keys.list(ours.org, {.after = first.next, .limit = 60}));
  CHECK(second.items.size() == 40);
  CHECK(second.items.front().name == "k160");
  CHECK(second.next.empty());
}
