#include "tests/unit/relay/jobs/world.h"

#include <vector>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;
using domain::ReleaseReason;

// Why a job starts late, or again: each way in which it leaves an agent without an end is in its history.

namespace {

// A job that its agent holds, over a link that came a while ago.
struct Held {
  Tenant ours;
  JobId job;
  std::unique_ptr<FakeLink> link;
};

awaitable<void> until_lost(JobsWorld& world, Held& held) {
  world.dispatcher.link_down(*held.link);
  world.clock.advance(2min);
  co_await world.rounds();
}

awaitable<void> revoked(JobsWorld& world, Held& held) {
  world.dispatcher.link_down(*held.link);
  must(co_await world.dispatcher.agent_revoked(held.ours.org, held.ours.agent));
}

awaitable<void> without_journal(JobsWorld& world, Held& held) {
  world.dispatcher.ready(*held.link, 0);
  must(co_await world.dispatcher.journal_lost(*held.link));
}

awaitable<void> answered_busy(JobsWorld& world, Held& held) {
  co_await world.dispatcher.answered(*held.link, {held.job, 1, false, "busy", ""});
}

awaitable<void> not_named(JobsWorld& world, Held& held) {
  world.clock.advance(1s);
  auto next = world.link(held.ours);
  world.dispatcher.link_up(*next);
  co_await world.dispatcher.holding(*next, {});
  held.link = std::move(next);
}

struct Row {
  ReleaseReason reason;
  awaitable<void> (*happens)(JobsWorld&, Held&);
};

const Row kRows[] = {{ReleaseReason::holder_lost, until_lost},
                     {ReleaseReason::agent_revoked, revoked},
                     {ReleaseReason::journal_lost, without_journal},
                     {ReleaseReason::busy, answered_busy},
                     {ReleaseReason::not_held, not_named}};

awaitable<std::vector<store::TakenBack>> taken_back(JobsWorld& world, OrgId org, JobId job) {
  const auto events = must(co_await world.stores.history.events(org, job, {.lines = store::Lines::taken_back})).items;
  std::vector<store::TakenBack> taken;
  taken.reserve(events.size());
  for (const auto& event : events) taken.push_back(event.taken_back.value_or(store::TakenBack{}));
  co_return taken;
}

}  // namespace

JOBS_TEST_CASE("however a job leaves its agent for the next, its history says why", "[jobs][taken-back]") {
  world.run();
  int made = 0;
  for (const auto& row : kRows) {
    INFO(domain::to_string(row.reason));
    Held held{.ours = co_await world.settle("org" + std::to_string(++made)), .job = {}, .link = nullptr};
    held.job = co_await world.queue(held.ours);
    held.link = world.link(held.ours);
    world.connect(*held.link, 1);
    co_await world.rounds();
    REQUIRE(held.link->got<Dispatch>().size() == 1);
    co_await row.happens(world, held);
    const auto stored = co_await world.job(held.ours, held.job);
    CHECK(stored.state == JobState::queued);
    CHECK(stored.held_before == domain::may_have_begun(row.reason));
    const auto taken = co_await taken_back(world, held.ours.org, held.job);
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].agent == held.ours.agent);
    CHECK(taken[0].reason == row.reason);
    world.dispatcher.link_down(*held.link);
  }
}

JOBS_TEST_CASE("a job that could not be sent says over whose link", "[jobs][taken-back]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  link->refuses = Error{Errc::exhausted, "the agent does not take its messages"};
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  const auto taken = co_await taken_back(world, ours.org, job);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].agent == ours.agent);
  CHECK(taken[0].reason == ReleaseReason::link_lost);
}

JOBS_TEST_CASE("a dispatch that cannot be put together for a while is told too", "[jobs][taken-back]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  world.faults.refuses = [](std::string_view call) { return call == "history.completed"; };
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  auto taken = co_await taken_back(world, ours.org, job);
  CHECK(taken.empty());  // tried again after a while
  world.clock.advance(31s);
  co_await world.rounds();
  taken = co_await taken_back(world, ours.org, job);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].reason == ReleaseReason::not_sendable);
}

JOBS_TEST_CASE("who watches a job hears of it at once", "[jobs][taken-back]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  const auto watcher = must(world.feed.subscribe({ours.org, "token:t"}, {.job = job}));
  world.dispatcher.link_down(*link);
  must(co_await world.dispatcher.agent_revoked(ours.org, ours.agent));
  const auto news = co_await watcher->next(world.clock.steady() + 1s);
  CHECK(std::holds_alternative<JobChange>(news));
}
