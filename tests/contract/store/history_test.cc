#include "tests/contract/store/world.h"

#include <set>

using namespace sallyport;
using namespace sallyport::test;
using domain::JobState;
using domain::StepStatus;
using store::HistoryEntry;

namespace {

constexpr std::size_t kMuch = 1u << 20;

HistoryEntry job_started(std::uint64_t seq) {
  return {.job_seq = seq, .at = at_ms(100 + seq), .what = store::JobStarted{}};
}

HistoryEntry step_started(std::uint64_t seq, std::string path, std::uint32_t attempt = 1) {
  return {.job_seq = seq,
          .at = at_ms(100 + static_cast<std::int64_t>(seq)),
          .what = store::StepStarted{path, attempt, "sql.execute@1", bytes_of("sealed input of " + path)}};
}

HistoryEntry step_finished(std::uint64_t seq, std::string path, StepStatus status, std::uint32_t attempt = 1) {
  return {.job_seq = seq,
          .at = at_ms(100 + static_cast<std::int64_t>(seq)),
          .what = store::StepFinished{
              .path = path,
              .attempt = attempt,
              .status = status,
              .error_class = status == StepStatus::failed ? "connection" : "",
              .sealed_message = status == StepStatus::failed ? std::optional(bytes_of("refused")) : std::nullopt,
              .sealed_output = bytes_of("sealed output of " + path)}};
}

HistoryEntry will_retry(HistoryEntry entry) {
  std::get<store::StepFinished>(entry.what).retry_at = at_ms(9'999);
  return entry;
}

HistoryEntry job_finished(std::uint64_t seq, JobState state) {
  return {.job_seq = seq,
          .at = at_ms(100 + static_cast<std::int64_t>(seq)),
          .what = store::JobFinished{state, {state == JobState::failed ? "connection" : "", {}, ""}}};
}

}  // namespace

STORE_TEST_CASE("history: a job's whole life", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.queue_job(world.ours);
  must(co_await world.stores.jobs.claim(org, job.id,
                                        {.agent = world.ours.agent, .at = at_ms(1), .lease_until = at_ms(2)}));

  std::vector<HistoryEntry> entries = {job_started(1), step_started(2, "rows")};
  entries.push_back({.job_seq = 3, .at = at_ms(103), .what = store::StepLog{"rows", "info", bytes_of("sealed log")}});
  auto first = must(co_await history.append(org, job.id, 1, entries));
  CHECK(first.stored == 3);
  CHECK(first.job.state == JobState::running);
  CHECK(first.job.started_at == at_ms(101));
  auto second = must(co_await history.append(
      org, job.id, 1, {step_finished(4, "rows", StepStatus::succeeded), job_finished(5, JobState::succeeded)}));
  CHECK(second.stored == 2);
  CHECK(second.job.state == JobState::succeeded);
  CHECK(second.job.finished_at == at_ms(105));

  auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].path == "rows");
  CHECK(steps[0].status == StepStatus::succeeded);
  CHECK(steps[0].uses == "sql.execute@1");
  CHECK(steps[0].started_at == at_ms(102));
  CHECK(steps[0].finished_at == at_ms(104));
  CHECK(steps[0].payload_bytes == 41);
  auto payloads = must(co_await history.payloads(org, job.id, {{"rows", 1}, {"rows", 2}}));
  REQUIRE(payloads.size() == 2);
  CHECK(payloads[0].sealed_input == bytes_of("sealed input of rows"));
  CHECK(payloads[0].sealed_output == bytes_of("sealed output of rows"));
  CHECK(!payloads[1].sealed_input);
  CHECK(!payloads[1].sealed_output);
  CHECK(!steps[0].retry_at);

  auto events = must(co_await history.events(org, job.id, {.after_seq = 0, .limit = 100})).items;
  REQUIRE(events.size() == 5);
  std::vector<std::string> kinds;
  for (const auto& event : events) kinds.push_back(event.kind);
  CHECK(kinds == std::vector<std::string>{"job.started", "step.started", "step.log", "step.finished", "job.finished"});
  CHECK(events[2].sealed_text == bytes_of("sealed log"));
  CHECK(events[2].status == "info");
  CHECK(events[4].status == "succeeded");
  CHECK(events[4].seq == 5);
  auto tail = must(co_await history.events(org, job.id, {.after_seq = 3, .limit = 1})).items;
  REQUIRE(tail.size() == 1);
  CHECK(tail[0].seq == 4);
  auto nothing = must(co_await history.events(org, job.id, {.after_seq = 5, .limit = 100})).items;
  CHECK(nothing.empty());
}

STORE_TEST_CASE("history: the end of an attempt is told with its failure, as long as it is the newest word",
                "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(org, job.id, 1,
                               {step_started(1, "a"), will_retry(step_finished(2, "a", StepStatus::failed)),
                                step_started(3, "a", 2), step_finished(4, "a", StepStatus::failed, 2)}));
  auto events = must(co_await history.events(org, job.id, {.texts = store::Texts::without})).items;
  REQUIRE(events.size() == 4);
  for (const auto& event : events) {
    const bool ended = event.kind == "step.finished";
    CHECK(event.error_class == (ended ? "connection" : ""));
    CHECK(event.sealed_message == (ended ? std::optional(bytes_of("refused")) : std::nullopt));
  }
  must(co_await history.append(org, job.id, 1, {step_finished(5, "a", StepStatus::succeeded, 2)}));
  events = must(co_await history.events(org, job.id, {})).items;
  CHECK(events.at(1).error_class == "connection");
  CHECK(events.at(3).error_class.empty());
  CHECK_FALSE(events.at(3).sealed_message);
  CHECK(events.at(4).error_class.empty());

  const auto first = must(co_await history.events(org, job.id, {.most_bytes = 3}));  // messages count
  CHECK(first.more);
  CHECK(first.items.size() < 5);
}

STORE_TEST_CASE("history: entries that come again are stored once", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  std::vector<HistoryEntry> entries = {step_started(1, "a"), step_finished(2, "a", StepStatus::succeeded),
                                       step_started(3, "b"), step_finished(4, "b", StepStatus::failed),
                                       job_finished(5, JobState::failed)};
  std::size_t stored = 0;
  for (std::size_t upto = 1; upto <= entries.size(); ++upto) {
    auto appended = must(co_await history.append(org, job.id, 1, {entries.begin(), entries.begin() + upto}));
    stored += appended.stored;
  }
  CHECK(stored == entries.size());
  auto events = must(co_await history.events(org, job.id, {.after_seq = 0, .limit = 100})).items;
  REQUIRE(events.size() == entries.size());
  for (std::size_t i = 0; i < events.size(); ++i) CHECK(events[i].seq == i + 1);
  auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  REQUIRE(steps.size() == 2);
  CHECK(steps[1].error_class == "connection");
  CHECK(steps[1].sealed_message == bytes_of("refused"));
  CHECK(!steps[0].sealed_message);
}

STORE_TEST_CASE("history: what a new holder must not run again", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(
      org, job.id, 1,
      {step_started(1, "done"), step_finished(2, "done", StepStatus::succeeded),             //
       step_finished(3, "skipped", StepStatus::skipped),                                     //
       step_started(4, "twice"), will_retry(step_finished(5, "twice", StepStatus::failed)),  //
       step_started(6, "twice", 2), step_finished(7, "twice", StepStatus::succeeded, 2),     //
       step_started(8, "retrying"), will_retry(step_finished(9, "retrying", StepStatus::failed)),
       step_started(10, "failed"), step_finished(11, "failed", StepStatus::failed),  //
       step_started(12, "cut off")}));
  auto completed = must(co_await history.completed(org, job.id, kMuch));
  std::vector<std::string> paths;
  for (const auto& step : completed) paths.push_back(step.path + "#" + std::to_string(step.attempt));
  CHECK(paths == std::vector<std::string>{"done#1", "skipped#1", "twice#2", "failed#1"});
  CHECK(completed[0].sealed_output == bytes_of("sealed output of done"));
}

STORE_TEST_CASE("history: a step that never began has the action that its end tells", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  const auto job = co_await world.held_job(world.ours);
  auto skipped = step_finished(1, "skipped", StepStatus::skipped);
  std::get<store::StepFinished>(skipped.what).uses = "file.list@1";
  auto begun = step_finished(3, "begun", StepStatus::succeeded);
  std::get<store::StepFinished>(begun.what).uses = "another@1";
  must(co_await history.append(org, job.id, 1, {skipped, step_started(2, "begun"), begun}));
  must(co_await history.append(org, job.id, 1, {step_finished(4, "of an older agent", StepStatus::skipped)}));
  const auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].uses == "file.list@1");
  CHECK(steps[1].uses == "sql.execute@1");  // as its start said
  CHECK(steps[2].uses.empty());
}

STORE_TEST_CASE("history: the next holder counts from one again", "[store][history][fencing]") {
  auto& history = world.stores.history;
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(org, job.id, 1, {step_started(1, "a"), step_finished(2, "a", StepStatus::succeeded)}));
  must(co_await jobs.release(org, job.id, 1, {at_ms(300), domain::ReleaseReason::holder_lost}));
  must(co_await jobs.claim(
      org, job.id, {.agent = world.ours.agent, .expected_epoch = 2, .at = at_ms(301), .lease_until = at_ms(999)}));
  auto late = co_await history.append(org, job.id, 1, {step_started(3, "b")});
  CHECK(refusal(late) == Errc::conflict);
  auto appended = must(co_await history.append(org, job.id, 3, {job_started(1), step_started(2, "b")}));
  CHECK(appended.stored == 2);
  auto repeated =
      must(co_await history.append(org, job.id, 3, {step_started(3, "a"), step_finished(4, "a", StepStatus::failed)}));
  CHECK(repeated.stored == 2);
  auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].status == StepStatus::succeeded);
  auto events = must(co_await history.events(org, job.id, {.after_seq = 0, .limit = 100})).items;
  REQUIRE(events.size() == 7);
  CHECK(events[2].kind == "job.taken_back");
  CHECK(events[3].seq == 4);
  CHECK(events[3].epoch == 3);
  CHECK(events[3].job_seq == 1);
}

STORE_TEST_CASE("history: what arrives after the job's end is kept, the end stays", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await world.stores.jobs.finish(org, job.id, 1, {.state = JobState::timed_out, .at = at_ms(50), .error = {}}));
  auto late = must(co_await history.append(
      org, job.id, 1, {job_started(1), step_started(2, "a"), job_finished(3, JobState::succeeded)}));
  CHECK(late.stored == 3);
  CHECK(late.job.state == JobState::timed_out);
  CHECK(late.job.finished_at == at_ms(50));
}

STORE_TEST_CASE("history: one bad entry stores none of its batch", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  auto refused = co_await history.append(org, job.id, 1, {step_started(1, "a"), job_finished(2, JobState::queued)});
  CHECK(refusal(refused) == Errc::invalid);
  auto events = must(co_await history.events(org, job.id, {.after_seq = 0, .limit = 100})).items;
  CHECK(events.empty());
  auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  CHECK(steps.empty());
}

STORE_TEST_CASE("history: another organisation's job has none", "[store][history][tenancy]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto foreign = co_await world.held_job(world.theirs);
  must(co_await history.append(world.theirs.org, foreign.id, 1, {step_started(1, "a")}));
  auto appended = co_await history.append(org, foreign.id, 1, {step_started(2, "b")});
  CHECK(refusal(appended) == Errc::not_found);
  auto steps = co_await history.steps(org, foreign.id, {}, {});
  CHECK(refusal(steps) == Errc::not_found);
  auto events = co_await history.events(org, foreign.id, {.after_seq = 0, .limit = 10});
  CHECK(refusal(events) == Errc::not_found);
  auto payloads = co_await history.payloads(org, foreign.id, {{"a", 1}});
  CHECK(refusal(payloads) == Errc::not_found);
  auto completed = co_await history.completed(org, foreign.id, kMuch);
  CHECK(refusal(completed) == Errc::not_found);
  auto kept = must(co_await history.events(world.theirs.org, foreign.id, {.after_seq = 0, .limit = 10})).items;
  CHECK(kept.size() == 1);
}

STORE_TEST_CASE("history: the identities under which payloads are sealed differ", "[store][history]") {
  CHECK(store::step_record(JobId("job_1"), "a", 11) != store::step_record(JobId("job_1"), "a/1", 1));
  CHECK(store::step_record(JobId("job_1"), "a", 1) == "job_1/a/1");
  CHECK(store::entry_record(JobId("job_1"), 2, 3) == "job_1/2/3");
  co_return;
}

STORE_TEST_CASE("history: the steps of one path", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(org, job.id, 1, {step_started(1, "a"), step_started(2, "b"), step_started(3, "b", 2)}));
  auto only = must(co_await history.steps(org, job.id, {.path = "b"}, {})).items;
  REQUIRE(only.size() == 2);
  CHECK(only[0].path == "b");
  CHECK(only[1].attempt == 2);
  auto none = must(co_await history.steps(org, job.id, {.path = "c"}, {})).items;
  CHECK(none.empty());
}

STORE_TEST_CASE("history: an answer holds a bounded number of bytes of log text", "[store][history][limits]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  std::vector<HistoryEntry> lines;
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    lines.push_back({.job_seq = seq, .at = at_ms(1), .what = store::StepLog{"a", "info", Bytes(100)}});
  }
  must(co_await history.append(org, job.id, 1, lines));
  struct Row {
    const char* what;
    store::EventQuery query;
    std::size_t items;
    bool more;
  };
  const Row rows[] = {
      {"everything", {}, 5, false},
      {"as many as fit", {.most_bytes = 250}, 2, true},
      {"exactly as many as fit", {.most_bytes = 500}, 5, false},
      {"one at least", {.most_bytes = 10}, 1, true},
      {"the last one", {.after_seq = 4, .most_bytes = 10}, 1, false},
      {"by number", {.limit = 3}, 3, true},
      {"texts that nobody reads weigh nothing", {.most_bytes = 10, .texts = store::Texts::without}, 5, false},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    auto events = must(co_await history.events(org, job.id, row.query));
    CHECK(events.items.size() == row.items);
    CHECK(events.more == row.more);
    for (const auto& event : events.items) {
      CHECK(event.sealed_text.has_value() == (row.query.texts == store::Texts::with));
    }
  }
}

STORE_TEST_CASE("history: more results than can be handed on are refused, not loaded", "[store][history][limits]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(
      org, job.id, 1, {step_finished(1, "a", StepStatus::succeeded), step_finished(2, "b", StepStatus::succeeded)}));
  auto fits = must(co_await history.completed(org, job.id, 36));  // two times "sealed output of a"
  CHECK(fits.size() == 2);
  auto refused = co_await history.completed(org, job.id, 35);
  REQUIRE(refusal(refused) == Errc::too_large);
  CHECK(refused.error().message.find("36 bytes") != std::string::npos);
}

STORE_TEST_CASE("history: an attempt that begins anew has no message of its last end", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(org, job.id, 1, {step_started(1, "a"), step_finished(2, "a", StepStatus::failed)}));
  must(co_await history.append(org, job.id, 1, {step_started(3, "a")}));
  auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].error_class.empty());
  CHECK(!steps[0].sealed_message);
}

namespace {

// A `foreach` over so many items, every third of them tried twice.
awaitable<void> append_items(World& world, OrgId org, JobId job, std::size_t count) {
  std::uint64_t seq = 0;
  std::vector<HistoryEntry> batch;
  for (std::size_t item = 0; item < count; ++item) {
    const auto path = "each[" + std::to_string(item) + "]";
    const bool twice = item % 3 == 0;
    batch.push_back(step_finished(++seq, path, twice ? StepStatus::failed : StepStatus::succeeded));
    if (twice) batch.push_back(step_finished(++seq, path, StepStatus::succeeded, 2));
    if (batch.size() < 1'000 && item + 1 < count) continue;
    must(co_await world.stores.history.append(org, job, 1, std::exchange(batch, {})));
  }
}

}  // namespace

STORE_TEST_CASE("history: any number of steps is read in bounded pages, each of them once",
                "[store][history][limits]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  constexpr std::size_t kItems = 18'750;
  constexpr std::size_t kSteps = kItems + kItems / 3;  // 25,000
  co_await append_items(world, org, job.id, kItems);
  std::set<std::pair<std::string, std::uint32_t>> seen;
  store::PageQuery query{.limit = 100'000};
  std::uint64_t last = 0;
  std::size_t pages = 0;
  do {
    auto page = must(co_await history.steps(org, job.id, {}, query));
    REQUIRE(!page.items.empty());
    CHECK(page.items.size() <= store::kMaxStepPage);
    for (const auto& step : page.items) {
      CHECK(step.first_seq > last);
      last = step.first_seq;
      seen.emplace(step.path, step.attempt);
    }
    ++pages;
    query.after = page.next;
  } while (!query.after.empty());
  CHECK(seen.size() == kSteps);
  CHECK(pages == kSteps / store::kMaxStepPage);
  auto deep = must(co_await history.steps(org, job.id, {.path = "each[18747]"}, {.limit = 1}));
  REQUIRE(deep.items.size() == 1);
  CHECK(deep.items[0].attempt == 1);
  deep = must(co_await history.steps(org, job.id, {.path = "each[18747]"}, {.after = deep.next, .limit = 1}));
  REQUIRE(deep.items.size() == 1);
  CHECK(deep.items[0].attempt == 2);
  CHECK(deep.next.empty());
}

STORE_TEST_CASE("history: a step that starts between two pages is in a later one", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(org, job.id, 1, {step_started(1, "b"), step_started(2, "c")}));
  auto page = must(co_await history.steps(org, job.id, {}, {.limit = 1}));
  CHECK(page.items.at(0).path == "b");
  must(co_await history.append(
      org, job.id, 1, {step_finished(3, "b", StepStatus::succeeded), step_started(4, "a"), step_started(5, "c", 2)}));
  auto rest = must(co_await history.steps(org, job.id, {}, {.after = page.next}));
  std::vector<std::string> paths;
  for (const auto& step : rest.items) paths.push_back(step.path + "#" + std::to_string(step.attempt));
  CHECK(paths == std::vector<std::string>{"c#1", "a#1", "c#2"});
  CHECK(rest.next.empty());
}

STORE_TEST_CASE("history: what is no cursor of its steps is refused", "[store][history]") {
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  for (const char* cursor : {"x", "1", "1/", "1/x", "1/2", "/1/a", "-1/1/a", "99999999999999999999/1/a", "1/1x/a"}) {
    INFO(cursor);
    auto refused = co_await world.stores.history.steps(org, job.id, {}, {.after = cursor});
    CHECK(refusal(refused) == Errc::invalid);
  }
  auto fine = must(co_await world.stores.history.steps(org, job.id, {}, {.after = "1/1/a/b"}));
  CHECK(fine.items.empty());
}

namespace {

// Where the relay alone ends a job, after its agent was last heard of in the middle of the step "upsert".
struct RelayEnd {
  const char* name;
  awaitable<store::Job> (*end)(World& world, store::Job job);
  JobState state;
  const char* error_class;
};

const store::JobError kLost{"holder_lost", bytes_of("its agent was lost"), ""};

awaitable<store::Job> cancelled_then_lost(World& world, store::Job job) {
  must(co_await world.stores.jobs.request_cancel(job.org, job.id, {at_ms(300)}));
  co_return must(
      co_await world.stores.jobs.release(job.org, job.id, 1, {at_ms(400), domain::ReleaseReason::holder_lost, kLost}));
}

awaitable<store::Job> lost_then_cancelled(World& world, store::Job job) {
  must(co_await world.stores.jobs.release(job.org, job.id, 1, {at_ms(300), domain::ReleaseReason::holder_lost, kLost}));
  co_return must(co_await world.stores.jobs.request_cancel(job.org, job.id, {at_ms(400), kLost}));
}

awaitable<store::Job> given_up(World& world, store::Job job) {
  co_return must(co_await world.stores.jobs.finish(
      job.org, job.id, 1, {JobState::failed, at_ms(400), {"agent_revoked", bytes_of("it was revoked"), ""}}));
}

awaitable<store::Job> lost_too_often(World& world, store::Job job) {
  for (;;) {
    job = must(co_await world.stores.jobs.release(job.org, job.id, job.lease_epoch,
                                                  {at_ms(400), domain::ReleaseReason::holder_lost, kLost}));
    if (job.state == JobState::dead) co_return job;
    const store::Claim claim{world.ours.agent, job.lease_epoch, at_ms(350), at_ms(360)};
    job = must(co_await world.stores.jobs.claim(job.org, job.id, claim)).job;
  }
}

const RelayEnd kRelayEnds[] = {{"cancelled, then lost", cancelled_then_lost, JobState::in_doubt, "holder_lost"},
                               {"lost, then cancelled", lost_then_cancelled, JobState::in_doubt, "holder_lost"},
                               {"given up", given_up, JobState::in_doubt, "agent_revoked"},
                               {"lost too often", lost_too_often, JobState::dead, "holder_lost"}};

}  // namespace

STORE_TEST_CASE("history: an end that no agent reports leaves no step running, and claims nothing",
                "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  for (const auto& row : kRelayEnds) {
    INFO(row.name);
    auto job = co_await world.held_job(world.ours);
    must(co_await history.append(org, job.id, 1,
                                 {job_started(1), step_started(2, "rows"),
                                  step_finished(3, "rows", StepStatus::succeeded), step_started(4, "upsert")}));
    const auto ended = co_await row.end(world, job);
    CHECK(ended.state == row.state);
    CHECK(ended.finished_at == at_ms(400));
    CHECK(ended.error.error_class == row.error_class);
    CHECK(ended.error.failed_step == "upsert");
    CHECK(ended.error.sealed_message.has_value());
    const auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].status == StepStatus::succeeded);
    CHECK(steps[1].status == StepStatus::in_doubt);
    CHECK(steps[1].finished_at == at_ms(400));
    CHECK(steps[1].error_class == "holder_lost");
    const auto events = must(co_await history.events(org, job.id, {}));
    CHECK(events.items.back().kind == "job.finished");
    CHECK(events.items.back().status == domain::to_string(row.state));
    CHECK(events.items.back().seq == events.items.size());
  }
}

STORE_TEST_CASE("history: what a lost agent tells after such an end is still stored", "[store][history]") {
  auto& history = world.stores.history;
  const OrgId org = world.ours.org;
  auto job = co_await world.held_job(world.ours);
  must(co_await history.append(org, job.id, 1, {job_started(1), step_started(2, "upsert")}));
  co_await cancelled_then_lost(world, job);
  const auto late = must(co_await history.append(
      org, job.id, 1, {step_finished(3, "upsert", StepStatus::succeeded), job_finished(4, JobState::cancelled)}));
  CHECK(late.stored == 2);
  CHECK(late.job.state == JobState::in_doubt);
  const auto steps = must(co_await history.steps(org, job.id, {}, {})).items;
  CHECK(steps.at(0).status == StepStatus::succeeded);
}

STORE_TEST_CASE("history: a job that never ran is cancelled without a doubt", "[store][history]") {
  auto& jobs = world.stores.jobs;
  const auto waiting = co_await world.queue_job(world.ours);
  const auto cancelled = must(co_await jobs.request_cancel(world.ours.org, waiting.id, {at_ms(7), kLost}));
  CHECK(cancelled.state == JobState::cancelled);
  CHECK(cancelled.error.error_class.empty());
  const auto held = co_await world.held_job(world.ours);
  must(co_await jobs.request_cancel(world.ours.org, held.id, {at_ms(8)}));
  const auto unsent =
      must(co_await jobs.release(world.ours.org, held.id, 1, {at_ms(9), domain::ReleaseReason::busy, kLost}));
  CHECK(unsent.state == JobState::cancelled);
  CHECK(unsent.error.error_class.empty());
  const auto events = must(co_await world.stores.history.events(world.ours.org, held.id, {}));
  REQUIRE(events.items.size() == 1);
  CHECK(events.items[0].kind == "job.finished");
  CHECK(events.items[0].status == "cancelled");
}
