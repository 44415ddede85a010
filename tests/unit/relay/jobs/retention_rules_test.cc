#include "relay/jobs/retention_rules.h"

#include "shared/crypto/new_id.h"
#include "tests/unit/relay/jobs/world.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobRetention;
using domain::RetentionLevels;
using domain::RetentionLimits;

namespace {

RetentionLimits payload_of(domain::Hours kept) {
  RetentionLimits limits;
  limits[domain::RetentionClass::payload] = kept;
  return limits;
}

// Counts what it is asked, and can be told to fail.
class CountedRetentions final : public store::Retentions {
 public:
  explicit CountedRetentions(store::Retentions& real) : real_(real) {}
  awaitable<Result<RetentionLimits>> find_platform() override { return real_.find_platform(); }
  awaitable<Result<RetentionLevels>> find(OrgId org) override {
    ++asked;
    if (broken) co_return fail(Errc::unavailable, "planted fault");
    auto found = co_await real_.find(org);
    if (meanwhile) meanwhile();
    co_return found;
  }
  awaitable<Result<store::ChangedRetention>> set(OrgId org, store::RetentionChange change,
                                                 store::AuditNote<store::ChangedRetention> note) override {
    return real_.set(std::move(org), change, std::move(note));
  }
  awaitable<Result<store::ChangedRetention>> set_platform(store::RetentionChange change,
                                                          store::AuditNote<store::ChangedRetention> note) override {
    return real_.set_platform(change, std::move(note));
  }
  int asked = 0;
  bool broken = false;
  std::function<void()> meanwhile;  // between reading and answering

 private:
  store::Retentions& real_;
};

}  // namespace

JOBS_TEST_CASE("a lane is as long as its organisation says now, and of an unknown one as it was made",
               "[jobs][retention]") {
  const auto ours = co_await world.settle("ours");
  CountedRetentions counted(world.stores.retentions);
  RetentionRules rules(counted, world.clock);
  must(co_await counted.set(ours.org, {payload_of(2h), {}}, {}));
  CHECK(must(co_await rules.hours_now(ours.org, {"payload", 48})) == 2);
  CHECK(must(co_await rules.hours_now(ours.org, {"transient", 25})) == 25);  // no class that anybody shortens
  CHECK(must(co_await rules.hours_now(OrgId("org_unknown"), {"payload", 48})) == 48);
  counted.broken = true;
  rules.forget();
  const auto none = co_await rules.hours_now(ours.org, {"payload", 48});
  CHECK_FALSE(none);
}

JOBS_TEST_CASE("the store is asked once in a while, and at once after a change", "[jobs][retention]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  CountedRetentions counted(world.stores.retentions);
  RetentionRules rules(counted, world.clock);
  for (int i = 0; i < 10; ++i) CHECK(must(co_await rules.levels(ours.org)) == RetentionLevels{});
  CHECK(counted.asked == 1);
  must(co_await counted.set(ours.org, {payload_of(2h), {}}, {}));
  CHECK(must(co_await rules.levels(ours.org)) == RetentionLevels{});  // for a moment more
  world.clock.advance(kRetentionKeptFor);
  CHECK(must(co_await rules.levels(ours.org)).organisation == payload_of(2h));
  must(co_await counted.set(ours.org, {payload_of(3h), payload_of(2h)}, {}));
  rules.forget();
  CHECK(must(co_await rules.levels(ours.org)).organisation == payload_of(3h));
  CHECK(must(co_await rules.levels(other.org)) == RetentionLevels{});
  CHECK(counted.asked == 4);
}

JOBS_TEST_CASE("what was read before a change is not kept after it", "[jobs][retention]") {
  const auto ours = co_await world.settle("ours");
  CountedRetentions counted(world.stores.retentions);
  RetentionRules rules(counted, world.clock);
  counted.meanwhile = [&] { rules.forget(); };
  must(co_await rules.levels(ours.org));
  counted.meanwhile = nullptr;
  must(co_await rules.levels(ours.org));
  CHECK(counted.asked == 2);
}

JOBS_TEST_CASE("the organisations at hand are bounded", "[jobs][retention][limits]") {
  class EverybodysRetentions final : public store::Retentions {
   public:
    awaitable<Result<RetentionLimits>> find_platform() override { co_return RetentionLimits{}; }
    awaitable<Result<RetentionLevels>> find(OrgId) override {
      ++asked;
      co_return RetentionLevels{};
    }
    awaitable<Result<store::ChangedRetention>> set(OrgId, store::RetentionChange,
                                                   store::AuditNote<store::ChangedRetention>) override {
      co_return store::ChangedRetention{};
    }
    awaitable<Result<store::ChangedRetention>> set_platform(store::RetentionChange,
                                                            store::AuditNote<store::ChangedRetention>) override {
      co_return store::ChangedRetention{};
    }
    std::size_t asked = 0;
  } everybody;
  RetentionRules rules(everybody, world.clock);
  const auto ask = [&](std::size_t i) { return rules.levels(OrgId(fmt::format("org_{}", i))); };
  for (std::size_t i = 0; i < kMaxRetentionsKept; ++i) must(co_await ask(i));
  must(co_await ask(0));
  CHECK(everybody.asked == kMaxRetentionsKept);
  must(co_await ask(kMaxRetentionsKept));
  must(co_await ask(0));  // it had to make room
  CHECK(everybody.asked == kMaxRetentionsKept + 2);
}

JOBS_TEST_CASE("a job gets what its recipe asks for, as far as it may", "[jobs][retention]") {
  const auto ours = co_await world.settle("ours");
  const auto plain = co_await world.add_recipe(ours, manual_recipe("plain"));
  const auto keeper =
      co_await world.add_recipe(ours, manual_recipe("keeper", "retention: {payload: 90m, logs: 30d}\n"));
  const auto started = co_await world.queue(ours, plain);
  CHECK((co_await world.job(ours, started)).retention == JobRetention{});
  const auto kept = co_await world.queue(ours, keeper);
  CHECK((co_await world.job(ours, kept)).retention == JobRetention{.payload = 2h, .logs = 14 * 24h});
  must(co_await world.stores.retentions.set(ours.org, {payload_of(1h), {}}));
  world.retention.forget();
  const auto later = co_await world.queue(ours, keeper);
  CHECK((co_await world.job(ours, later)).retention.payload == 1h);
}

JOBS_TEST_CASE("a job that an agent started gets its retention too", "[jobs][retention]") {
  const auto ours = co_await world.settle("ours");
  const auto recipe = co_await world.add_recipe(ours, "retention: {payload: 5h}\n" + watching_recipe("watching"));
  must(co_await world.stores.assignments.assign(ours.org, std::nullopt, {ours.org, recipe, 1, ours.agent}));
  auto link = world.link(ours);
  const auto job = crypto::new_id<JobId>(world.clock);
  must(co_await world.recorder.record(
      *link, {{.seq = 1,
               .job = job,
               .job_seq = 1,
               .what = ReportedJobStart{recipe, 1, R"({"kind":"schedule"})", "", "schedule"}}}));
  CHECK((co_await world.job(ours, job)).retention == JobRetention{.payload = 5h});
}

JOBS_TEST_CASE("a re-run is kept no longer than the job it repeats", "[jobs][retention]") {
  const auto ours = co_await world.settle("ours");
  must(co_await world.stores.retentions.set(ours.org, {payload_of(3h), {}}));
  const auto first = co_await world.queue(ours);
  must(co_await world.service.cancel(ours.org, first, {"test"}));
  must(co_await world.stores.retentions.set(ours.org, {{}, payload_of(3h)}));
  world.retention.forget();
  const auto again = must(co_await world.service.rerun(ours.org, {first, "", ""}, {"test"}));
  CHECK(again.retention == JobRetention{.payload = 3h});
  must(co_await world.service.cancel(ours.org, again.id, {"test"}));
  must(co_await world.stores.retentions.set(ours.org, {payload_of(1h), {}}));
  world.retention.forget();
  const auto third = must(co_await world.service.rerun(ours.org, {again.id, "", ""}, {"test"}));
  CHECK(third.retention.payload == 1h);
}

JOBS_TEST_CASE("no job is made while nobody knows how long it may be kept", "[jobs][retention]") {
  const auto ours = co_await world.settle("ours");
  CountedRetentions counted(world.stores.retentions);
  RetentionRules rules(counted, world.clock);
  counted.broken = true;
  const auto refused = co_await rules.in_effect(ours.org, {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::unavailable);
  counted.broken = false;
  CHECK(must(co_await rules.in_effect(ours.org, {.payload = domain::kKeptNever})).payload == domain::kKeptNever);
}
