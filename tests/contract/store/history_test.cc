#include "tests/contract/store/entries.h"

// What agents report of a job becomes its history.
using namespace sallyport;
using namespace sallyport::test;
using domain::JobState;
using domain::StepStatus;
using store::HistoryEntry;

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
