#include "shared/async/timeout.h"
#include "tests/unit/relay/jobs/world.h"

#include <map>
#include <set>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;

namespace {

std::vector<JobId> dispatched_to(const FakeLink& link) {
  std::vector<JobId> ids;
  for (const auto& dispatch : link.got<Dispatch>()) ids.push_back(dispatch.lease.job);
  return ids;
}

}  // namespace

JOBS_TEST_CASE("a queued job goes to a linked agent of its group, under a lease", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours, {}, R"({"key":"k1"})");
  auto link = world.link(ours);
  world.connect(*link, 2);
  world.run();
  co_await world.rounds();
  const auto got = link->got<Dispatch>();
  REQUIRE(got.size() == 1);
  CHECK(got[0].lease.job == job);
  CHECK(got[0].lease.epoch == 1);
  CHECK(got[0].lease.length == 60s);
  CHECK(got[0].run_number == 1);
  CHECK(got[0].trigger_json == R"({"inputs":{"key":"k1"},"kind":"manual"})");
  CHECK(got[0].recipe_json.find("\"orders\"") != std::string::npos);
  CHECK(got[0].done.empty());
  const auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::dispatched);
  CHECK(stored.agent == ours.agent);
  const auto held = world.dispatcher.leases().find({ours.org, job});
  CHECK((held && held->agent == ours.agent));
}

JOBS_TEST_CASE("no more jobs than credit, and each Ready states the credit anew", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  for (int i = 0; i < 5; ++i) co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 2);
  world.run();
  co_await world.rounds();
  CHECK(link->posted.size() == 2);
  world.dispatcher.ready(*link, 1);
  co_await world.rounds();
  CHECK(link->posted.size() == 3);
  world.dispatcher.ready(*link, 0);
  co_await world.rounds();
  CHECK(link->posted.size() == 3);
  world.dispatcher.ready(*link, 4'000'000'000);
  co_await world.rounds();
  CHECK(link->posted.size() == 5);
}

JOBS_TEST_CASE("a link that is full of jobs gets no more until it has room", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  std::vector<JobId> jobs(5);
  for (auto& job : jobs) job = co_await world.queue(ours);
  auto link = world.link(ours);
  link->room = 2;
  world.connect(*link, 50);
  world.run();
  co_await world.rounds();
  CHECK(dispatched_to(*link).size() == 2);
  link->room = 10;
  world.dispatcher.wake();
  co_await world.rounds();
  const auto sent = dispatched_to(*link);
  CHECK(std::set(sent.begin(), sent.end()) == std::set(jobs.begin(), jobs.end()));
  for (const auto& job : jobs) {
    const auto stored = must(co_await world.stores.jobs.find(ours.org, job));
    CHECK(stored.lease_epoch == 1);  // none was claimed for a link without room
  }
}

JOBS_TEST_CASE("a job that a full link does not take after all goes back and is sent later", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call == "history.completed") link->room = 0;  // others have filled it since the claim
    co_return;
  };
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  CHECK(link->posted.empty());
  auto stored = must(co_await world.stores.jobs.find(ours.org, job));
  CHECK(stored.state == domain::JobState::queued);
  CHECK(stored.run_number == 1);
  world.faults.before = {};
  link->room = 1;
  world.dispatcher.wake();
  co_await world.rounds();
  CHECK(dispatched_to(*link) == std::vector{job});  // and its credit came back
}

JOBS_TEST_CASE("jobs wait for an agent of their group", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto elsewhere = co_await world.add_group(ours, "dc2");
  const auto other = co_await world.add_agent(ours, elsewhere);
  const auto job = co_await world.queue(ours);
  auto wrong = world.link(ours, other, elsewhere);
  world.connect(*wrong, 10);
  world.run();
  co_await world.rounds();
  CHECK(wrong->posted.empty());
  auto right = world.link(ours);
  world.connect(*right, 1);
  co_await world.rounds();
  CHECK(dispatched_to(*right) == std::vector{job});
  CHECK(wrong->posted.empty());
}

JOBS_TEST_CASE("the agent of the group with the most credit goes first", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto second = co_await world.add_agent(ours, ours.group);
  for (int i = 0; i < 6; ++i) co_await world.queue(ours);
  auto small = world.link(ours), big = world.link(ours, second, ours.group);
  world.connect(*small, 2);
  world.connect(*big, 6);
  world.run();
  co_await world.rounds();
  CHECK(small->posted.size() == 1);  // 6, 5, 4, 3, 2 of the big one, then they are even
  CHECK(big->posted.size() == 5);
}

JOBS_TEST_CASE("organisations take turns, whoever queued first", "[jobs][tenancy]") {
  const auto loud = co_await world.settle("loud"), quiet = co_await world.settle("quiet");
  for (int i = 0; i < 60; ++i) co_await world.queue(loud);
  world.clock.advance(1s);
  for (int i = 0; i < 3; ++i) co_await world.queue(quiet);
  auto theirs = world.link(loud), ours = world.link(quiet);
  std::size_t loud_before_last_quiet = 0;
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call == "history.completed" && ours->posted.size() < 3) loud_before_last_quiet = theirs->posted.size();
    co_return;
  };
  world.connect(*theirs, 1'000);
  world.connect(*ours, 1'000);
  world.run();
  co_await world.rounds();
  CHECK(ours->posted.size() == 3);
  CHECK(theirs->posted.size() == 60);
  CHECK(loud_before_last_quiet <= 32);
  for (const auto& dispatch : ours->got<Dispatch>()) {
    const auto job = co_await world.stores.jobs.find(quiet.org, dispatch.lease.job);
    CHECK(job.has_value());
  }
}

// One line without credit must not hold up the others, however full the round was.
JOBS_TEST_CASE("a full round without credit for some is followed by another at once", "[jobs]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  for (int i = 0; i < 40; ++i) {
    co_await world.queue(ours);
    co_await world.queue(other);
  }
  auto one = world.link(ours), many = world.link(other);
  world.connect(*one, 1);
  world.connect(*many, 1'000);
  world.run();
  const auto begun = std::chrono::steady_clock::now();
  const bool all = co_await world.until([&] { return many->posted.size() == 40; });
  CHECK(all);
  CHECK(std::chrono::steady_clock::now() - begun < 900ms);  // not by the tick of a second
  CHECK(one->posted.size() == 1);
}

JOBS_TEST_CASE("a ping is answered without looking for jobs: idle agents cost the store nothing", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto link = world.link(ours);
  world.connect(*link, 4);
  world.clock.advance(1h);  // no tick comes by itself
  world.run();
  co_await world.rounds();
  const auto looks = [&] { return std::ranges::count(world.faults.calls, "jobs.next_queued"); };
  const auto before = looks();
  for (std::uint64_t nonce = 1; nonce <= 50; ++nonce) {
    world.dispatcher.ping(*link, nonce);
    const bool answered = co_await world.until([&] { return link->ponged == nonce; });
    REQUIRE(answered);
  }
  CHECK(looks() == before);
  world.clock.advance(1s);
  world.dispatcher.ping(*link, 51);
  const bool ticked = co_await world.until([&] { return looks() == before + 1; });
  CHECK(ticked);
  world.dispatcher.forget(*link);
}

JOBS_TEST_CASE("pings are answered between rounds, however long the queue is", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  for (int i = 0; i < 100; ++i) co_await world.queue(ours);
  auto link = world.link(ours);
  std::size_t at_pong = 0;
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call == "jobs.next_queued") {
      if (link->ponged == 7 && at_pong == 0) at_pong = link->posted.size();
      world.dispatcher.ping(*link, 7);
    }
    co_return;
  };
  world.connect(*link, 1'000);
  world.run();
  const bool all = co_await world.until([&] { return link->posted.size() == 100; });
  REQUIRE(all);
  CHECK(at_pong == 32);
  world.faults.before = nullptr;
  world.dispatcher.forget(*link);
}

JOBS_TEST_CASE("a store that refuses every claim is not asked without a pause", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  for (int i = 0; i < 40; ++i) co_await world.queue(ours);
  auto link = world.link(ours);
  world.faults.code = Errc::exhausted;
  world.faults.refuses = [](std::string_view call) { return call == "jobs.claim"; };
  world.clock.advance(1h);  // and the next tick is as far away
  world.connect(*link, 1'000);
  world.run();
  co_await world.rounds();
  const auto asked = std::ranges::count(world.faults.calls, "jobs.claim");
  CHECK(asked > 0);
  co_await sleep_for(200ms);
  constexpr int kRound = 32;  // the one that was under way may have gone on
  CHECK(std::ranges::count(world.faults.calls, "jobs.claim") <= asked + kRound);
  world.faults.refuses = nullptr;
  world.dispatcher.wake();
  const bool all = co_await world.until([&] { return link->posted.size() == 40; });
  CHECK(all);
}

JOBS_TEST_CASE("the concurrency limit of a recipe holds, per key, and its end makes room", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto limited = co_await world.add_recipe(
      ours, manual_recipe("limited", "concurrency: {limit: 1, key: \"${{ inputs.key }}\"}\n"));
  std::map<std::string, std::vector<JobId>> queued;
  for (const std::string key : {"x", "x", "x", "y", "y"})
    queued[key].push_back(co_await world.queue(ours, limited, "{\"key\":\"" + key + "\"}"));
  auto link = world.link(ours);
  world.connect(*link, 10);
  world.run();
  co_await world.rounds();
  CHECK(link->posted.size() == 2);
  const auto first = link->got<Dispatch>()[0].lease;
  must(co_await world.stores.jobs.finish(ours.org, first.job, first.epoch,
                                         {JobState::succeeded, world.clock.wall(), {}}));
  world.dispatcher.job_ended(co_await world.job(ours, first.job));
  co_await world.rounds();
  CHECK(link->posted.size() == 3);
  CHECK_FALSE(world.dispatcher.leases().find({ours.org, first.job}));
}

JOBS_TEST_CASE("what an agent answers to a dispatch", "[jobs]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  struct Case {
    std::string what;
    DispatchAnswer answer;
    JobState state;
    std::string error_class;
  };
  const std::vector<Case> cases = {
      {"accepted", {.accepted = true}, JobState::dispatched, ""},
      {"busy", {.error_class = "busy"}, JobState::queued, ""},
      {"policy", {.error_class = "policy", .message = "rule sql.verbs"}, JobState::failed, "policy"},
      {"invalid", {.error_class = "invalid", .message = "no such action"}, JobState::failed, "invalid"},
  };
  world.run();
  for (const auto& one : cases) {
    INFO(one.what);
    const auto job = co_await world.queue(ours);
    auto link = world.link(ours), stranger = world.link(other);
    world.connect(*link, 1);
    world.connect(*stranger, 0);
    co_await world.rounds();
    REQUIRE(link->got<Dispatch>().size() == 1);
    auto answer = one.answer;
    answer.job = job;
    answer.epoch = link->got<Dispatch>()[0].lease.epoch + 1;
    co_await world.dispatcher.answered(*link, answer);  // of another epoch
    --answer.epoch;
    co_await world.dispatcher.answered(*stranger, answer);  // of another agent
    auto stored = co_await world.job(ours, job);
    CHECK(stored.state == JobState::dispatched);
    co_await world.dispatcher.answered(*link, answer);
    stored = co_await world.job(ours, job);
    CHECK(stored.state == one.state);
    CHECK(stored.error.error_class == one.error_class);
    const auto why = co_await world.why(stored);
    CHECK(why == (domain::is_final(one.state) ? one.answer.message : ""));
    CHECK((one.answer.message.empty() || !world.lines.has(one.answer.message)));
    CHECK(stored.run_number == 1);
    world.dispatcher.link_down(*link);
    if (!domain::is_final(stored.state))
      must(co_await world.stores.jobs.request_cancel(ours.org, job, {world.clock.wall()}));
  }
}

JOBS_TEST_CASE("a busy agent is asked again ever more rarely, until it takes something", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 5);
  world.run();
  std::size_t asked = 0;
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    INFO("pause of " << pause.count() << " s");
    co_await world.rounds();
    REQUIRE(link->got<Dispatch>().size() == ++asked);
    co_await world.dispatcher.answered(*link, {job, link->got<Dispatch>().back().lease.epoch, false, "busy", ""});
    world.clock.advance(pause);
    co_await world.rounds();
    CHECK(link->got<Dispatch>().size() == asked);  // not before it says Ready
    world.clock.advance(-1ms);
    world.dispatcher.ready(*link, 5);
    co_await world.rounds();
    CHECK(link->got<Dispatch>().size() == asked);  // nor before the pause is over
    world.clock.advance(1ms);
  }
  co_await world.rounds();
  co_await world.dispatcher.answered(*link, {job, link->got<Dispatch>().back().lease.epoch, true, "", ""});
  const auto next = co_await world.queue(ours);
  co_await world.rounds();
  co_await world.dispatcher.answered(*link, {next, link->got<Dispatch>().back().lease.epoch, false, "busy", ""});
  world.dispatcher.ready(*link, 5);
  world.clock.advance(1s);  // the first pause again
  asked = link->got<Dispatch>().size();
  co_await world.rounds();
  CHECK(link->got<Dispatch>().size() == asked + 1);
}

JOBS_TEST_CASE("dispatches that find an agent busy at one time are one pause", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  for (int i = 0; i < 8; ++i) co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 8);
  world.run();
  co_await world.rounds();
  const auto sent = link->got<Dispatch>();
  REQUIRE(sent.size() == 8);
  for (const auto& one : sent)
    co_await world.dispatcher.answered(*link, {one.lease.job, one.lease.epoch, false, "busy", "no slot is free"});
  world.dispatcher.ready(*link, 8);
  co_await world.rounds();
  CHECK(link->got<Dispatch>().size() == 8);
  world.clock.advance(1s);
  co_await world.rounds();
  CHECK(link->got<Dispatch>().size() == 16);
}

JOBS_TEST_CASE("a job that cannot be sent ends with the reason and returns the credit", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  link->refuses = Error{Errc::too_large, "a message over 1 MiB"};
  world.connect(*link, 1);
  world.run();
  co_await world.rounds();
  auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::failed);
  CHECK(stored.error.error_class == "too_large");

  link->refuses.reset();
  const auto damaged = co_await world.queue(ours);
  world.envelope.broken = Errc::invalid;
  world.dispatcher.wake();
  co_await world.rounds();
  stored = co_await world.job(ours, damaged);
  CHECK(stored.state == JobState::failed);
  CHECK(stored.error.error_class == "damaged");
  CHECK(!stored.error.sealed_message);  // there is no key to seal it with either: the end stands without it
  CHECK(world.lines.has("job.error_not_sealed"));
  world.envelope.broken.reset();
  const auto good = co_await world.queue(ours);
  co_await world.rounds();
  CHECK(dispatched_to(*link) == std::vector{good});  // with the one slot there ever was
}

JOBS_TEST_CASE("a key that cannot be had now burns no runs", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto job = co_await world.queue(ours);
  auto link = world.link(ours);
  world.envelope.broken = Errc::unavailable;
  world.connect(*link, 1);
  world.run();
  for (int i = 0; i < 10; ++i) co_await world.rounds();
  world.envelope.broken.reset();
  auto stored = co_await world.job(ours, job);
  CHECK(stored.state == JobState::dispatched);
  CHECK(stored.run_number == 1);
  world.clock.advance(29s);
  co_await world.dispatcher.holding(*link, {});  // where it cannot be named
  co_await world.rounds();
  CHECK(link->got<Dispatch>().empty());
  world.clock.advance(1s);
  co_await world.rounds();
  CHECK(dispatched_to(*link) == std::vector{job});
  stored = co_await world.job(ours, job);
  CHECK(stored.run_number == 1);
  CHECK_FALSE(stored.held_before);
}

JOBS_TEST_CASE("a store that fails at the k-th call loses no job", "[jobs][faults]") {
  const auto ours = co_await world.settle("ours");
  world.run();
  for (std::size_t k = 1; k <= 10; ++k) {
    for (const std::string answer : {"accepted", "busy", "policy"}) {
      INFO("call " << k << ", answer " << answer);
      const auto job = co_await world.queue(ours);
      world.faults.fail_at = k;
      JobState state = JobState::queued;
      for (int attempt = 0; attempt < 8 && !domain::is_final(state); ++attempt) {
        auto link = world.link(ours);
        world.connect(*link, 1);
        co_await world.dispatcher.holding(*link, {});
        co_await world.rounds();
        for (const auto& dispatch : link->got<Dispatch>()) {
          const bool accepted = answer == "accepted" || (answer == "busy" && attempt > 0);
          co_await world.dispatcher.answered(*link,
                                             {job, dispatch.lease.epoch, accepted, accepted ? "" : answer, "planted"});
          if (!accepted) continue;
          const auto ended = co_await world.stores.jobs.finish(ours.org, job, dispatch.lease.epoch,
                                                               {JobState::succeeded, world.clock.wall(), {}});
          if (ended) world.dispatcher.job_ended(*ended);
        }
        world.dispatcher.link_down(*link);
        world.clock.advance(2min);
        const auto stored = co_await world.job(ours, job);
        state = stored.state;
      }
      world.faults.fail_at = 0;
      CHECK(state == (answer == "policy" ? JobState::failed : JobState::succeeded));
      co_await world.rounds();
      CHECK(world.dispatcher.leases().size() == 0);
    }
  }
}
