#include "tests/unit/relay/jobs/world.h"

#include <algorithm>
#include <utility>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;

// Who holds a job, and how it is taken back: leases, lost links, restarts, revocation.

JOBS_TEST_CASE("a lease is renewed by Holding, and a lost one gives the job to another", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto spare = co_await world.add_agent(ours, ours.group);
  const auto job = co_await world.queue(ours);
  auto first = world.link(ours), second = world.link(ours, spare, ours.group);
  world.connect(*first, 1);
  world.run();
  co_await world.rounds();
  REQUIRE(first->posted.size() == 1);
  const Lease lease{job, 1, {}};
  world.clock.advance(50s);
  co_await world.dispatcher.holding(*first, {{lease}, 0, 1});
  REQUIRE(first->got<LeaseAnswer>().size() == 1);
  CHECK(first->got<LeaseAnswer>()[0].renewed[0].length == 60s);
  world.dispatcher.link_down(*first);
  world.connect(*second, 1);

  world.clock.advance(119s);  // lease and failover are 60 s each
  co_await world.rounds();
  CHECK(second->posted.empty());
  world.clock.advance(1s);
  co_await world.rounds();
  REQUIRE(second->got<Dispatch>().size() == 1);
  CHECK(second->got<Dispatch>()[0].lease.epoch == 3);  // 2 was the queue's
  CHECK(second->got<Dispatch>()[0].run_number == 2);
  CHECK(second->got<Dispatch>()[0].held_before);

  world.dispatcher.link_up(*first);  // and comes back too late
  co_await world.dispatcher.holding(*first, {{lease}, 0, 1});
  const auto answer = first->got<LeaseAnswer>().back();
  CHECK(answer.renewed.empty());
  REQUIRE(answer.fenced.size() == 1);
  CHECK(answer.fenced[0].epoch == 1);
}

// An agent that comes back in this very moment must not be told that its lease goes on.
JOBS_TEST_CASE("a job that is being taken back is renewed no more, one that waits for it still is", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  std::vector<JobId> jobs = {co_await world.queue(ours), co_await world.queue(ours)};
  std::ranges::sort(jobs);
  auto link = world.link(ours);
  world.connect(*link, 2);
  world.run();
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 2);
  bool comes_back = true;
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call != "jobs.release" || !std::exchange(comes_back, false)) co_return;
    co_await world.dispatcher.holding(*link, {{{jobs[0], 1, {}}, {jobs[1], 1, {}}}, 0, 1});
  };
  world.clock.advance(2min);
  co_await world.rounds();
  const auto answers = link->got<LeaseAnswer>();
  REQUIRE(answers.size() == 1);
  REQUIRE(answers[0].fenced.size() == 1);
  CHECK(answers[0].fenced[0].job == jobs[0]);
  REQUIRE(answers[0].renewed.size() == 1);
  CHECK(answers[0].renewed[0].job == jobs[1]);
  const auto first = co_await world.job(ours, jobs[0]), second = co_await world.job(ours, jobs[1]);
  CHECK(first.lease_epoch > 1);
  CHECK(second.lease_epoch == 1);
  CHECK(second.state == JobState::dispatched);
}

JOBS_TEST_CASE("Holding fences what the agent does not hold and passes over its own jobs", "[jobs]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto job = co_await world.queue(other);
  auto holder = world.link(other), stranger = world.link(ours);
  world.connect(*holder, 1);
  world.run();
  co_await world.rounds();
  world.dispatcher.link_up(*stranger);
  co_await world.dispatcher.holding(*stranger, {{{job, 1, {}}, {JobId("job_own"), 0, {}}}, 0, 1});
  const auto answer = stranger->got<LeaseAnswer>();
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].renewed.empty());
  CHECK(answer[0].fenced.size() == 1);
  CHECK(world.dispatcher.leases().find({other.org, job}).has_value());
}

JOBS_TEST_CASE("a dispatch that was lost with its link is given out again", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  REQUIRE(link->posted.size() == 1);
  world.clock.advance(1s);
  auto next = world.link(ours);
  world.dispatcher.link_up(*next);
  co_await world.dispatcher.holding(*next, {});  // it never arrived
  world.dispatcher.link_down(*link);             // late word of the old link: the new one stays
  world.dispatcher.ready(*next, 1);
  co_await world.rounds();
  REQUIRE(next->got<Dispatch>().size() == 1);
  CHECK(next->got<Dispatch>()[0].lease.epoch == 3);
  world.dispatcher.ready(*link, 1);  // of a link that is gone: no credit
  co_await world.queue(ours);
  co_await world.rounds();
  CHECK(link->posted.size() == 1);
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.run_number == 1);
  CHECK_FALSE(stored.held_before);  // its agent never had it
}

// It may lie in a socket, of an agent that is stopped or behind a slow line: only its lease says when it is void.
JOBS_TEST_CASE("a dispatch on its way is never missed by the same link's Holding", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 1);
  co_await world.dispatcher.holding(*link, {});
  world.run();
  co_await world.rounds();
  world.clock.advance(119s);
  co_await world.dispatcher.holding(*link, {});
  co_await world.rounds();
  auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::dispatched);
  world.dispatcher.link_down(*link);
  world.clock.advance(1s);
  co_await world.rounds();
  stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::queued);
  CHECK(stored.held_before);  // whether it was read, nobody knows
}

JOBS_TEST_CASE("a dispatch rests on the newest Holding that had come when its lease was granted", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  co_await world.queue(ours);
  auto link = world.link(ours);
  world.dispatcher.link_up(*link);
  co_await world.dispatcher.holding(*link, {{}, 0, 5});
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call == "history.completed") co_await world.dispatcher.holding(*link, {{}, 0, 6});  // later than the grant
  };
  world.dispatcher.ready(*link, 2);
  world.run();
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 1);
  CHECK(link->got<Dispatch>()[0].holding == 5);
  world.faults.before = nullptr;
  co_await world.queue(ours);
  world.dispatcher.wake();
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 2);
  CHECK(link->got<Dispatch>()[1].holding == 6);
}

JOBS_TEST_CASE("without a Holding of its own link a dispatch rests on none", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  co_await world.queue(ours);
  auto earlier = world.link(ours), link = world.link(ours);
  world.dispatcher.link_up(*earlier);
  co_await world.dispatcher.holding(*earlier, {{}, 0, 5});
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 1);
  CHECK(link->got<Dispatch>()[0].holding == 0);
}

JOBS_TEST_CASE("an answer names the Holding it answers, an unasked word names none", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  world.dispatcher.link_up(*link);
  co_await world.dispatcher.holding(*link, {{}, 0, 41});
  world.dispatcher.tell_fenced(*link, JobId("job_1"), 3);
  REQUIRE(link->got<LeaseAnswer>().size() == 2);
  CHECK(link->got<LeaseAnswer>()[0].holding == 41);
  CHECK(link->got<LeaseAnswer>()[1].holding == 0);
}

// The agent says on its new link what it holds; a dispatch of the link before would come behind its back, while the job
// is given to somebody else.
JOBS_TEST_CASE("a dispatch is never sent over a newer link than the one it was claimed for", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto old_link = world.link(ours), new_link = world.link(ours);
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call != "history.completed") co_return;
    world.dispatcher.link_up(*new_link);
    co_await world.dispatcher.holding(*new_link, {});
  };
  world.connect(*old_link, 1);
  world.run();
  const auto claimed = co_await world.until([&] { return world.lines.has("job.taken_back"); });
  REQUIRE(claimed);
  co_await world.rounds();
  CHECK(old_link->posted.empty());
  CHECK(new_link->got<Dispatch>().empty());
  world.faults.before = nullptr;
  world.dispatcher.ready(*new_link, 1);
  co_await world.rounds();
  REQUIRE(new_link->got<Dispatch>().size() == 1);
  const auto stored = co_await world.job(ours, job);
  CHECK(new_link->got<Dispatch>()[0].lease.epoch == stored.lease_epoch);
}

JOBS_TEST_CASE("a link that goes or refuses before the dispatch costs the job no run", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  link->refuses = Error{Errc::exhausted, "the agent does not take its messages"};
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::queued);
  CHECK(stored.run_number == 1);
  CHECK_FALSE(world.dispatcher.leases().find({ours.org, job}));

  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call == "history.completed") world.dispatcher.link_down(*link);
    co_return;
  };
  link->refuses.reset();
  world.dispatcher.ready(*link, 1);
  co_await world.rounds();
  world.faults.before = nullptr;
  stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::queued);
  CHECK(stored.run_number == 1);
  CHECK(link->posted.empty());
}

JOBS_TEST_CASE("a job lost in each of five runs is dead", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  world.run();
  for (std::uint32_t run = 1; run <= domain::kMaxRuns; ++run) {
    auto link = world.link(ours);
    world.connect(*link, 1);
    co_await world.rounds();
    REQUIRE(link->got<Dispatch>().size() == 1);
    CHECK(link->got<Dispatch>()[0].run_number == run);
    world.dispatcher.link_down(*link);
    world.clock.advance(2min);
    co_await world.rounds();
  }
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::dead);
  CHECK(stored.error.error_class == "holder_lost");
  const auto why = co_await world.why(stored);
  CHECK(why == ours.agent.value +
                   ": the agent did not renew its lease. The job was not given to another agent: it was "
                   "to be cancelled, or had been given to agents 5 times");
  CHECK(world.dispatcher.leases().size() == 0);
}

JOBS_TEST_CASE("after a restart every held job has a full lease", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  must(co_await world.stores.jobs.claim(ours.org, job, {ours.agent, 0, world.clock.wall(), world.clock.wall()}));
  must(co_await world.dispatcher.restore());
  world.run();
  world.clock.advance(119s);
  co_await world.rounds();
  auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::dispatched);
  world.clock.advance(1s);
  co_await world.rounds();
  stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::queued);
}

// Its agent may have been told the longer lease by the relay's process before this one.
JOBS_TEST_CASE("after a restart with a shorter lease, what was told before still stands", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  const auto now = world.clock.wall();
  must(co_await world.stores.jobs.claim(ours.org, job, {ours.agent, 0, now, now + 10min}));
  must(co_await world.dispatcher.restore());
  world.run();
  auto link = world.link(ours);
  world.dispatcher.link_up(*link);
  co_await world.dispatcher.holding(*link, {{{job, 1, {}}}, 0, 1});  // renewed for a minute: not shortened
  world.dispatcher.link_down(*link);
  world.clock.advance(11min - 1s);
  co_await world.rounds();
  auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::dispatched);
  world.clock.advance(1s);
  co_await world.rounds();
  stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::queued);
}

JOBS_TEST_CASE("a revoked agent's jobs are queued again, its own end as failed", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto watching = co_await world.add_recipe(ours, watching_recipe("nightly"));
  const auto held = co_await world.queue(ours);
  must(co_await world.stores.jobs.claim(ours.org, held, {ours.agent, 0, world.clock.wall(), world.clock.wall()}));
  world.clock.advance(1s);
  const auto own = co_await world.local_job(ours, watching);

  for (const std::string_view broken : {"jobs.holding", "jobs.release", "jobs.finish"}) {
    world.faults.refuses = [&](std::string_view call) { return call == broken; };
    const auto partly = co_await world.dispatcher.agent_revoked(ours.org, ours.agent);
    INFO(broken);
    CHECK_FALSE(partly.has_value());
  }
  world.faults.refuses = nullptr;
  must(co_await world.dispatcher.agent_revoked(ours.org, ours.agent));
  auto stored = co_await world.job(ours, held);
  CHECK(stored.state == JobState::queued);
  stored = co_await world.job(ours, own);
  CHECK(stored.state == JobState::failed);
  CHECK(stored.error.error_class == "agent_revoked");
}

// Whatever call of the store fails once, the job arrives: no lease without an end, no job that nobody has.
