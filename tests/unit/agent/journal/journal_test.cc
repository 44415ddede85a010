#include "agent/journal/database.h"
#include "tests/unit/agent/journal/fixture.h"

namespace sallyport::journal {
using namespace test;

TEST_CASE("an accepted job is there after a reopening, with everything it came with", "[journal]") {
  const TempDir dir;
  const Job job = make_job("job_1", 7);
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AcceptJob{job, {make_done("rows")}}, AddReport{job.id, "started"}}));
    REQUIRE(journal->apply({AddIntent{job.id, make_intent("upsert", 3, 2, 7)}, AddReport{job.id, "step"}}));
  }
  auto journal = must_open(options_in(dir));
  const auto jobs = journal->unfinished();
  REQUIRE(jobs);
  REQUIRE(*jobs == std::vector{job.id});
  const auto stored = journal->load(job.id);
  REQUIRE(stored);
  CHECK(stored->job.epoch == 7);
  CHECK(stored->job.recipe == job.recipe);
  CHECK(stored->job.recipe_version == 3);
  CHECK(stored->job.recipe_json == job.recipe_json);
  CHECK(stored->job.trigger_json == job.trigger_json);
  CHECK(stored->job.event_key_json == job.event_key_json);
  CHECK(stored->job.accepted_at == job.accepted_at);
  REQUIRE(stored->done.size() == 1);
  CHECK(stored->done[0].run.path == "rows");
  CHECK(stored->done[0].result_json == make_done("rows").result_json);
  REQUIRE(stored->intents.size() == 1);
  CHECK(stored->intents[0].run == StepRun{"upsert", 3, 2});
  CHECK(stored->intents[0].idempotency_key == "key-upsert");
  CHECK_FALSE(stored->intents[0].wake_at);
  CHECK(journal->outbox_size().rows == 2);
}

TEST_CASE("a batch is all or nothing", "[journal]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  REQUIRE(journal->apply({AcceptJob{make_job("job_1"), {}}}));
  const auto refused = journal->apply({AddReport{JobId("job_1"), "lost"}, AddIntent{JobId("job_1"), make_intent("a")},
                                       AddDone{JobId("job_absent"), make_done("a")}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::not_found);
  CHECK(journal->outbox_size().rows == 0);
  CHECK(journal->load(JobId("job_1"))->intents.empty());
}

TEST_CASE("batches of one group stand alone", "[journal]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const std::vector<Batch> group = {{AcceptJob{make_job("job_1"), {}}},
                                    {AcceptJob{make_job("job_1"), {}}},
                                    {AcceptJob{make_job("job_2"), {}}, AddReport{JobId("job_2"), "r"}}};
  const auto outcomes = journal->apply_all(group);
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0]);
  REQUIRE_FALSE(outcomes[1]);
  CHECK(outcomes[1].error().code == Errc::conflict);
  CHECK(outcomes[2]);
  CHECK(journal->unfinished()->size() == 2);
  CHECK(journal->outbox_size().rows == 1);
}

TEST_CASE("an intent under a stale epoch is refused", "[journal][fencing]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  REQUIRE(journal->apply({AcceptJob{make_job("job_1", 4), {}}}));
  const auto stale = journal->apply({AddIntent{JobId("job_1"), make_intent("a", kNoItem, 1, 3)}});
  REQUIRE_FALSE(stale);
  CHECK(stale.error().code == Errc::conflict);
  CHECK(journal->apply({AddIntent{JobId("job_1"), make_intent("a", kNoItem, 1, 4)}}));
}

TEST_CASE("a higher epoch keeps what happened here and takes the rest from the relay", "[journal][fencing]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  REQUIRE(journal->apply({AcceptJob{make_job("job_1", 1), {}}, AddDone{JobId("job_1"), make_done("a")}}));
  Done theirs = make_done("a");
  theirs.result_json = "other";
  REQUIRE(journal->apply({RaiseEpoch{JobId("job_1"), 2, {theirs, make_done("b")}}}));
  const auto stored = journal->load(JobId("job_1"));
  REQUIRE(stored->done.size() == 2);
  CHECK(stored->done[0].result_json == make_done("a").result_json);
  CHECK(stored->job.epoch == 2);
  CHECK_FALSE(journal->apply({RaiseEpoch{JobId("job_1"), 2, {}}}));
}

TEST_CASE("a report tells the epoch of its job at the time of sending", "[journal][outbox]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  REQUIRE(journal->apply({AcceptJob{make_job("job_1", 1), {}}, AddReport{JobId("job_1"), "one"}}));
  REQUIRE(journal->apply({AddReport{JobId("job_1"), "two"}, EndJob{JobId("job_1"), from_unix_ms(9)}}));
  REQUIRE(journal->apply({RaiseEpoch{JobId("job_1"), 5, {}}}));
  const auto rows = journal->outbox_after(0, 10, 1'000);
  REQUIRE(rows->size() == 2);
  CHECK((*rows)[0].epoch == 5);
  CHECK((*rows)[0].job_seq == 1);
  CHECK((*rows)[1].job_seq == 2);
  CHECK((*rows)[1].report == "two");
}

TEST_CASE("the outbox gives rows in order, in bounded portions, until they are acknowledged", "[journal][outbox]") {
  const TempDir dir;
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AcceptJob{make_job("job_1"), {}}}));
    for (int i = 0; i < 10; ++i) REQUIRE(journal->apply({AddReport{JobId("job_1"), std::string(100, 'x')}}));
    REQUIRE(journal->apply({AddReport{JobId(), "agent"}}));
    const auto first = journal->outbox_after(0, 100, 250);
    REQUIRE(first->size() == 3);
    CHECK(journal->outbox_after(first->back().seq, 4, 100'000)->size() == 4);
    CHECK(journal->outbox_after(0, 100, 1)->size() == 1);
    REQUIRE(journal->apply({AcknowledgeReports{first->back().seq}}));
    CHECK(journal->outbox_size().rows == 8);
    REQUIRE(journal->apply({AcknowledgeReports{1'000}}));
    CHECK(journal->outbox_size().rows == 0);
    CHECK(journal->outbox_size().bytes == 0);
  }
  auto journal = must_open(options_in(dir));
  REQUIRE(journal->apply({AddReport{JobId("job_1"), "next"}}));
  const auto rows = journal->outbox_after(0, 10, 1'000);
  REQUIRE(rows->size() == 1);
  CHECK((*rows)[0].seq == 12);  // never used twice, also when all were acknowledged
  CHECK((*rows)[0].job_seq == 11);
}

TEST_CASE("the agent's own reports count by themselves", "[journal][outbox]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  REQUIRE(journal->apply({AddReport{JobId(), "a"}, AddReport{JobId(), "b"}}));
  const auto rows = journal->outbox_after(0, 10, 1'000);
  REQUIRE(rows->size() == 2);
  CHECK((*rows)[1].job.empty());
  CHECK((*rows)[1].epoch == 0);
  CHECK((*rows)[1].job_seq == 2);
}

TEST_CASE("a full outbox takes no new job, but every report of a job that runs", "[journal][outbox]") {
  const TempDir dir;
  auto options = options_in(dir);
  options.max_outbox_rows = 2;
  auto journal = must_open(std::move(options));
  REQUIRE(journal->apply({AcceptJob{make_job("job_1"), {}}, AddReport{JobId("job_1"), "1"}}));
  CHECK_FALSE(journal->outbox_full());
  REQUIRE(journal->apply({AddReport{JobId("job_1"), "2"}}));
  CHECK(journal->outbox_full());
  const auto refused = journal->apply({AcceptJob{make_job("job_2"), {}}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::exhausted);
  CHECK(journal->apply({AddReport{JobId("job_1"), "3"}}));
  REQUIRE(journal->apply({AcknowledgeReports{2}}));
  CHECK(journal->apply({AcceptJob{make_job("job_2"), {}}}));
}

TEST_CASE("a job that ended leaves a tombstone and no payload", "[journal]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const JobId id("job_1");
  REQUIRE(journal->apply({AcceptJob{make_job("job_1", 2), {}}, AddIntent{id, make_intent("a", kNoItem, 1, 2)},
                          AddDone{id, make_done("a")}, AddReport{id, "r"}}));
  REQUIRE(journal->apply({EndJob{id, from_unix_ms(5)}, AddReport{id, "finished"}}));
  CHECK(journal->unfinished()->empty());
  CHECK_FALSE(journal->load(id));
  auto found = journal->find(id);
  REQUIRE((found && *found));
  CHECK((*found)->state == JobState::finished);
  CHECK((*found)->unreported);
  CHECK_FALSE(journal->apply({AddDone{id, make_done("b")}}));
  CHECK_FALSE(journal->apply({AcceptJob{make_job("job_1", 3), {}}}));  // its reports are not through yet
  REQUIRE(journal->holding()->size() == 1);
  REQUIRE(journal->apply({AcknowledgeReports{2}}));
  CHECK(journal->holding()->empty());
  CHECK_FALSE(journal->apply({AcceptJob{make_job("job_1", 2), {}}}));  // the same epoch again
  REQUIRE(journal->apply({AcceptJob{make_job("job_1", 3), {}}}));
  CHECK(journal->load(id)->intents.empty());
}

TEST_CASE("an abandoned job takes its reports with it and may come back later", "[journal][fencing]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const JobId id("job_1");
  REQUIRE(journal->apply({AcceptJob{make_job("job_1", 1), {}}, AddReport{id, "r"}, AddReport{JobId(), "mine"}}));
  REQUIRE(journal->apply({AbandonJob{id, from_unix_ms(5)}}));
  CHECK(journal->outbox_size().rows == 1);
  CHECK(journal->holding()->empty());
  CHECK_FALSE(journal->apply({AddReport{id, "late"}}));
  CHECK_FALSE(journal->apply({RaiseEpoch{id, 2, {}}}));
  REQUIRE(journal->apply({AcceptJob{make_job("job_1", 2), {}}, AddReport{id, "again"}}));
  CHECK(journal->outbox_after(0, 10, 100)->back().job_seq == 2);
}

TEST_CASE("progress of a foreach replaces the records of its items", "[journal]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const JobId id("job_1");
  Batch batch = {AcceptJob{make_job("job_1"), {}}};
  for (int item = 0; item < 5; ++item) {
    batch.push_back(AddIntent{id, make_intent("up", item)});
    batch.push_back(AddDone{id, make_done("up", item)});
  }
  batch.push_back(AddDone{id, make_done("other", 0)});
  batch.push_back(AddDone{id, make_done("up")});
  REQUIRE(journal->apply(batch));
  REQUIRE(journal->apply({SetProgress{id, {"up", 4, 3, 1, 0}}}));
  const auto stored = journal->load(id);
  REQUIRE(stored->progress.size() == 1);
  CHECK(stored->progress[0] == Progress{"up", 4, 3, 1, 0});
  CHECK(stored->intents.size() == 1);
  CHECK(stored->done.size() == 3);
}

TEST_CASE("the first items of a foreach may keep their ends", "[journal]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const JobId id("job_1");
  Batch batch = {AcceptJob{make_job("job_1"), {}}};
  for (int item = 0; item < 6; ++item) {
    batch.push_back(AddIntent{id, make_intent("up", item)});
    batch.push_back(AddDone{id, make_done("up", item)});
  }
  batch.push_back(SetProgress{id, {"up", 5, 5, 0, 0}, 2});
  REQUIRE(journal->apply(batch));
  const auto stored = journal->load(id);
  REQUIRE(stored->done.size() == 3);
  CHECK(stored->done[1].run.item == 1);
  CHECK(stored->done[2].run.item == 5);
  CHECK(stored->intents.size() == 1);
}

TEST_CASE("an event is seen once per recipe, also after a reopening", "[journal][events]") {
  const TempDir dir;
  const RecordEvent event{RecipeId("rcp_1"), "file-1", from_unix_ms(1)};
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({event, AcceptJob{make_job("job_1", 0), {}}}));
    const auto again = journal->apply({event, AcceptJob{make_job("job_2", 0), {}}});
    REQUIRE_FALSE(again);
    CHECK(again.error().code == Errc::conflict);
    CHECK(journal->apply({RecordEvent{RecipeId("rcp_2"), "file-1", from_unix_ms(1)}}));
  }
  auto journal = must_open(options_in(dir));
  CHECK_FALSE(journal->apply({event}));
  CHECK(journal->unfinished()->size() == 1);
}

TEST_CASE("old events and tombstones are forgotten in the end", "[journal][bounds]") {
  const TempDir dir;
  auto options = options_in(dir);
  options.max_events_per_recipe = 100;
  options.max_tombstones = 50;
  auto journal = must_open(std::move(options));
  const RecipeId recipe("rcp_1");
  for (int round = 0; round < 8; ++round) {
    Batch batch;
    for (int i = 0; i < 64; ++i) {
      const std::string name = std::to_string(round * 64 + i);
      batch.push_back(RecordEvent{recipe, name, from_unix_ms(1)});
      batch.push_back(AcceptJob{make_job("job_" + name, 0), {}});
      batch.push_back(EndJob{JobId("job_" + name), from_unix_ms(2)});
    }
    REQUIRE(journal->apply(batch));
  }
  CHECK(journal->apply({RecordEvent{recipe, "0", from_unix_ms(1)}}));
  CHECK_FALSE(journal->apply({RecordEvent{recipe, "511", from_unix_ms(1)}}));
  CHECK_FALSE(journal->find(JobId("job_0"))->has_value());
  CHECK(journal->find(JobId("job_511"))->has_value());
}

TEST_CASE("each recipe's events are bounded, however busy the others are", "[journal][events][bounds]") {
  const TempDir dir;
  auto options = options_in(dir);
  options.max_events_per_recipe = 10;
  auto journal = must_open(std::move(options));
  for (int i = 0; i < 256; ++i) {
    REQUIRE(journal->apply({RecordEvent{RecipeId("rcp_1"), std::to_string(i), from_unix_ms(1)},
                            RecordEvent{RecipeId("rcp_2"), std::to_string(i), from_unix_ms(1)}}));
  }
  for (const char* recipe : {"rcp_1", "rcp_2"}) {
    CHECK(journal->apply({RecordEvent{RecipeId(recipe), "0", from_unix_ms(1)}}));
    CHECK_FALSE(journal->apply({RecordEvent{RecipeId(recipe), "255", from_unix_ms(1)}}));
  }
}

TEST_CASE("what a recipe has seen is forgotten when it was not assigned for long, and not before",
          "[journal][events]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const RecipeId recipe("rcp_1"), other("rcp_2");
  const auto day = [](int n) { return from_unix_ms(1'700'000'000'000 + n * 86'400'000LL); };
  const RecordEvent event{recipe, "file-1", day(0)};
  REQUIRE(journal->apply({ReplaceAssignments{1, {{recipe, 1, "{}"}, {other, 1, "{}"}}, day(0)}, event,
                          RecordEvent{other, "file-1", day(0)}}));
  REQUIRE(journal->apply({ReplaceAssignments{2, {{other, 1, "{}"}}, day(1)}}));
  SECTION("back in time") {
    REQUIRE(journal->apply({ReplaceAssignments{3, {{recipe, 1, "{}"}, {other, 1, "{}"}}, day(90)}}));
    CHECK_FALSE(journal->apply({event}));
    REQUIRE(journal->apply({ReplaceAssignments{4, {{other, 1, "{}"}}, day(95)}}));  // the time begins anew
    REQUIRE(journal->apply({ReplaceAssignments{5, {{other, 1, "{}"}}, day(180)}}));
    CHECK_FALSE(journal->apply({event}));
  }
  SECTION("too late") {
    REQUIRE(journal->apply({ReplaceAssignments{3, {{recipe, 1, "{}"}, {other, 1, "{}"}}, day(92)}}));
    const auto again = journal->apply({event});
    INFO((again ? "" : again.error().message));
    CHECK(again);
  }
  SECTION("while the others go on") {
    for (int i = 0; i < 256; ++i) REQUIRE(journal->apply({RecordEvent{other, std::to_string(i), day(92)}}));
    CHECK(journal->apply({event}));
  }
  CHECK_FALSE(journal->apply({RecordEvent{other, "file-1", day(400)}}));  // assigned all the time
}

TEST_CASE("a cursor counts for an uninterrupted assignment only", "[journal]") {
  const TempDir dir;
  auto journal = must_open(options_in(dir));
  const RecipeId recipe("rcp_1");
  REQUIRE(journal->apply({SetCursor{recipe, "schedule", "1"}}));
  CHECK_FALSE(journal->cursor(recipe, "schedule")->has_value());
  REQUIRE(journal->apply({ReplaceAssignments{1, {{recipe, 1, "{}"}}}, SetCursor{recipe, "schedule", "1"}}));
  REQUIRE(journal->apply({ReplaceAssignments{2, {{recipe, 2, "{}"}}}}));
  CHECK(journal->cursor(recipe, "schedule")->value() == "1");
  REQUIRE(journal->apply({ReplaceAssignments{3, {}}}));
  REQUIRE(journal->apply({ReplaceAssignments{4, {{recipe, 2, "{}"}}}}));
  CHECK_FALSE(journal->cursor(recipe, "schedule")->has_value());
}

TEST_CASE("a damaged report does not hide those after it", "[journal][outbox][bad-input]") {
  const TempDir dir;
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AddReport{JobId(), "one"}, AddReport{JobId(), "two"}}));
  }
  {
    auto raw = Database::open(dir / "journal.db", "");
    REQUIRE(raw->script("UPDATE outbox SET report = x'00' WHERE seq = 1"));
  }
  auto journal = must_open(options_in(dir));
  const auto rows = journal->outbox_after(0, 10, 1'000);
  REQUIRE(rows);
  REQUIRE(rows->size() == 2);
  CHECK_FALSE((*rows)[0].report);
  CHECK((*rows)[1].report == "two");
}

TEST_CASE("a journal of the first schema is brought up to date with everything in it", "[journal]") {
  const TempDir dir;
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AcceptJob{make_job("job_1"), {}}, AddIntent{JobId("job_1"), make_intent("a")}}));
  }
  {
    auto raw = Database::open(dir / "journal.db", "");
    REQUIRE(
        raw->script("DROP TABLE departed; ALTER TABLE intents DROP COLUMN ledger; "
                    "ALTER TABLE jobs DROP COLUMN no_payload; ALTER TABLE jobs DROP COLUMN dry_run; ALTER TABLE "
                    "assignments DROP COLUMN no_payload; "
                    "PRAGMA user_version = 1"));
  }
  auto journal = must_open(options_in(dir));
  const auto stored = journal->load(JobId("job_1"));
  REQUIRE(stored);
  REQUIRE(stored->intents.size() == 1);
  CHECK_FALSE(stored->intents[0].ledger);  // nobody knows, so it is not said
  CHECK(stored->job.mode == execution::Mode::real);
  CHECK(journal->apply({ReplaceAssignments{1, {}}}));
}

TEST_CASE("a dry run is one when the journal is opened again, under every epoch", "[journal][dry]") {
  const TempDir dir;
  auto dry = make_job("job_1"), real = make_job("job_2");
  dry.mode = execution::Mode::dry_run;
  REQUIRE(must_open(options_in(dir))->apply({AcceptJob{dry, {}}, AcceptJob{real, {}}}));
  REQUIRE(must_open(options_in(dir))->apply({RaiseEpoch{dry.id, dry.epoch + 1, {}}}));
  const auto journal = must_open(options_in(dir));
  CHECK(journal->load(dry.id)->job.mode == execution::Mode::dry_run);
  CHECK(journal->load(real.id)->job.mode == execution::Mode::real);
}

TEST_CASE("an intent says whether all its runs kept a ledger", "[journal]") {
  const TempDir dir;
  const JobId id("job_1");
  const auto ledger_after = [&](bool next) {
    auto intent = make_intent("a");
    intent.ledger = next;
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AddIntent{id, intent}}));
    return journal->load(id)->intents.at(0).ledger;
  };
  REQUIRE(must_open(options_in(dir))->apply({AcceptJob{make_job("job_1"), {}}}));
  CHECK(ledger_after(true));
  CHECK_FALSE(ledger_after(false));
  CHECK_FALSE(ledger_after(true));
}

TEST_CASE("that the agent may not work lasts until it may again, whatever is assigned meanwhile", "[journal]") {
  TempDir dir;
  CHECK_FALSE(must_open(options_in(dir))->assignments()->suspended);
  REQUIRE(must_open(options_in(dir))->apply({SetSuspended{true}}));
  {
    auto journal = must_open(options_in(dir));
    CHECK(journal->assignments()->suspended);
    REQUIRE(journal->apply({ReplaceAssignments{4, {{RecipeId("rcp_1"), 1, "{}"}}}}));
    CHECK(journal->assignments()->suspended);
    REQUIRE(journal->apply({SetSuspended{false}}));
  }
  CHECK_FALSE(must_open(options_in(dir))->assignments()->suspended);
}

TEST_CASE("cancel, cursors and assignments last", "[journal]") {
  const TempDir dir;
  const RecipeId recipe("rcp_1");
  {
    auto journal = must_open(options_in(dir));
    REQUIRE(journal->apply({AcceptJob{make_job("job_1"), {}}, RequestCancel{JobId("job_1"), "an operator asked"}}));
    REQUIRE(journal->apply({ReplaceAssignments{4, {{recipe, 1, "{}"}, {RecipeId("rcp_2"), 1, "{}"}}}}));
    REQUIRE(journal->apply({SetCursor{recipe, "schedule", "1"}}));
    REQUIRE(journal->apply({SetCursor{recipe, "schedule", "2"}}));
    REQUIRE(journal->apply({ReplaceAssignments{5, {{recipe, 2, "{\"a\":1}"}}}}));
  }
  auto journal = must_open(options_in(dir));
  CHECK(journal->load(JobId("job_1"))->cancel_reason == "an operator asked");
  CHECK(journal->cursor(recipe, "schedule")->value() == "2");
  CHECK_FALSE(journal->cursor(recipe, "other")->has_value());
  const auto assigned = journal->assignments();
  CHECK(assigned->revision == 5);
  CHECK(assigned->recipes == std::vector<Assignment>{{recipe, 2, "{\"a\":1}"}});
}

}  // namespace sallyport::journal
