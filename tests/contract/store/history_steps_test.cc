#include "tests/contract/store/entries.h"

#include <set>

// Steps: the newest word on each attempt, what a next holder is given of them, and their pages.
using namespace sallyport;
using namespace sallyport::test;
using domain::StepStatus;
using store::HistoryEntry;

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
