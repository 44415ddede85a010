#include "tests/unit/shared/execution/job_script.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <set>

namespace sallyport::execution {
using namespace test;
using Lines = std::vector<std::string>;

namespace {

std::string loop(const std::string& over, const std::string& more = "", const std::string& step = "") {
  return "steps:\n  - id: a\n    uses: file.write@1\n    connection: c\n    foreach: {over: \"" + over + "\"" + more +
         "}\n    with: {path: \"${{ string(item) }}\", content: x}\n" + step;
}

std::string rows_loop(const std::string& more = "", const std::string& step = "") {
  return "steps:\n  - id: rows\n    uses: csv.read@1\n    with: {source: \"${{ trigger.file }}\"}\n  - id: a\n    "
         "uses: file.write@1\n"
         "    connection: c\n    foreach: {over: steps.rows.output.rows" +
         more + "}\n    with: {path: \"${{ string(item) }}\", content: x}\n" + step;
}

const std::string kFileTrigger = R"({"kind":"file.watch","file":{"$handle":"file","path":"in.csv"}})";

StepResult<Output> rows_output(const RunStep&) {
  const Value handle(Handle{"rows", {{"format", "csv"}}});
  return gives(Value(ValueMap{{"rows", handle}, {"batches", handle}}));
}

std::vector<Value> numbers(int count) {
  std::vector<Value> items;
  for (int i = 0; i < count; ++i) items.emplace_back(i);
  return items;
}

}  // namespace

TEST_CASE("foreach over a list runs each item once, in order", "[foreach]") {
  JobScript job(loop("[10, 20, 30]"));
  job.on("file.write@1", [](const RunStep& step) { return gives(*step.arguments.find("path")); }).run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == Lines{"a[0]#1", "a[1]#1", "a[2]#1"});
  const Value output = job.output_of("a");
  CHECK(output.find("count")->as_int() == 3);
  CHECK(output.find("failed")->as_int() == 0);
  CHECK(output.find("results")->as_list() == ValueList{"10", "20", "30"});
  CHECK(job.told().front() == "started a#1");
}

TEST_CASE("foreach over a map gives keys and values", "[foreach]") {
  JobScript job(
      "steps:\n  - id: a\n    uses: file.write@1\n    connection: c\n    foreach: \"{'x': 1, 'y': 2}\"\n"
      "    with: {path: \"${{ item.key }}${{ item.value }}\", content: x}\n");
  job.run();
  CHECK(job.steps[0].arguments.find("path")->as_string() == "x1");
  CHECK(job.steps[1].arguments.find("path")->as_string() == "y2");
}

TEST_CASE("foreach over nothing succeeds", "[foreach]") {
  JobScript job(loop("[]"));
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.output_of("a").find("count")->as_int() == 0);
}

TEST_CASE("foreach over something else is the recipe's mistake", "[foreach]") {
  JobScript job(loop("trigger.kind"));
  job.run();
  CHECK(job.end().error_class == "invalid");
  CHECK(job.end().message.find("not string") != std::string::npos);
}

TEST_CASE("as many items at one time as asked for, never more", "[foreach]") {
  JobScript job(loop("[0, 1, 2, 3, 4, 5, 6]", ", concurrency: 3"));
  std::size_t most = 0;
  Turn turn = job.turn();
  std::deque<RunStep> running;
  while (!job.finished) {
    for (const auto& action : turn.actions) running.push_back(std::get<RunStep>(action));
    most = std::max(most, running.size());
    job.execution().on_step_result(running.front().run, gives(Value()));
    running.pop_front();
    turn = job.turn();
  }
  CHECK(most == 3);
  CHECK(job.finished == JobStatus::succeeded);
}

TEST_CASE("rows are pulled one by one and leave only their progress in the journal", "[foreach][rows]") {
  JobScript job(rows_loop(", concurrency: 4"), kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(3'000)).run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran.size() == 3'001);
  CHECK(job.output_of("a").find("count")->as_int() == 3'000);
  CHECK(job.output_of("a").find("results")->as_list().size() == 100);
  REQUIRE(job.journal().stored().progress.size() == 1);
  CHECK(job.journal().stored().progress[0].next_item == 3'000);
  CHECK(job.journal().stored().done.size() == 102);  // rows, the first hundred items, and the loop as a whole
}

TEST_CASE("the first results outlive a restart, however long the loop", "[foreach][replay]") {
  JobScript job(rows_loop(", concurrency: 3"), kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(250));
  job.on("file.write@1", [](const RunStep& step) { return gives(*step.arguments.find("path")); });
  const std::size_t crash_after = GENERATE(40u, 110u, 180u);
  for (std::size_t turns = 0; turns < crash_after; ++turns) job.perform(job.turn());
  job.restart();
  job.run();
  const Value output = job.output_of("a");
  CHECK(output.find("count")->as_int() == 250);
  const auto& results = output.find("results")->as_list();
  REQUIRE(results.size() == 100);
  for (std::size_t i = 0; i < results.size(); ++i) CHECK(results[i] == Value(std::to_string(i)));
}

TEST_CASE("an item that fails ends the loop after what runs", "[foreach][failure]") {
  JobScript job(loop("[0, 1, 2, 3, 4, 5]", ", concurrency: 2"));
  job.on("file.write@1 a[1]", [](const RunStep&) { return fails("disk_full", "full"); }).run();
  CHECK(job.finished == JobStatus::failed);
  CHECK(job.ran.size() == 2);
  CHECK(job.end().error_class == "disk_full");
  CHECK(job.end().message == "item 1: full");
}

TEST_CASE("or is counted, and the loop goes on", "[foreach][failure]") {
  const bool body = GENERATE(false, true);
  JobScript job(body ? rows_loop(", on_item_failure: continue") : loop("[0, 1, 2, 3]", ", on_item_failure: continue"),
                kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(4));
  job.on("file.write@1",
         [](const RunStep& step) { return step.run.item % 2 == 1 ? fails("disk_full") : gives(Value("ok")); })
      .run();
  CHECK(job.finished == JobStatus::succeeded);
  const Value output = job.output_of("a");
  CHECK(output.find("count")->as_int() == 4);
  CHECK(output.find("failed")->as_int() == 2);
  CHECK(output.find("results")->as_list() == ValueList{"ok", Value(), "ok", Value()});
}

TEST_CASE("each item is tried again by itself", "[foreach][retry]") {
  JobScript job(loop("[0, 1, 2]", "", "    retry: {max: 2, initial: 1s}\n"));
  std::set<std::int64_t> seen;
  job.on("file.write@1",
         [&](const RunStep& step) { return seen.insert(step.run.item).second ? fails("timeout") : gives(Value()); })
      .run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.ran == Lines{"a[0]#1", "a[0]#2", "a[1]#1", "a[1]#2", "a[2]#1", "a[2]#2"});
}

TEST_CASE("an item that waits does not let others run away without bound", "[foreach][rows][bounds]") {
  JobScript job(rows_loop(", concurrency: 2", "    retry: {max: 1, initial: 5m, max_delay: 5m}\n"), kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(5'000));
  bool first = true;
  std::size_t most = 0;
  job.on("file.write@1", [&](const RunStep& step) {
    most = std::max(most, job.journal().stored().done.size());
    return step.run.item == 0 && std::exchange(first, false) ? fails("connection") : gives(Value());
  });
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.output_of("a").find("count")->as_int() == 5'000);
  CHECK(most <= 1'030);
}

TEST_CASE("more items than allowed are refused, as many as allowed are not", "[foreach][bounds]") {
  const int items = GENERATE(0, 1, 2, 3);
  const bool body = GENERATE(false, true);
  INFO(items << (body ? " rows" : " in a list"));
  Lines list;
  for (int i = 0; i < items; ++i) list.push_back(std::to_string(i));
  JobScript job(body ? rows_loop(", max_items: 2") : loop(fmt::format("[{}]", fmt::join(list, ", ")), ", max_items: 2"),
                kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(items)).run();
  if (items <= 2) {
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.output_of("a").find("count")->as_int() == items);
  } else {
    CHECK(job.end().error_class == "too_large");
    CHECK(job.end().message == "`foreach` over more than 2 items: raise `max_items`");
    CHECK(job.ran == (body ? Lines{"rows#1", "a[0]#1", "a[1]#1"} : Lines{}));
  }
}

TEST_CASE("a body that cannot be read fails the loop", "[foreach][rows]") {
  JobScript job(rows_loop(), kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(3)).unreadable({{0, {"changed"}}});
  job.run();
  CHECK(job.end().error_class == "changed");
  CHECK(job.end().message == "reading item 0: no changed");
}

TEST_CASE("reading an item is tried again as the step's retry says", "[foreach][rows][retry]") {
  const std::string retry = "    retry: {max: 2, backoff: fixed, initial: 1s, on: [connection]}\n";
  JobScript job(rows_loop(", concurrency: 2", retry), kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(3));
  SECTION("each item has its attempts for itself") {
    job.unreadable({{0, {"connection", "connection"}}, {2, {"connection", "connection"}}}).run();
    CHECK(job.finished == JobStatus::succeeded);
    CHECK(job.ran == Lines{"rows#1", "a[0]#1", "a[1]#1", "a[2]#1"});
    CHECK(job.slept >= 4 * std::chrono::milliseconds(800));
    CHECK(job.slept <= 4 * std::chrono::milliseconds(1'000));
    const auto told = job.told();
    CHECK(std::ranges::count_if(told, [](const std::string& line) {
            return line.starts_with("log warn reading item 0: no connection (connection): read again in ");
          }) == 2);
  }
  SECTION("and no more") {
    job.unreadable({{1, {"connection", "connection", "connection"}}}).run();
    CHECK(job.end().error_class == "connection");
    CHECK(job.ran == Lines{"rows#1", "a[0]#1"});
  }
  SECTION("and not after another class of error") {
    job.unreadable({{0, {"connection", "changed"}}}).run();
    CHECK(job.end().error_class == "changed");
  }
  SECTION("what runs goes on meanwhile, and an item that fails ends the wait") {
    job.unreadable({{1, {"connection"}}});
    job.on("file.write@1", [](const RunStep&) { return fails("disk_full"); }).run();
    CHECK(job.end().error_class == "disk_full");
    CHECK(job.slept == std::chrono::milliseconds(0));
  }
  SECTION("a cancel does not wait for it") {
    job.unreadable({{0, {"connection"}}});
    for (int turns = 0; turns < 3; ++turns) job.perform(job.turn());
    job.execution().cancel("enough");
    job.run();
    CHECK(job.finished == JobStatus::cancelled);
    CHECK(job.slept == std::chrono::milliseconds(0));
  }
}

TEST_CASE("a cancel in the middle of a loop", "[foreach][cancel]") {
  JobScript job(loop("[0, 1, 2, 3]", ", concurrency: 2"));
  const auto first = job.turn();
  job.execution().cancel("enough");
  CHECK(job.turn().interrupt);
  job.execution().on_step_result(std::get<RunStep>(first.actions[0]).run, gives(Value()));
  job.execution().on_step_result(std::get<RunStep>(first.actions[1]).run, fails("cancelled"));
  job.run();
  CHECK(job.told() == Lines{"started a#1", "started a[0]#1", "started a[1]#1", "succeeded a[0]#1",
                            "cancelled a[1]#1 cancelled", "cancelled a#1 cancelled", "job cancelled cancelled"});
}

TEST_CASE("a loop resumes where its records end, whatever was under way", "[foreach][replay]") {
  const bool body = GENERATE(false, true);
  const std::size_t crash_after = GENERATE(range(0u, 16u));
  INFO((body ? "rows" : "list") << ", crash after " << crash_after << " turns");
  JobScript job(body ? rows_loop(", concurrency: 2") : loop("[0, 1, 2, 3, 4]", ", concurrency: 2"), kFileTrigger);
  job.on("csv.read@1", rows_output).rows(numbers(5));
  for (std::size_t turns = 0; turns < crash_after && !job.finished; ++turns) job.perform(job.turn());
  if (job.finished) return;
  job.restart();
  job.run();
  CHECK(job.finished == JobStatus::succeeded);
  CHECK(job.output_of("a").find("count")->as_int() == 5);
  const std::set<std::string> once(job.ran.begin(), job.ran.end());
  CHECK(once.size() == (body ? 6 : 5));
  CHECK(job.ran.size() <= once.size() + 2);  // at most what was under way ran again
}

TEST_CASE("what an item made is forgotten when nothing can name it any more", "[foreach][bodies]") {
  const auto forgotten = [](JobScript& job) {
    Lines paths;
    while (!job.finished) {
      const Turn turn = job.turn();
      for (const auto& run : turn.forget) paths.push_back(path_text(run));
      job.perform(turn);
      if (turn.wake && turn.actions.empty()) job.advance(std::chrono::seconds(2));
    }
    return paths;
  };
  const std::string names =
      "  - {id: l, uses: log.write@1, with: {text: \"${{ string(steps.a.output.results.size()) }}\"}}\n";
  SECTION("at once, when no expression names the results") {
    JobScript job(loop("[1, 2]"));
    CHECK(forgotten(job) == Lines{"a[0]", "a[1]"});
  }
  SECTION("after the first hundred, when one does") {
    JobScript job(rows_loop("", names), kFileTrigger);
    job.on("csv.read@1", rows_output).rows(numbers(102));
    CHECK(forgotten(job) == Lines{"a[100]", "a[101]"});
  }
  SECTION("of an item that failed") {
    JobScript job(loop("[1, 2]", ", on_item_failure: continue", names));
    job.on("file.write@1",
           [](const RunStep& step) { return step.run.item == 1 ? fails("constraint") : gives(Value()); });
    CHECK(forgotten(job) == Lines{"a[1]"});
  }
  SECTION("of an attempt that failed") {
    JobScript job(loop("[1]", "", "    retry: {max: 1, initial: 1s}\n" + names));
    job.on("file.write@1",
           [](const RunStep& step) { return step.run.attempt == 1 ? fails("timeout") : gives(Value()); });
    CHECK(forgotten(job) == Lines{"a[0]"});
  }
  SECTION("all of a loop that failed, or whose results have no room") {
    JobScript failing(loop("[1, 2]", "", names));
    failing.on("file.write@1",
               [](const RunStep& step) { return step.run.item == 1 ? fails("constraint") : gives(Value()); });
    CHECK(forgotten(failing) == Lines{"a[1]", "a"});
    JobScript large(loop("[1, 2]", "", names));
    large.on("file.write@1", [](const RunStep&) { return gives(Value(std::string(200u << 10, 'x'))); });
    CHECK(forgotten(large) == Lines{"a"});
  }
}

}  // namespace sallyport::execution
