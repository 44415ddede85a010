#include "tests/contract/store/world.h"

#include <set>

using namespace sallyport;
using namespace sallyport::test;
using store::PageQuery;

STORE_TEST_CASE("organisations: names are unique, pages walk through all", "[store][organisations]") {
  auto& organisations = world.stores.organisations;
  auto found = must(co_await organisations.find(world.ours.org));
  CHECK(found.name == "ours");
  CHECK(found.created_at == at_ms(0));
  auto by_name = must(co_await organisations.find_by_name("theirs"));
  CHECK(by_name.id == world.theirs.org);
  auto taken = co_await organisations.add({world.id<OrgId>("org_"), "ours", at_ms(1)});
  CHECK(refusal(taken) == Errc::conflict);
  auto renamed = co_await organisations.rename(world.ours.org, "theirs");
  CHECK(refusal(renamed) == Errc::conflict);
  must(co_await organisations.rename(world.ours.org, "ours again"));
  auto absent = co_await organisations.find(OrgId("org_absent"));
  CHECK(refusal(absent) == Errc::not_found);
  auto rename_absent = co_await organisations.rename(OrgId("org_absent"), "x");
  CHECK(refusal(rename_absent) == Errc::not_found);

  auto first = must(co_await organisations.list_all({.limit = 1}));
  REQUIRE(first.items.size() == 1);
  CHECK(first.items[0].name == "ours again");
  auto second = must(co_await organisations.list_all({.after = first.next, .limit = 1}));
  REQUIRE(second.items.size() == 1);
  CHECK(second.items[0].name == "theirs");
  CHECK(second.next.empty());
}

STORE_TEST_CASE("users: e-mail addresses are unique in the organisation only", "[store][users]") {
  auto& users = world.stores.users;
  store::User editor{.id = world.id<UserId>("usr_"),
                     .org = world.ours.org,
                     .name = "Emil",
                     .email = "emil@example.com",
                     .role = domain::Role::editor,
                     .platform = domain::PlatformRights::admin,
                     .created_at = at_ms(5)};
  must(co_await users.add(world.ours.org, editor));
  auto found = must(co_await users.find(world.ours.org, editor.id));
  CHECK(found.name == "Emil");
  CHECK(found.role == domain::Role::editor);
  CHECK(found.platform == domain::PlatformRights::admin);
  CHECK(found.created_at == at_ms(5));

  editor.id = world.id<UserId>("usr_");
  editor.email = "EMIL@example.com";
  auto same_address = co_await users.add(world.ours.org, editor);
  CHECK(refusal(same_address) == Errc::conflict);
  must(co_await users.add(world.theirs.org, editor));
  auto no_org = co_await users.add(OrgId("org_absent"), editor);
  CHECK(refusal(no_org) == Errc::not_found);
}

STORE_TEST_CASE("users: an organisation keeps an owner", "[store][users]") {
  auto& users = world.stores.users;
  const auto& ours = world.ours;
  auto demoted = co_await users.change_role(ours.org, ours.owner, domain::Role::viewer, at_ms(1));
  CHECK(refusal(demoted) == Errc::conflict);
  auto removed = co_await users.remove(ours.org, ours.owner, at_ms(1));
  CHECK(refusal(removed) == Errc::conflict);

  store::User second{.id = world.id<UserId>("usr_"), .email = "b@example.com", .role = domain::Role::viewer};
  must(co_await users.add(ours.org, second));
  auto promoted = must(co_await users.change_role(ours.org, second.id, domain::Role::owner, at_ms(1)));
  CHECK(promoted.user.role == domain::Role::owner);
  must(co_await users.remove(ours.org, ours.owner, at_ms(1)));
  auto gone = co_await users.find(ours.org, ours.owner);
  CHECK(refusal(gone) == Errc::not_found);
}

STORE_TEST_CASE("users: the deployment keeps a platform admin, whoever asks for the removal", "[store][users]") {
  auto& users = world.stores.users;
  const auto admin_of = [&](const Tenant& tenant, std::string email) {
    return store::User{.id = world.id<UserId>("usr_"),
                       .org = tenant.org,
                       .email = std::move(email),
                       .role = domain::Role::owner,
                       .platform = domain::PlatformRights::admin};
  };
  const auto only = admin_of(world.ours, "admin@example.com");
  must(co_await users.add(world.ours.org, only));
  auto removed = co_await users.remove(world.ours.org, only.id, at_ms(1));
  CHECK(refusal(removed) == Errc::conflict);
  CHECK_THAT(removed.error().message, Catch::Contains("without a platform admin"));
  must(co_await users.change_role(world.ours.org, only.id, domain::Role::viewer,
                                  at_ms(1)));  // keeps the platform's rights
  auto still = must(co_await users.find(world.ours.org, only.id));
  CHECK(still.platform == domain::PlatformRights::admin);

  const auto second = admin_of(world.theirs, "admin@example.com");
  must(co_await users.add(world.theirs.org, second));
  must(co_await users.remove(world.ours.org, only.id, at_ms(1)));
  auto last = co_await users.remove(world.theirs.org, second.id, at_ms(1));
  CHECK(refusal(last) == Errc::conflict);
}

static store::EnrolmentToken made_by(World& world, const UserId& maker, std::int64_t expires = 1000) {
  return {.id = world.id<EnrolmentId>("enr_"),
          .org = world.ours.org,
          .group = world.ours.group,
          .sealed_secret = bytes_of("s"),
          .max_uses = 2,
          .created_by = maker,
          .created_at = at_ms(1),
          .expires_at = at_ms(expires)};
}

STORE_TEST_CASE("users: what could still enrol agents goes with the right to make it", "[store][users][enrolment]") {
  auto& users = world.stores.users;
  auto& tokens = world.stores.enrolment_tokens;
  const OrgId org = world.ours.org;
  store::User maker{.id = world.id<UserId>("usr_"), .email = "m@example.com", .role = domain::Role::owner};
  must(co_await users.add(org, maker));
  const auto usable = made_by(world, maker.id), expired = made_by(world, maker.id, 10),
             revoked = made_by(world, maker.id), others = made_by(world, world.ours.owner);
  for (const auto& token : {usable, expired, revoked, others}) must(co_await tokens.add(org, token));
  must(co_await tokens.revoke(org, revoked.id, at_ms(5)));
  const auto revoked_at = [&](const EnrolmentId& id) -> awaitable<std::optional<WallTime>> {
    co_return must(co_await tokens.find(org, id)).revoked_at;
  };

  const auto editor = must(co_await users.change_role(org, maker.id, domain::Role::editor, at_ms(20)));
  CHECK(editor.revoked.empty());
  auto when = co_await revoked_at(usable.id);
  CHECK(!when);
  const auto viewer = must(co_await users.change_role(org, maker.id, domain::Role::viewer, at_ms(30)));
  CHECK(viewer.user.role == domain::Role::viewer);
  CHECK(viewer.revoked == std::vector{usable.id});
  when = co_await revoked_at(usable.id);
  CHECK(when == at_ms(30));
  when = co_await revoked_at(revoked.id);
  CHECK(when == at_ms(5));

  const auto late = made_by(world, maker.id);
  must(co_await tokens.add(org, late));
  const auto gone = must(co_await users.remove(org, maker.id, at_ms(40)));
  CHECK(gone.user.email == "m@example.com");
  CHECK(gone.revoked == std::vector{late.id});
  when = co_await revoked_at(late.id);
  CHECK(when == at_ms(40));
  for (const auto& kept : {expired, others}) {
    when = co_await revoked_at(kept.id);
    CHECK(!when);
  }
  auto kept_owner = co_await users.remove(org, world.ours.owner, at_ms(50));
  CHECK(refusal(kept_owner) == Errc::conflict);
  when = co_await revoked_at(others.id);
  CHECK(!when);
}

STORE_TEST_CASE("users: another organisation's user does not exist", "[store][users][tenancy]") {
  auto& users = world.stores.users;
  const UserId foreign = world.theirs.owner;
  auto found = co_await users.find(world.ours.org, foreign);
  CHECK(refusal(found) == Errc::not_found);
  auto changed = co_await users.change_role(world.ours.org, foreign, domain::Role::viewer, at_ms(1));
  CHECK(refusal(changed) == Errc::not_found);
  auto removed = co_await users.remove(world.ours.org, foreign, at_ms(1));
  CHECK(refusal(removed) == Errc::not_found);
  auto listed = must(co_await users.list(world.ours.org, {}));
  REQUIRE(listed.items.size() == 1);
  CHECK(listed.items[0].id == world.ours.owner);
  auto absent = co_await users.find(world.ours.org, UserId("usr_absent"));
  CHECK(absent.error() == found.error());
}

static store::ApiToken new_token(World& world, const Tenant& tenant) {
  return {.id = world.id<ApiTokenId>("tok_"),
          .org = tenant.org,
          .user = tenant.owner,
          .name = "ci",
          .secret_hash = Bytes(32, std::byte{7}),
          .scopes = {domain::Scope::jobs_run, domain::Scope::jobs_read},
          .created_at = at_ms(1),
          .expires_at = at_ms(1000)};
}

STORE_TEST_CASE("API tokens: stored, found with their user, revoked once", "[store][tokens]") {
  auto& tokens = world.stores.api_tokens;
  const auto token = new_token(world, world.ours);
  must(co_await tokens.add(world.ours.org, token));
  auto found = must(co_await tokens.find_for_authentication(token.id));
  CHECK(found.token.org == world.ours.org);
  CHECK(found.token.secret_hash == token.secret_hash);
  CHECK(found.token.scopes == token.scopes);
  CHECK(found.token.expires_at == at_ms(1000));
  CHECK(!found.token.revoked_at);
  CHECK(found.user.id == world.ours.owner);
  CHECK(found.user.role == domain::Role::owner);

  must(co_await tokens.revoke(world.ours.org, token.id, at_ms(50)));
  must(co_await tokens.revoke(world.ours.org, token.id, at_ms(60)));
  auto revoked = must(co_await tokens.find(world.ours.org, token.id));
  CHECK(revoked.revoked_at == at_ms(50));
  auto again = co_await tokens.add(world.ours.org, token);
  CHECK(refusal(again) == Errc::conflict);
}

STORE_TEST_CASE("API tokens: their use is kept to the minute", "[store][tokens]") {
  auto& tokens = world.stores.api_tokens;
  const auto token = new_token(world, world.ours);
  must(co_await tokens.add(world.ours.org, token));
  const std::pair<std::int64_t, std::int64_t> uses[] = {{0, 0}, {59'999, 0}, {60'000, 60'000}, {61'000, 60'000}};
  for (auto [used_at, expected] : uses) {
    INFO("used at " << used_at);
    must(co_await tokens.used(world.ours.org, token.id, at_ms(used_at)));
    auto found = must(co_await tokens.find(world.ours.org, token.id));
    CHECK(found.last_used_at == at_ms(expected));
  }
}

STORE_TEST_CASE("API tokens: go with their user, and belong to one organisation", "[store][tokens][tenancy]") {
  auto& tokens = world.stores.api_tokens;
  store::User guest{.id = world.id<UserId>("usr_"), .email = "g@example.com"};
  must(co_await world.stores.users.add(world.ours.org, guest));
  auto token = new_token(world, world.ours);
  token.user = guest.id;
  must(co_await tokens.add(world.ours.org, token));

  auto foreign_user = new_token(world, world.theirs);
  foreign_user.user = guest.id;
  auto refused = co_await tokens.add(world.theirs.org, foreign_user);
  CHECK(refusal(refused) == Errc::not_found);
  auto seen = co_await tokens.find(world.theirs.org, token.id);
  CHECK(refusal(seen) == Errc::not_found);
  auto revoked = co_await tokens.revoke(world.theirs.org, token.id, at_ms(9));
  CHECK(refusal(revoked) == Errc::not_found);
  auto used = co_await tokens.used(world.theirs.org, token.id, at_ms(9));
  CHECK(refusal(used) == Errc::not_found);
  auto listed = must(co_await tokens.list(world.theirs.org, {}));
  CHECK(listed.items.empty());

  must(co_await world.stores.users.remove(world.ours.org, guest.id, at_ms(1)));
  auto gone = co_await tokens.find_for_authentication(token.id);
  CHECK(refusal(gone) == Errc::not_found);
}

STORE_TEST_CASE("groups: unique names, pages, and no removal while in use", "[store][groups]") {
  auto& groups = world.stores.groups;
  auto taken = co_await groups.add(world.ours.org, {world.id<GroupId>("grp_"), world.ours.org, "dc1", at_ms(1)});
  CHECK(refusal(taken) == Errc::conflict);
  std::set<std::string> names = {"dc1"};
  for (const char* name : {"dc2", "dc3", "dc4", "dc5"}) {
    must(co_await groups.add(world.ours.org, {world.id<GroupId>("grp_"), world.ours.org, name, at_ms(2)}));
    names.insert(name);
  }
  PageQuery query{.limit = 2};
  std::set<std::string> seen;
  for (int pages = 0; pages < 3; ++pages) {
    auto page = must(co_await groups.list(world.ours.org, query));
    for (const auto& group : page.items) CHECK(seen.insert(group.name).second);
    query.after = page.next;
  }
  CHECK(query.after.empty());
  CHECK(seen == names);

  auto in_use = co_await groups.remove(world.ours.org, world.ours.group, at_ms(1));
  CHECK(refusal(in_use) == Errc::conflict);
  auto idle = must(co_await groups.find_by_name(world.ours.org, "dc5"));
  must(co_await groups.remove(world.ours.org, idle.id, at_ms(1)));
  auto gone = must(co_await groups.find(world.ours.org, idle.id));
  CHECK(gone.name == "dc5");
  CHECK(gone.removed_at == at_ms(1));
  auto again = co_await groups.remove(world.ours.org, idle.id, at_ms(2));
  CHECK(refusal(again) == Errc::not_found);
  auto by_name = co_await groups.find_by_name(world.ours.org, "dc5");
  CHECK(refusal(by_name) == Errc::not_found);
  auto listed = must(co_await groups.list(world.ours.org, {}));
  CHECK(listed.items.size() == 4);
  must(co_await groups.add(world.ours.org, {world.id<GroupId>("grp_"), world.ours.org, "dc5", at_ms(3)}));
  auto fresh = must(co_await groups.find_by_name(world.ours.org, "dc5"));
  CHECK(fresh.id != idle.id);
}

STORE_TEST_CASE("groups: one that was used goes once nothing lives in it, and takes nothing in", "[store][groups]") {
  auto& groups = world.stores.groups;
  const auto& ours = world.ours;
  const auto refused_for = [&](std::string what) -> awaitable<void> {
    auto removed = co_await groups.remove(ours.org, ours.group, at_ms(100));
    INFO(what);
    CHECK(refusal(removed) == Errc::conflict);
    if (!removed) CHECK_THAT(removed.error().message, Catch::Contains(what));
  };
  co_await refused_for("agent \"edge\" is in it");
  const auto running = co_await world.running_job(ours);
  must(co_await world.stores.agents.revoke(ours.org, ours.agent, at_ms(5)));
  const auto usable = made_by(world, ours.owner), expired = made_by(world, ours.owner, 100);
  must(co_await world.stores.enrolment_tokens.add(ours.org, usable));
  must(co_await world.stores.enrolment_tokens.add(ours.org, expired));
  co_await refused_for("enrolment token " + usable.id.value);
  must(co_await world.stores.enrolment_tokens.revoke(ours.org, usable.id, at_ms(6)));
  const auto waiting = co_await world.queue_job(ours);
  co_await refused_for("job " + waiting.id.value + " waits for it");
  must(co_await world.stores.jobs.request_cancel(ours.org, waiting.id, {at_ms(7)}));
  co_await refused_for("job " + running.id.value + " of it has not ended");
  must(co_await world.stores.jobs.finish(ours.org, running.id, running.lease_epoch,
                                         {domain::JobState::failed, at_ms(8), {}}));
  must(co_await world.stores.recipes.activate(ours.org, ours.recipe, {std::nullopt, 1}));
  co_await refused_for("is active and runs on it");
  must(co_await world.stores.recipes.activate(ours.org, ours.recipe, {1, std::nullopt}));
  must(co_await groups.remove(ours.org, ours.group, at_ms(100)));

  const auto agent = must(co_await world.stores.agents.find(ours.org, ours.agent));
  CHECK(agent.group == ours.group);
  const auto job = must(co_await world.stores.jobs.find(ours.org, waiting.id));
  CHECK(job.group == ours.group);
  auto token = co_await world.stores.enrolment_tokens.add(ours.org, made_by(world, ours.owner));
  CHECK(refusal(token) == Errc::not_found);
  auto late = co_await world.stores.enrolment_tokens.redeem(ours.org, expired.id, at_ms(9), {AgentId("agt_late")},
                                                            {store::Serial("ef"), at_ms(1), at_ms(9)});
  CHECK(refusal(late) == Errc::not_found);
  auto newcomer = co_await world.stores.agents.add(ours.org, {.id = world.id<AgentId>("agt_"), .group = ours.group});
  CHECK(refusal(newcomer) == Errc::not_found);
  auto queued = co_await world.stores.jobs.add(ours.org, world.new_job(ours));
  CHECK(refusal(queued) == Errc::conflict);
  CHECK_THAT(queued.error().message, Catch::Contains("the agent group was removed"));

  const GroupId other = world.id<GroupId>("grp_");
  must(co_await groups.add(ours.org, {other, ours.org, "dc1", at_ms(101)}));
  const AgentId second = world.id<AgentId>("agt_");
  must(co_await world.stores.agents.add(ours.org, {.id = second, .group = other}));
  auto back = co_await world.stores.agents.move(ours.org, second, {other, ours.group});
  CHECK(refusal(back) == Errc::not_found);
}

STORE_TEST_CASE("groups: another organisation's group does not exist", "[store][groups][tenancy]") {
  auto& groups = world.stores.groups;
  auto found = co_await groups.find(world.ours.org, world.theirs.group);
  CHECK(refusal(found) == Errc::not_found);
  auto removed = co_await groups.remove(world.ours.org, world.theirs.group, at_ms(1));
  CHECK(refusal(removed) == Errc::not_found);
  auto by_name = must(co_await groups.find_by_name(world.ours.org, "dc1"));
  CHECK(by_name.id == world.ours.group);
  store::Agent stray{.id = world.id<AgentId>("agt_"), .group = world.theirs.group, .name = "stray"};
  auto refused = co_await world.stores.agents.add(world.ours.org, stray);
  CHECK(refusal(refused) == Errc::not_found);
}
