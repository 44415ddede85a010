#include "relay/cli/step_table.h"
#include "relay/jobs/sealing.h"
#include "shared/base/json.h"
#include "tests/unit/relay/cli/cli_site.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// What a person sees of a job's steps, however many there are; what a program gets is all of them.
using namespace sallyport;
using namespace sallyport::test;
using cli::StepTable;

namespace {

Value step(std::string path, std::string_view status, int second, std::string_view retry_at = "null") {
  const auto text = fmt::format(
      R"({{"path":"{}","attempt":1,"status":"{}","uses":"sql.execute@1","started_at":"2026-01-31T09:30:{:02}Z",)"
      R"("finished_at":"2026-01-31T09:31:{:02}Z","error_class":"","message":"","retry_at":{}}})",
      path, status, second, second, retry_at);
  return parse_json(text).value();
}

std::vector<std::string> paths_of(const ValueList& rows) {
  std::vector<std::string> paths;
  for (const auto& row : rows) paths.push_back(text_of(row, "path"));
  return paths;
}

asio::awaitable<JobId> run_items(CliSite& site, JobId job, std::size_t count) {
  auto& world = site.world;
  const auto now = world.clock.wall();
  must(co_await world.stores.jobs.claim(site.tenant.org, job, {site.agent, 0, now, now + std::chrono::minutes(1)}));
  std::vector<store::HistoryEntry> entries;
  for (std::size_t item = 0; item < count; ++item) {
    store::StepFinished end{.path = fmt::format("each[{}]", item), .attempt = 1};
    if (item == 7) {
      constexpr std::string_view kGave = R"({"exit_code":3,"text":null,"stderr":"the reason\nis \u001b[31mX\n"})";
      end.status = domain::StepStatus::failed;
      end.error_class = "exit:3";
      end.sealed_output = must(co_await world.envelope.seal(
          jobs::step_identity(site.tenant.org, "output", job, end.path, 1), as_bytes(kGave)));
    }
    entries.push_back({item + 1, now, std::move(end)});
  }
  must(co_await world.stores.history.append(site.tenant.org, job, 1, std::move(entries)));
  co_return job;
}

}  // namespace

TEST_CASE("few items of a foreach are shown one by one", "[cli][steps]") {
  StepTable table;
  table.add(step("rows", "succeeded", 1));
  for (std::size_t i = 0; i < StepTable::kMostItems; ++i) table.add(step(fmt::format("each[{}]", i), "succeeded", 2));
  table.add(step("done", "succeeded", 3));
  const auto rows = table.rows();
  REQUIRE(rows.size() == StepTable::kMostItems + 2);
  CHECK(rows.front() == step("rows", "succeeded", 1));
  CHECK(text_of(rows.at(1), "path") == "each[0]");
  CHECK(text_of(rows.back(), "path") == "done");
  CHECK(table.left_out().empty());
}

TEST_CASE("many items of a foreach are counted, and those that failed are shown", "[cli][steps]") {
  StepTable table;
  table.add(step("each", "failed", 1));
  for (int i = 0; i < 10'000; ++i) {
    if (i % 100 == 0) table.add(step(fmt::format("each[{}]", i), "failed", 5, R"("2026-01-31T09:32:00Z")"));
    table.add(step(fmt::format("each[{}]", i), i % 4'000 == 17 ? "failed" : "succeeded", 2 + i % 7));
  }
  table.add(step("after", "skipped", 9));
  const auto rows = table.rows();
  CHECK(paths_of(rows) == std::vector<std::string>{"each", "each[]", "each[17]", "each[4017]", "each[8017]", "after"});
  const auto& all = rows.at(1);
  CHECK(text_of(all, "status") == "3 failed, 9997 succeeded, 100 tried again");
  CHECK(text_of(all, "uses") == "sql.execute@1");
  CHECK(text_of(all, "started_at") == "2026-01-31T09:30:02Z");
  CHECK(text_of(all, "finished_at") == "2026-01-31T09:31:08Z");
  CHECK(table.left_out().empty());
}

TEST_CASE("of many failures the first are shown, and it is said how many there are", "[cli][steps]") {
  StepTable table;
  for (int i = 0; i < 5'000; ++i) table.add(step(fmt::format("each[{}]", i), i < 4'000 ? "failed" : "running", 1));
  CHECK(table.rows().size() == 1 + StepTable::kMostItems);
  CHECK(table.rows().front().find("finished_at")->is_null());  // some of it runs
  CHECK(table.left_out() == "each[]: 20 of 4000 that did not succeed are shown; -o json has all\n");
}

TEST_CASE("a job's steps over several pages", "[cli][steps][relay]") {
  CliSite site;
  site.login(domain::Role::editor);
  const auto file = site.folder.write("orders.yaml", recipe_yaml("orders"));
  CHECK(site.run({"recipes", "apply", "-f", file}).code == cli::kDone);
  CHECK(site.run({"recipes", "activate", "orders"}).code == cli::kDone);
  constexpr std::size_t kItems = 1'050;  // over one page with payloads and one without
  const auto job = site.start("orders");
  site.on_loop(run_items(site, job, kItems));
  const auto shown = site.run({"jobs", "show", job.value});
  CHECK(shown.code == cli::kDone);
  CHECK_THAT(shown.out,
             Catch::Contains("1 failed, 1049 succeeded") && Catch::Contains("each[7]") && !Catch::Contains("each[8]"));
  CHECK_THAT(shown.out, Catch::EndsWith("\neach[7] (attempt 1) gave\n  exit_code: 3\n  stderr:\n    the reason\n"
                                        "    is \\x1b[31mX\n"));
  const auto all = site.json({"jobs", "show", job.value});
  const auto& steps = all.find("steps")->as_list();
  REQUIRE(steps.size() == kItems);
  for (std::size_t i = 0; i < kItems; ++i) CHECK(text_of(steps[i], "path") == fmt::format("each[{}]", i));
}
