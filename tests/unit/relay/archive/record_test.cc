#include "relay/archive/record.h"

#include "relay/jobs/sealing.h"
#include "shared/base/json.h"
#include "tests/unit/relay/archive/bench.h"

#include <fmt/format.h>

#include <sstream>

// What a record leaves out when it would be too large.
using namespace sallyport;
using namespace sallyport::archive;
using namespace sallyport::test;

namespace {

// A job's history as a test wants it.
class PlantedHistory final : public store::History {
 public:
  awaitable<Result<store::AppendResult>> append(OrgId, JobId, std::uint64_t,
                                                std::vector<store::HistoryEntry>) override {
    co_return fail(Errc::internal, "nobody writes here");
  }
  awaitable<Result<store::Page<store::Step>>> steps(OrgId, JobId, store::StepFilter, store::PageQuery) override {
    co_return store::Page<store::Step>{.items = planted_steps, .next = {}};
  }
  awaitable<Result<std::vector<store::StepPayloads>>> payloads(OrgId, JobId, std::vector<store::StepKey>) override {
    co_return fail(Errc::internal, "no step has one");
  }
  awaitable<Result<store::Events>> events(OrgId, JobId, store::EventQuery) override {
    co_return store::Events{.items = planted_events};
  }
  awaitable<Result<std::vector<store::KeptStep>>> completed(OrgId, JobId, std::size_t) override {
    co_return fail(Errc::internal, "nobody asks");
  }

  std::vector<store::Step> planted_steps;
  std::vector<store::HistoryEvent> planted_events;
};

struct RecordBench : Bench {
  using Bench::Bench;
  awaitable<std::string> make(std::size_t most) {
    RecordMaker maker{{stores.jobs, history, outlines, ring.envelope, most}};
    co_return must(co_await maker.make(must(co_await stores.jobs.find(job.org, job.job))));
  }
  awaitable<void> say(std::string text) {
    const auto seq = history.planted_events.size() + 1;
    auto sealed = must(co_await ring.envelope.seal(jobs::log_identity(job.org, job.job, 1, seq), as_bytes(text)));
    history.planted_events.push_back({.seq = seq, .at = clock.wall(), .kind = "log", .path = "rows"});
    history.planted_events.back().epoch = 1;
    history.planted_events.back().job_seq = seq;
    history.planted_events.back().sealed_text = std::move(sealed);
  }
  KeptJob job;
  PlantedHistory history;
};

std::vector<Value> lines_of(const std::string& text) {
  std::vector<Value> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(must(parse_json(line, {.max_bytes = 1u << 26})));
  return lines;
}

std::int64_t number_in(const Value& end, std::string_view member) {
  const auto* number = end.find(member);
  return number == nullptr ? 0 : number->as_int();
}

}  // namespace

ASYNC_TEST_CASE("a record counts whole lines, never passes its limit, and says what it leaves out", "[archive]") {
  RecordBench bench(co_await asio::this_coro::executor);
  bench.job = co_await bench.end_one(co_await bench.settle_with_archive("ours"));
  constexpr std::int64_t kSteps = 100, kEvents = 200;
  for (int i = 0; i < kSteps; ++i) bench.history.planted_steps.push_back({.path = fmt::format("steps/{:060}", i)});
  for (int i = 0; i < kEvents; ++i) co_await bench.say(std::string(100, '"'));  // a line has them twice
  const auto whole = co_await bench.make(kMostRecord);
  CHECK(whole.find("left_out\":0") != std::string::npos);  // control
  CHECK(whole.find("omitted") == std::string::npos);
  for (std::size_t most = 2'000; most < whole.size(); most += 1'777) {
    INFO("a limit of " << most << " of " << whole.size());
    const auto record = co_await bench.make(most);
    CHECK(record.size() <= most);
    CHECK(record == co_await bench.make(most));
    const auto lines = lines_of(record);
    const auto& end = *lines.back().find("end");
    CHECK(number_in(end, "steps") + number_in(end, "steps_left_out") == kSteps);
    CHECK(number_in(end, "events") + number_in(end, "events_left_out") == kEvents);
    CHECK(number_in(end, "left_out") + number_in(end, "steps_left_out") + number_in(end, "events_left_out") > 0);
    CHECK(static_cast<std::int64_t>(lines.size()) == number_in(end, "steps") + number_in(end, "events") + 3);
  }
}

ASYNC_TEST_CASE("a body that grows in JSON beyond the limit has a mark in its place, and what is after it stays",
                "[archive]") {
  RecordBench bench(co_await asio::this_coro::executor);
  bench.job = co_await bench.end_one(co_await bench.settle_with_archive("ours"));
  co_await bench.say(std::string(15'000, '"'));
  co_await bench.say("the last word");
  const auto record = co_await bench.make(20'000);
  const auto lines = lines_of(record);
  const auto& end = *lines.back().find("end");
  CHECK(number_in(end, "left_out") == 1);
  CHECK(number_in(end, "events") == 2);
  CHECK(lines.at(2).find("event")->find("text")->find("$omitted") != nullptr);
  CHECK(lines.at(3).find("event")->find("text")->as_string() == "the last word");
}

ASYNC_TEST_CASE("what could not be read back is not put, and the ledger says so", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await bench.end_one(org);
  Metrics metrics;
  Archiver narrow{{bench.stores.archive, bench.stores.jobs, bench.ring.store->keys(), bench.records,
                   bench.ring.hierarchy, bench.places, bench.audit, bench.clock, bench.log, metrics,
                   [&] { return std::optional(bench.clock.wall()); }, 100}};
  must(co_await narrow.archive_due());
  CHECK(bench.place->puts == 0);
  const auto told = co_await bench.told(org);
  CHECK(told == 1);
  const auto waiting = co_await bench.waiting();
  CHECK(waiting == 0);
  static_assert(kMostRecord + 4096 < kMostObject);
}
