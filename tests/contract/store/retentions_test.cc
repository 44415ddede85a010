#include "tests/contract/store/world.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::Hours;
using domain::RetentionClass;
using domain::RetentionLimits;

namespace {

constexpr auto kPayload = RetentionClass::payload;
constexpr auto kLogs = RetentionClass::logs;

RetentionLimits limits(std::initializer_list<std::pair<RetentionClass, Hours>> set) {
  RetentionLimits made;
  for (const auto& [one, kept] : set) made[one] = kept;
  return made;
}

store::AuditNote<store::ChangedRetention> note(const OrgId& ledger, std::shared_ptr<bool> stored) {
  return {[ledger](const store::ChangedRetention& changed) -> Result<store::AuditEntry> {
            const bool longer = changed.now[kPayload] > changed.before[kPayload];
            const std::string action = longer ? "retention.lengthen" : "retention.shorten";
            return store::AuditEntry{ledger,
                                     {EventId("evt_1"), at_ms(5),
                                      R"({"action":")" + action + R"(","actor":"a","outcome":"done","target":""})"}};
          },
          std::move(stored)};
}

awaitable<std::vector<store::AuditRow>> ledger_of(World& world, OrgId org) {
  co_return must(co_await world.stores.audit_log.list(org, {}, {})).items;
}

}  // namespace

STORE_TEST_CASE("retention: nothing is set until somebody sets it, and what is set reads back", "[store][retention]") {
  auto& retentions = world.stores.retentions;
  CHECK(must(co_await retentions.find_platform()) == RetentionLimits{});
  CHECK(must(co_await retentions.find(world.ours.org)) == domain::RetentionLevels{});

  const auto platform = limits(
      {{kPayload, 90 * 24h}, {RetentionClass::server_logs, 1h}, {RetentionClass::archive, domain::kMostRetention}});
  must(co_await retentions.set_platform({platform, {}}));
  const auto ours = limits({{kPayload, domain::kKeptNever}, {kLogs, 36h}, {RetentionClass::audit, 400 * 24h}});
  const auto changed = must(co_await retentions.set(world.ours.org, {ours, {}}));
  CHECK(changed.before == RetentionLimits{});
  CHECK(changed.now == ours);
  CHECK(must(co_await retentions.find_platform()) == platform);
  CHECK(must(co_await retentions.find(world.ours.org)) == domain::RetentionLevels{platform, ours});
  CHECK(must(co_await retentions.find(world.theirs.org)) == domain::RetentionLevels{platform, {}});

  must(co_await retentions.set(world.ours.org, {limits({{kLogs, 1h}}), ours}));  // the rest is not set any more
  must(co_await retentions.set_platform({{}, platform}));
  CHECK(must(co_await retentions.find(world.ours.org)) == domain::RetentionLevels{{}, limits({{kLogs, 1h}})});
}

STORE_TEST_CASE("retention: organisations do not see each other's", "[store][retention][tenancy]") {
  auto& retentions = world.stores.retentions;
  const auto ours = limits({{kPayload, 24h}}), theirs = limits({{kPayload, 48h}});
  must(co_await retentions.set(world.ours.org, {ours, {}}));
  must(co_await retentions.set(world.theirs.org, {theirs, {}}));
  must(co_await retentions.set(world.ours.org, {{}, ours}));
  CHECK(must(co_await retentions.find(world.theirs.org)).organisation == theirs);
  auto absent = co_await retentions.find(OrgId("org_absent"));
  CHECK(refusal(absent) == Errc::not_found);
  auto set_absent = co_await retentions.set(OrgId("org_absent"), {ours, {}});
  CHECK(refusal(set_absent) == Errc::not_found);
}

STORE_TEST_CASE("retention: an organisation that keeps no payload from now on changes the sets of its agents",
                "[store][retention][assignments]") {
  auto& retentions = world.stores.retentions;
  auto& assignments = world.stores.assignments;
  const auto revision = [&](Tenant side) -> awaitable<std::uint64_t> {
    co_return must(co_await assignments.of_agent(side.org, side.agent)).revision;
  };
  for (const auto* side : {&world.ours, &world.theirs})
    must(co_await assignments.assign(side->org, std::nullopt, {side->org, side->recipe, 1, side->agent}));
  const auto ours = co_await revision(world.ours), theirs = co_await revision(world.theirs);
  auto now = ours;
  const auto less = limits({{kPayload, 1h}}), none = limits({{kPayload, domain::kKeptNever}});
  must(co_await retentions.set(world.ours.org, {less, {}}));
  now = co_await revision(world.ours);
  CHECK(now == ours);
  must(co_await retentions.set(world.ours.org, {none, less}));
  now = co_await revision(world.ours);
  CHECK(now == ours + 1);
  must(co_await retentions.set(world.ours.org, {{}, none}));
  now = co_await revision(world.ours);
  CHECK(now == ours + 2);
  now = co_await revision(world.theirs);
  CHECK(now == theirs);
}

STORE_TEST_CASE("retention: who saw another state changes nothing", "[store][retention]") {
  auto& retentions = world.stores.retentions;
  const auto first = limits({{kPayload, 24h}});
  must(co_await retentions.set(world.ours.org, {first, {}}));
  auto late = co_await retentions.set(world.ours.org, {limits({{kPayload, 1h}}), {}});
  CHECK(refusal(late) == Errc::conflict);
  CHECK(must(co_await retentions.find(world.ours.org)).organisation == first);
  must(co_await retentions.set_platform({first, {}}));
  auto late_platform = co_await retentions.set_platform({limits({{kPayload, 1h}}), {}});
  CHECK(refusal(late_platform) == Errc::conflict);
  CHECK(must(co_await retentions.find_platform()) == first);
}

STORE_TEST_CASE("retention: what a level may not set is not stored", "[store][retention]") {
  auto& retentions = world.stores.retentions;
  for (const auto& bad : {limits({{RetentionClass::server_logs, 24h}}), limits({{kLogs, domain::kKeptNever}}),
                          limits({{kPayload, domain::kMostRetention + 1h}}), limits({{kPayload, Hours(-1)}})}) {
    auto refused = co_await retentions.set(world.ours.org, {bad, {}});
    CHECK(refusal(refused) == Errc::invalid);
  }
  auto refused = co_await retentions.set_platform({limits({{kPayload, domain::kKeptNever}}), {}});
  CHECK(refusal(refused) == Errc::invalid);
  CHECK(must(co_await retentions.find(world.ours.org)) == domain::RetentionLevels{});
}

STORE_TEST_CASE("retention: a change and its entry are stored together, and what changes nothing has none",
                "[store][retention][audit]") {
  auto& retentions = world.stores.retentions;
  const auto ours = limits({{kPayload, 24h}});
  auto stored = std::make_shared<bool>(false);
  must(co_await retentions.set(world.ours.org, {ours, {}}, note(world.ours.org, stored)));
  CHECK(*stored);
  CHECK((co_await ledger_of(world, world.ours.org)).size() == 1);

  *stored = false;
  must(co_await retentions.set(world.ours.org, {ours, ours}, note(world.ours.org, stored)));
  CHECK_FALSE(*stored);
  CHECK((co_await ledger_of(world, world.ours.org)).size() == 1);

  store::AuditNote<store::ChangedRetention> faulty{
      [](const store::ChangedRetention&) -> Result<store::AuditEntry> { return fail(Errc::invalid, "planted"); },
      stored};
  auto undone = co_await retentions.set(world.ours.org, {{}, ours}, faulty);
  CHECK(refusal(undone) == Errc::invalid);
  CHECK_FALSE(*stored);
  CHECK(must(co_await retentions.find(world.ours.org)).organisation == ours);

  must(co_await retentions.set_platform({ours, {}}, note(world.theirs.org, stored)));
  CHECK(*stored);
  CHECK((co_await ledger_of(world, world.theirs.org)).size() == 1);
}

STORE_TEST_CASE("jobs: what a job's data is kept for is in its row", "[store][jobs][retention]") {
  auto& jobs = world.stores.jobs;
  auto fresh = world.new_job(world.ours, "a");
  fresh.job.retention = {.payload = domain::kKeptNever, .logs = 7h, .archive = 100h};
  const auto added = must(co_await jobs.add(world.ours.org, fresh)).job;
  CHECK(added.retention == domain::JobRetention{.payload = domain::kKeptNever, .logs = 7h, .archive = 100h});
  CHECK(must(co_await jobs.find(world.ours.org, added.id)).retention == added.retention);
  CHECK(must(co_await jobs.list(world.ours.org, {}, {})).items.at(0).retention == added.retention);
  const auto usual = must(co_await jobs.add(world.ours.org, world.new_job(world.ours, "b"))).job;
  CHECK(usual.retention == domain::JobRetention{});
}
