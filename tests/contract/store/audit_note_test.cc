#include "tests/contract/store/tunnels.h"

// Every change that a caller asks for takes a note: its entry is stored with the change, or neither is.
using namespace sallyport;
using namespace sallyport::test;
using store::AuditEntry;
using store::AuditNote;

namespace {

AuditEntry entry_for(const OrgId& ledger, std::string action) {
  return {ledger,
          {EventId("evt_1"), at_ms(5), R"({"action":")" + action + R"(","actor":"a","outcome":"done","target":""})"}};
}

template <class... Came>
AuditNote<Came...> note(World& world, std::shared_ptr<bool> stored) {
  return {[org = world.ours.org](const Came&...) -> Result<AuditEntry> { return entry_for(org, "thing.change"); },
          std::move(stored)};
}

template <class... Came>
AuditNote<Came...> faulty_note(World&, std::shared_ptr<bool> stored) {
  return {[](const Came&...) -> Result<AuditEntry> { return fail(Errc::invalid, "planted"); }, std::move(stored)};
}

awaitable<std::uint64_t> rows(World& world) {
  const auto verdict = must(co_await world.stores.audit_log.verify(world.ours.org));
  CHECK(!verdict.bad_seq);
  co_return verdict.rows;
}

store::NewRecipeVersion new_version(World& world) {
  return {.id_if_new = world.id<RecipeId>("rcp_"),
          .name = "fresh",
          .run_on = "dc1",
          .trigger = "manual",
          .source_yaml = "y",
          .canonical_json = "{}",
          .sha256 = Bytes(32),
          .created_by = world.ours.owner,
          .created_at = at_ms(1)};
}

store::User new_user(World& world) {
  return {
      .id = world.id<UserId>("usr_"), .org = world.ours.org, .name = "N", .email = "n@x.test", .created_at = at_ms(1)};
}

store::ApiToken new_token(World& world, const UserId& user) {
  return {.id = world.id<ApiTokenId>("tok_"),
          .org = world.ours.org,
          .user = user,
          .name = "t",
          .secret_hash = Bytes(32),
          .created_at = at_ms(1)};
}

store::EnrolmentToken new_enrolment(World& world) {
  return {.id = world.id<EnrolmentId>("enr_"),
          .org = world.ours.org,
          .group = world.ours.group,
          .sealed_secret = bytes_of("s"),
          .created_by = world.ours.owner,
          .created_at = at_ms(1),
          .expires_at = at_ms(9000)};
}

// A change that works once with things of its own: `prepare` makes what it needs before it is watched.
struct Change {
  const char* name;
  awaitable<Errc> (*run)(World&, bool faulty, std::shared_ptr<bool> stored);
};

template <class... Came>
AuditNote<Came...> pick(World& world, bool faulty, std::shared_ptr<bool> stored) {
  return faulty ? faulty_note<Came...>(world, std::move(stored)) : note<Came...>(world, std::move(stored));
}

constexpr Errc kDone = Errc::cancelled;  // no method gives this one

template <class T>
Errc code_of(const Result<T>& result) {
  return result ? kDone : result.error().code;
}

template <class Call>
awaitable<Errc> code_of(Call call) {
  auto result = co_await std::move(call);
  co_return code_of(result);
}

const Change kChanges[] = {
    {"users.add",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.users.add(w.ours.org, new_user(w), pick<>(w, f, std::move(s))));
     }},
    {"users.change_role",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto user = new_user(w);
       must(co_await w.stores.users.add(w.ours.org, user));
       co_return code_of(co_await w.stores.users.change_role(w.ours.org, user.id, domain::Role::editor, at_ms(7),
                                                             pick<store::UserChange>(w, f, std::move(s))));
     }},
    {"users.remove",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto user = new_user(w);
       must(co_await w.stores.users.add(w.ours.org, user));
       co_return code_of(
           co_await w.stores.users.remove(w.ours.org, user.id, at_ms(7), pick<store::UserChange>(w, f, std::move(s))));
     }},
    {"api_tokens.add",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.api_tokens.add(w.ours.org, new_token(w, w.ours.owner), pick<>(w, f, std::move(s))));
     }},
    {"api_tokens.revoke",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto token = new_token(w, w.ours.owner);
       must(co_await w.stores.api_tokens.add(w.ours.org, token));
       co_return code_of(
           co_await w.stores.api_tokens.revoke(w.ours.org, token.id, at_ms(7), pick<>(w, f, std::move(s))));
     }},
    {"groups.add",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.groups.add(w.ours.org, {w.id<GroupId>("grp_"), w.ours.org, "dc2", at_ms(1)},
                                          pick<>(w, f, std::move(s))));
     }},
    {"groups.remove",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const store::Group group{w.id<GroupId>("grp_"), w.ours.org, "dc3", at_ms(1)};
       must(co_await w.stores.groups.add(w.ours.org, group));
       co_return code_of(co_await w.stores.groups.remove(w.ours.org, group.id, at_ms(7), pick<>(w, f, std::move(s))));
     }},
    {"agents.rename",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.agents.rename(w.ours.org, w.ours.agent, {"new"}, pick<>(w, f, std::move(s))));
     }},
    {"agents.move",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.agents.move(w.ours.org, w.ours.agent, {w.ours.group, w.ours.group},
                                           pick<store::Agent>(w, f, std::move(s))));
     }},
    {"issuing_cas.replace",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const store::IssuingCa ca{w.ours.org, bytes_of("der"), bytes_of("sealed"), at_ms(1), at_ms(2)};
       must(co_await w.stores.issuing_cas.add(w.ours.org, ca));
       co_return code_of(
           co_await w.stores.issuing_cas.replace(w.ours.org, ca.certificate_der, ca, pick<>(w, f, std::move(s))));
     }},
    {"recipes.remove",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(
           w.stores.recipes.remove(w.ours.org, w.ours.recipe, {at_ms(7)}, pick<store::Recipe>(w, f, std::move(s))));
     }},
    {"agents.revoke",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.agents.revoke(w.ours.org, w.ours.agent, at_ms(7), pick<>(w, f, std::move(s))));
     }},
    {"certificates.add",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.certificates.add(w.ours.org, w.ours.agent, {store::Serial("ab"), at_ms(1), at_ms(9)},
                                                pick<>(w, f, std::move(s))));
     }},
    {"enrolment_tokens.add",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.enrolment_tokens.add(w.ours.org, new_enrolment(w), pick<>(w, f, std::move(s))));
     }},
    {"enrolment_tokens.revoke",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto token = new_enrolment(w);
       must(co_await w.stores.enrolment_tokens.add(w.ours.org, token));
       co_return code_of(
           co_await w.stores.enrolment_tokens.revoke(w.ours.org, token.id, at_ms(7), pick<>(w, f, std::move(s))));
     }},
    {"enrolment_tokens.redeem",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto token = new_enrolment(w);
       must(co_await w.stores.enrolment_tokens.add(w.ours.org, token));
       co_return code_of(co_await w.stores.enrolment_tokens.redeem(
           w.ours.org, token.id, at_ms(7), {w.id<AgentId>("agt_"), "n", "h", "s"},
           {store::Serial("cd"), at_ms(1), at_ms(9)}, pick<store::Agent>(w, f, std::move(s))));
     }},
    {"recipes.apply",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(
           w.stores.recipes.apply(w.ours.org, new_version(w), pick<store::AppliedRecipe>(w, f, std::move(s))));
     }},
    {"recipes.activate",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.recipes.activate(w.ours.org, w.ours.recipe, {std::nullopt, 1},
                                                pick<store::Recipe>(w, f, std::move(s))));
     }},
    {"jobs.add",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.jobs.add(w.ours.org, w.new_job(w.ours), pick<store::AddedJob>(w, f, std::move(s))));
     }},
    {"jobs.request_cancel",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto job = co_await w.queue_job(w.ours);
       co_return code_of(
           co_await w.stores.jobs.request_cancel(w.ours.org, job.id, {at_ms(7)}, pick<store::Job>(w, f, std::move(s))));
     }},
    {"tunnels.add",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.tunnels.add(w.ours.org, new_tunnel(w, w.ours), pick<>(w, f, std::move(s))));
     }},
    {"tunnels.set_status",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto tunnel = new_tunnel(w, w.ours);
       must(co_await w.stores.tunnels.add(w.ours.org, tunnel));
       auto code = code_of(co_await w.stores.tunnels.set_status(w.ours.org, tunnel.id, store::TunnelStatus::paused,
                                                                pick<>(w, f, std::move(s))));
       const auto now = must(co_await w.stores.tunnels.find(w.ours.org, tunnel.id));
       CHECK(now.status == (f ? store::TunnelStatus::active : store::TunnelStatus::paused));
       co_return code;
     }},
    {"tunnels.change",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto tunnel = new_tunnel(w, w.ours);
       must(co_await w.stores.tunnels.add(w.ours.org, tunnel));
       co_return code_of(co_await w.stores.tunnels.change(w.ours.org, tunnel.id, {.connections = 7},
                                                          pick<store::ChangedTunnel>(w, f, std::move(s))));
     }},
    {"tunnels.remove",
     [](World& w, bool f, std::shared_ptr<bool> s) -> awaitable<Errc> {
       const auto tunnel = new_tunnel(w, w.ours);
       must(co_await w.stores.tunnels.add(w.ours.org, tunnel));
       co_return code_of(co_await w.stores.tunnels.remove(w.ours.org, tunnel.id, at_ms(7), pick<>(w, f, std::move(s))));
     }},
    {"organisations.rename",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       return code_of(w.stores.organisations.rename(w.ours.org, "ours-2", pick<>(w, f, std::move(s))));
     }},
    {"organisations.found",
     [](World& w, bool f, std::shared_ptr<bool> s) {
       const OrgId org = w.id<OrgId>("org_");
       auto owner = new_user(w);
       auto token = new_token(w, owner.id);
       return code_of(w.stores.organisations.found({{org, "third", at_ms(1)}, std::move(owner), std::move(token)},
                                                   pick<>(w, f, std::move(s))));
     }},
};

awaitable<void> check_change(World& world, const Change& change, bool faulty) {
  auto stored = std::make_shared<bool>(false);
  const auto code = co_await change.run(world, faulty, stored);
  const auto told = co_await rows(world);
  INFO(change.name << (faulty ? " with a note that fails" : ""));
  CHECK(code == (faulty ? Errc::invalid : kDone));
  CHECK(*stored == !faulty);
  CHECK(told == (faulty ? 0 : 1));
}

}  // namespace

TEST_CASE("audit notes: every change stores its entry, or fails with it", "[store][audit]") {
  for (const EngineFactory& factory : engines()) {
    for (const Change& change : kChanges) {
      for (const bool faulty : {false, true}) {
        World world(factory.make());
        run([](World& w, const Change& c, bool f) -> awaitable<void> {
          co_await w.furnish();
          co_await check_change(w, c, f);
        }(world, change, faulty));
      }
    }
  }
}

STORE_TEST_CASE("audit notes: a change that is undone by its note has not happened", "[store][audit]") {
  auto failed = co_await world.stores.groups.add(world.ours.org, {GroupId("grp_x"), world.ours.org, "dc2", at_ms(1)},
                                                 faulty_note<>(world, nullptr));
  CHECK(refusal(failed) == Errc::invalid);
  auto absent = co_await world.stores.groups.find(world.ours.org, GroupId("grp_x"));
  CHECK(refusal(absent) == Errc::not_found);
}

STORE_TEST_CASE("audit notes: a change that is refused leaves no entry", "[store][audit]") {
  auto stored = std::make_shared<bool>(false);
  auto taken = co_await world.stores.groups.add(world.ours.org, {GroupId("grp_x"), world.ours.org, "dc1", at_ms(1)},
                                                note<>(world, stored));
  CHECK(refusal(taken) == Errc::conflict);
  CHECK_FALSE(*stored);
  const auto told = co_await rows(world);
  CHECK(told == 0);
}

STORE_TEST_CASE("audit notes: the entry tells what the change came to", "[store][audit]") {
  AuditNote<store::AppliedRecipe> telling{
      [org = world.ours.org](const store::AppliedRecipe& applied) {
        return Result<AuditEntry>(entry_for(org, "version." + std::to_string(applied.version)));
      },
      nullptr};
  must(co_await world.stores.recipes.apply(world.ours.org, new_version(world), telling));
  const auto page = must(co_await world.stores.audit_log.list(world.ours.org, {}, {}));
  REQUIRE(page.items.size() == 1);
  CHECK(page.items[0].event.json.find("version.1") != std::string::npos);
}

STORE_TEST_CASE("audit notes: further entries come with the first, or nothing does", "[store][audit]") {
  auto told = note<store::UserChange>(world, nullptr);
  told.more = [org = world.ours.org](const store::UserChange& change) -> Result<std::vector<AuditEntry>> {
    return std::vector{entry_for(org, "second." + change.user.name), entry_for(org, "third.change")};
  };
  auto faulty = note<store::UserChange>(world, nullptr);
  faulty.more = [](const store::UserChange&) -> Result<std::vector<AuditEntry>> {
    return fail(Errc::invalid, "planted");
  };
  const auto user = new_user(world);
  must(co_await world.stores.users.add(world.ours.org, user));
  auto failed = co_await world.stores.users.remove(world.ours.org, user.id, at_ms(1), faulty);
  CHECK(refusal(failed) == Errc::invalid);
  auto count = co_await rows(world);
  CHECK(count == 0);
  must(co_await world.stores.users.find(world.ours.org, user.id));
  must(co_await world.stores.users.remove(world.ours.org, user.id, at_ms(1), told));
  count = co_await rows(world);
  CHECK(count == 3);
}

STORE_TEST_CASE("organisations: founded with owner and token, or not at all", "[store][people]") {
  const OrgId org = world.id<OrgId>("org_");
  auto owner = new_user(world);
  owner.role = domain::Role::owner;
  auto token = new_token(world, owner.id);
  auto taken = co_await world.stores.organisations.found({{org, "ours", at_ms(1)}, owner, token});
  CHECK(refusal(taken) == Errc::conflict);
  auto stranger = token;
  stranger.user = UserId("usr_absent");
  auto half = co_await world.stores.organisations.found({{org, "third", at_ms(1)}, owner, stranger});
  CHECK(refusal(half) == Errc::not_found);
  auto absent = co_await world.stores.organisations.find(org);
  CHECK(refusal(absent) == Errc::not_found);
  auto nobody = co_await world.stores.users.find(org, owner.id);
  CHECK(refusal(nobody) == Errc::not_found);

  must(co_await world.stores.organisations.found({{org, "third", at_ms(1)}, owner, token}));
  const auto found = must(co_await world.stores.api_tokens.find_for_authentication(token.id));
  CHECK(found.user.org == org);
  CHECK(found.user.role == domain::Role::owner);
  CHECK(found.token.org == org);
}
