#include "relay/jobs/journals.h"

#include "tests/unit/relay/jobs/world.h"

#include <fmt/format.h>

#include <utility>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;
using store::JournalMark;

// An agent that comes back without its journal, or with an older copy of it.

namespace {

constexpr JournalMark kKnown{41, 100};

// A job that a local trigger started and of which `path` was last seen running; "" = no step was.
awaitable<JobId> local_job(JobsWorld& world, Tenant ours, std::string path) {
  world.clock.advance(1ms);
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  auto id = co_await world.local_job(ours, watching);
  if (path.empty()) co_return id;
  std::vector<store::HistoryEntry> entries;
  entries.push_back({1, world.clock.wall(), store::JobStarted{}});
  entries.push_back({2, world.clock.wall(), store::StepStarted{path, 1, "log.write@1", {}}});
  must(co_await world.stores.history.append(ours.org, id, 0, std::move(entries)));
  co_return id;
}

awaitable<std::size_t> losses_in_ledger(JobsWorld& world, Tenant ours) {
  const auto page = must(co_await world.stores.audit_log.list(ours.org, {.action = "journal.lost"}, {}));
  co_return page.items.size();
}

// What its relay knows of the agent, a leased job whose lease holds, and one of its own.
struct Before {
  Tenant ours;
  JobId leased;
  JobId own;
};

awaitable<Before> working_agent(JobsWorld& world) {
  Before before{.ours = co_await world.settle("ours"), .leased = {}, .own = {}};
  const auto& ours = before.ours;
  must(co_await world.stores.agents.change_journal(ours.org, ours.agent, {std::nullopt, kKnown}));
  before.leased = co_await world.queue(ours);
  const auto now = world.clock.wall();
  must(co_await world.stores.jobs.claim(ours.org, before.leased, {ours.agent, 0, now, now + 1min}));
  must(co_await world.dispatcher.restore());
  before.own = co_await local_job(world, ours, "a");
  world.clock.advance(1s);
  co_return before;
}

}  // namespace

TEST_CASE("what a journal is to the one that is known", "[jobs][journals]") {
  CHECK(compare(std::nullopt, {5, 0}) == JournalStanding::first);
  CHECK(compare(JournalMark{5, 7}, {5, 7}) == JournalStanding::same);
  CHECK(compare(JournalMark{5, 7}, {5, 8}) == JournalStanding::same);
  CHECK(compare(JournalMark{5, 7}, {5, 6}) == JournalStanding::earlier);
  CHECK(compare(JournalMark{5, 7}, {6, 8}) == JournalStanding::another);
  CHECK(compare(JournalMark{5, 7}, {6, 0}) == JournalStanding::another);
}

JOBS_TEST_CASE("with its journal intact, or none that it tells of, an agent keeps its jobs", "[jobs][journals]") {
  const auto before = co_await working_agent(world);
  const auto& ours = before.ours;
  for (const JournalMark told : {kKnown, JournalMark{41, 250}, JournalMark{0, 0}}) {
    auto link = world.link(ours);
    world.dispatcher.link_up(*link);
    must(co_await world.journals.meet(*link, told));
    co_await world.dispatcher.holding(*link, {{{before.leased, 1, {}}}, 0, 1, told.id, told.seq});
    REQUIRE(link->got<LeaseAnswer>().size() == 1);
    CHECK(link->got<LeaseAnswer>()[0].renewed.size() == 1);
    world.dispatcher.link_down(*link);
  }
  const auto own = co_await world.job(ours, before.own);
  CHECK(own.state == JobState::running);
  const auto losses = co_await losses_in_ledger(world, ours);
  CHECK(losses == 0);
}

JOBS_TEST_CASE("the first journal that an agent tells of is taken as it is", "[jobs][journals]") {
  const auto ours = co_await world.settle("ours");
  const auto own = co_await local_job(world, ours, "a");
  auto link = world.link(ours);
  world.dispatcher.link_up(*link);
  must(co_await world.journals.meet(*link, {9, 3}));
  const auto known = must(co_await world.stores.agents.journal(ours.org, ours.agent));
  CHECK(known == JournalMark{9, 3});
  const auto stored = co_await world.job(ours, own);
  CHECK(stored.state == JobState::running);
  const auto losses = co_await losses_in_ledger(world, ours);
  CHECK(losses == 0);
}

JOBS_TEST_CASE("a journal that is another, or older, costs the agent its jobs", "[jobs][journals]") {
  for (const JournalMark told : {JournalMark{77, 0}, JournalMark{77, 500}, JournalMark{41, 99}}) {
    JobsWorld fresh(co_await asio::this_coro::executor);
    const auto before = co_await working_agent(fresh);
    const auto& ours = before.ours;
    const auto elsewhere = co_await fresh.settle("elsewhere");
    const auto not_ours = co_await local_job(fresh, elsewhere, "a");
    auto link = fresh.link(ours);
    fresh.dispatcher.link_up(*link);
    must(co_await fresh.journals.meet(*link, told));

    const auto own = co_await fresh.job(ours, before.own);
    CHECK(own.state == JobState::in_doubt);
    CHECK(own.error.error_class == "journal_lost");
    CHECK(own.error.failed_step == "a");
    const auto why = co_await fresh.why(own);
    CHECK(why.starts_with(ours.agent.value + " lost the journal in which it ran this job"));
    CHECK(why.ends_with("look at the systems that its steps change, then re-run it, or leave it as it is"));
    const auto leased = co_await fresh.job(ours, before.leased);
    CHECK(leased.state == JobState::queued);
    CHECK(leased.held_before);  // a step of it may have begun
    CHECK(leased.run_number == 2);
    const auto others = co_await fresh.job(elsewhere, not_ours);
    CHECK(others.state == JobState::running);

    // An older copy names what it held: none of it goes on.
    co_await fresh.dispatcher.holding(*link, {{{before.leased, 1, {}}}, 0, 1, told.id, told.seq});
    const auto answers = link->got<LeaseAnswer>();
    REQUIRE(answers.size() == 2);
    REQUIRE(answers[0].fenced.size() == 1);  // unasked: it may run its own already
    CHECK(answers[0].holding == 0);
    CHECK(answers[0].fenced[0].job == before.own);
    CHECK(answers[0].fenced[0].epoch == 0);
    CHECK(answers[1].renewed.empty());
    REQUIRE(answers[1].fenced.size() == 1);
    CHECK(answers[1].fenced[0].job == before.leased);

    const auto known = must(co_await fresh.stores.agents.journal(ours.org, ours.agent));
    CHECK(known == told);
    auto losses = co_await losses_in_ledger(fresh, ours);
    CHECK(losses == 1);
    CHECK(fresh.lines.has("journal.lost"));
    fresh.dispatcher.link_down(*link);
    auto next = fresh.link(ours);  // and that was that
    const auto later = co_await local_job(fresh, ours, "");
    fresh.dispatcher.link_up(*next);
    must(co_await fresh.journals.meet(*next, told));
    const auto stays = co_await fresh.job(ours, later);
    CHECK(stays.state == JobState::running);
    losses = co_await losses_in_ledger(fresh, ours);
    CHECK(losses == 1);
  }
}

JOBS_TEST_CASE("a job of which no step was seen is in doubt all the same", "[jobs][journals]") {
  const auto ours = co_await world.settle("ours");
  must(co_await world.stores.agents.change_journal(ours.org, ours.agent, {std::nullopt, kKnown}));
  const auto own = co_await local_job(world, ours, "");
  auto link = world.link(ours);
  world.dispatcher.link_up(*link);
  must(co_await world.journals.meet(*link, {77, 0}));
  const auto stored = co_await world.job(ours, own);
  CHECK(stored.state == JobState::in_doubt);
  CHECK(stored.error.error_class == "journal_lost");
  CHECK(stored.error.failed_step.empty());
}

// Each call of the store fails once, as if the relay had died there: the next link finds the rest, and one entry tells
// of it.
JOBS_TEST_CASE("a loss that was taken in only partly is found again", "[jobs][journals]") {
  std::size_t calls = 0;
  for (std::size_t k = 1; k == 1 || k <= calls; ++k) {
    JobsWorld fresh(co_await asio::this_coro::executor);
    const auto before = co_await working_agent(fresh);
    const auto& ours = before.ours;
    INFO("call " << k << " fails");
    fresh.faults.calls.clear();
    fresh.faults.fail_at = k;
    auto link = fresh.link(ours);
    fresh.dispatcher.link_up(*link);
    const auto partly = co_await fresh.journals.meet(*link, {77, 0});
    CHECK_FALSE(partly);
    fresh.dispatcher.link_down(*link);
    fresh.faults.fail_at = 0;
    auto known = must(co_await fresh.stores.agents.journal(ours.org, ours.agent));
    CHECK(known == kKnown);

    fresh.faults.calls.clear();
    auto next = fresh.link(ours);
    fresh.dispatcher.link_up(*next);
    must(co_await fresh.journals.meet(*next, {77, 0}));
    calls = std::max(calls, fresh.faults.calls.size());
    const auto own = co_await fresh.job(ours, before.own), leased = co_await fresh.job(ours, before.leased);
    CHECK(own.state == JobState::in_doubt);
    CHECK(leased.state == JobState::queued);
    CHECK(leased.held_before);
    known = must(co_await fresh.stores.agents.journal(ours.org, ours.agent));
    CHECK(known == JournalMark{77, 0});
    const auto losses = co_await losses_in_ledger(fresh, ours);
    CHECK(losses == 1);
  }
  CHECK(calls >= 4);
}

// Two copies of one identity that link in turns: each time what the other was doing is in doubt, and never more.
JOBS_TEST_CASE("two journals of one identity take turns", "[jobs][journals]") {
  const auto ours = co_await world.settle("ours");
  must(co_await world.stores.agents.change_journal(ours.org, ours.agent, {std::nullopt, kKnown}));
  std::vector<JobId> jobs;
  for (const JournalMark told : {JournalMark{77, 0}, kKnown, JournalMark{77, 5}}) {
    jobs.push_back(co_await local_job(world, ours, "a"));
    auto link = world.link(ours);
    world.dispatcher.link_up(*link);
    must(co_await world.journals.meet(*link, told));
    world.dispatcher.link_down(*link);
  }
  for (const auto& job : jobs) {
    const auto stored = co_await world.job(ours, job);
    CHECK(stored.state == JobState::in_doubt);
  }
  const auto losses = co_await losses_in_ledger(world, ours);
  CHECK(losses == 3);
}

JOBS_TEST_CASE("reports raise what is known of the journal they come from", "[jobs][journals]") {
  const auto before = co_await working_agent(world);
  const auto& ours = before.ours;
  FakeLink link({ours.org, ours.agent, ours.group, kKnown.id}), stale({ours.org, ours.agent, ours.group, 40});
  std::vector<Report> reports;
  reports.push_back({131, JobId(), 0, 1, 0, ReportedAgentEvent{"policy.refused", "files", ""}});
  must(co_await world.recorder.record(stale, reports));
  auto known = must(co_await world.stores.agents.journal(ours.org, ours.agent));
  CHECK(known == kKnown);
  must(co_await world.recorder.record(link, reports));
  known = must(co_await world.stores.agents.journal(ours.org, ours.agent));
  CHECK(known == JournalMark{41, 131});

  world.faults.refuses = [](std::string_view call) { return call == "agents.raise_journal"; };
  reports[0].seq = 132;
  const auto refused = co_await world.recorder.record(link, reports);  // not acknowledged, or a loss could be missed
  CHECK_FALSE(refused);
  world.faults.refuses = nullptr;
  must(co_await world.recorder.record(link, {}));
}
