#include "agent/runner/job_bodies.h"

#include "shared/expr/compare.h"
#include "tests/support/async_test.h"
#include "tests/support/memory.h"
#include "tests/unit/agent/runner/engine_bench.h"
#include "tests/unit/shared/execution/job_script.h"

#include <boost/asio/this_coro.hpp>

#include <filesystem>

namespace sallyport::runner {
using namespace test;
using namespace std::chrono_literals;

namespace {

std::int64_t attribute(const Handle& handle, const char* name) {
  const auto it = handle.attributes.find(Value(name));
  return it == handle.attributes.end() ? 0 : it->second.as_int();
}

// Rows 0 .. count-1; counts its readers. Rows from `wide_from` on have a text of `width` characters.
class CountingRows final : public connectors::HandleOpener {
 public:
  std::string_view kind() const override { return "rows"; }
  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle&,
                                                                             connectors::Bodies&) override {
    return connectors::step_fail("invalid", "rows");
  }
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle& handle,
                                                                           connectors::Bodies&) override {
    ++opened;
    return std::make_unique<Reader>(*this, handle);
  }
  std::atomic<int> opened{0};
  std::atomic<int> alive{0};

 private:
  class Reader final : public connectors::RowReader {
   public:
    Reader(CountingRows& owner, const Handle& handle)
        : owner_(owner),
          count_(attribute(handle, "count")),
          width_(attribute(handle, "width")),
          wide_from_(attribute(handle, "wide_from")) {
      ++owner_.alive;
    }
    ~Reader() override { --owner_.alive; }
    const std::vector<std::string>& columns() const override { return columns_; }
    connectors::StepResult<std::optional<Value>> next() override {
      if (at_ == count_) return std::optional<Value>();
      ValueMap row{{"n", Value(at_++)}};
      if (width_ > 0 && at_ > wide_from_) row.emplace("t", Value(std::string(static_cast<std::size_t>(width_), 'x')));
      return std::optional<Value>(Value(std::move(row)));
    }

   private:
    CountingRows& owner_;
    std::int64_t count_, width_, wide_from_;
    std::int64_t at_ = 0;
    std::vector<std::string> columns_{"n"};
  };
};

Handle rows_handle(std::int64_t count) { return {"rows", {{"count", Value(count)}}}; }

struct Place {
  TempDir dir;
  std::unique_ptr<journal::Spool> spool =
      journal::Spool::open(dir / "spool", journal::test::test_key(), {}, {.max_total = 1u << 20, .max_body = 100'000})
          .value();
  journal::MemorySpool memory{1u << 20};
  CountingRows rows;
  std::vector<connectors::HandleOpener*> openers{&rows};
  std::shared_ptr<JobBodies> bodies = std::make_shared<JobBodies>(JobId("job_1"), Spools{*spool, memory}, openers);
};

std::string read_all(connectors::ByteReader& reader) {
  std::string text;
  Bytes buffer(1'000);
  for (;;) {
    const auto got = reader.read(buffer);
    REQUIRE(got);
    if (*got == 0) return text;
    text += as_text(std::span(buffer).first(*got));
  }
}

}  // namespace

TEST_CASE("a spooled body is written and read through its handle", "[bodies]") {
  Place place;
  auto writer = place.bodies->new_spool("text/csv");
  REQUIRE(writer);
  REQUIRE((*writer)->write(as_bytes("a,b\n1,2\n")));
  const auto handle = (*writer)->commit({{"note", "x"}});
  REQUIRE(handle);
  CHECK(handle->kind == "spool");
  CHECK(handle->attributes.at(Value("size")).as_int() == 8);
  CHECK(handle->attributes.at(Value("media_type")).as_string() == "text/csv");
  CHECK(handle->attributes.at(Value("note")).as_string() == "x");
  auto reader = place.bodies->open_bytes(*handle);
  REQUIRE(reader);
  CHECK(read_all(**reader) == "a,b\n1,2\n");
  CHECK(place.bodies->open_rows(*handle).error().error_class() == "invalid");
}

TEST_CASE("a spooled body of another job is not there", "[bodies][secrecy]") {
  Place place;
  auto writer = place.bodies->new_spool("text/plain");
  const auto handle = (*writer)->commit({});
  REQUIRE(handle);
  JobBodies other(JobId("job_2"), Spools{*place.spool, place.memory}, place.openers);
  CHECK(other.open_bytes(*handle).error().error_class() == "not_found");
}

TEST_CASE("handles that somebody made up are refused", "[bodies][bad-input]") {
  Place place;
  const Handle handle = GENERATE(as<Handle>{}, Handle{"spool", {}}, Handle{"spool", {{"name", Value(1)}}},
                                 Handle{"spool", {{"name", "../x"}}}, Handle{"device", {{"name", "x"}}});
  CHECK(place.bodies->open_bytes(handle).error().error_class() == "invalid");
}

TEST_CASE("the spool's limits have their error classes", "[bodies][bounds]") {
  Place place;
  auto writer = place.bodies->new_spool("text/plain");
  CHECK((*writer)->write(as_bytes(std::string(100'001, 'x'))).error().error_class() == "too_large");
}

TEST_CASE("items come in order from one reader, and from anywhere after a restart", "[bodies][foreach]") {
  const SystemClock clock;
  Place place;
  ItemReader items(place.bodies, rows_handle(10));
  for (int i = 0; i < 10; ++i) CHECK(items.item(i, {clock})->value().find("n")->as_int() == i);
  CHECK_FALSE(items.item(10, {clock})->has_value());
  CHECK(place.rows.opened == 1);
  ItemReader later(place.bodies, rows_handle(10));
  CHECK(later.item(7, {clock})->value().find("n")->as_int() == 7);
  CHECK(later.item(8, {clock})->value().find("n")->as_int() == 8);
  CHECK_FALSE(ItemReader(place.bodies, rows_handle(3)).item(5, {clock})->has_value());
}

TEST_CASE("a reader that is stopped or over its time gives up between two rows", "[bodies][foreach][bounds]") {
  const MovedClock clock;
  Place place;
  ItemReader items(place.bodies, rows_handle(1'000'000'000));
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = items.item(999'999'999, {clock, SteadyTime::max(), stop.get_token()});
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().error_class() == "cancelled");
  const auto late = items.item(999'999'999, {clock, clock.steady() + std::chrono::milliseconds(20)});
  REQUIRE_FALSE(late);
  CHECK(late.error().error_class() == "timeout");
  CHECK(items.item(1, {clock})->value().find("n")->as_int() == 1);
}

TEST_CASE("a batch ends at its number of rows or at its bytes", "[bodies][foreach][bounds]") {
  const SystemClock clock;
  Place place;
  const auto sizes = [&](std::int64_t rows, std::int64_t width, std::int64_t batch) {
    ItemReader items(place.bodies, {"rows", {{"count", rows}, {"width", width}, {"batch", batch}}});
    std::vector<std::size_t> found;
    for (std::int64_t at = 0, i = 0;; ++i) {
      const auto item = items.item(i, {clock});
      REQUIRE(item);
      if (!*item) return found;
      CHECK(expr::measured(**item, 4u << 20));  // an expression can take it
      for (const auto& row : (*item)->as_list()) CHECK(row.find("n")->as_int() == at++);
      found.push_back((*item)->as_list().size());
    }
  };
  using Sizes = std::vector<std::size_t>;
  CHECK(sizes(1'200, 10, 500) == Sizes{500, 500, 200});
  CHECK(sizes(500, 1'500, 500) == Sizes{500});
  CHECK(sizes(10, 300'000, 500) == Sizes{3, 3, 3, 1});
  CHECK(sizes(10, 300'000, 2) == Sizes{2, 2, 2, 2, 2});
  CHECK(sizes(3, 1'500'000, 500) == Sizes{1, 1, 1});
  CHECK(sizes(3, 4'000'000, 500) == Sizes{1, 1, 1});
}

TEST_CASE("batches by bytes begin at the same rows after a restart", "[bodies][foreach][bounds]") {
  const SystemClock clock;
  Place place;
  const Handle source{"rows", {{"count", Value(20)}, {"width", Value(300'000)}, {"batch", Value(500)}}};
  ItemReader all(place.bodies, source);
  for (std::int64_t i = 0; i < 8; ++i) {
    ItemReader later(place.bodies, source);
    CHECK(later.item(i, {clock}).value() == all.item(i, {clock}).value());
  }
  CHECK(all.item(2, {clock})->value().as_list().front().find("n")->as_int() == 6);  // back, past a row that waited
}

TEST_CASE("a row that no expression can take is named with the limit", "[bodies][foreach][bounds]") {
  const SystemClock clock;
  Place place;
  const std::int64_t batch = GENERATE(0, 1, 500);
  ItemReader items(place.bodies, {"rows", {{"count", 5}, {"width", 4'200'000}, {"wide_from", 2}, {"batch", batch}}});
  auto item = items.item(0, {clock});
  for (std::int64_t i = 1; item && *item; ++i) item = items.item(i, {clock});
  REQUIRE_FALSE(item);
  CHECK(item.error().error_class() == "too_large");
  CHECK(item.error().message == "row 3 is larger than 4193280 bytes, the limit for a row in `foreach`");
}

TEST_CASE("wide rows in batches take no more memory than a batch", "[bodies][foreach][memory]") {
  const SystemClock clock;
  Place place;
  constexpr std::size_t kFlat = 32u << 20;
  ItemReader items(place.bodies, {"rows", {{"count", 400}, {"width", 1'000'000}, {"batch", 500}}});
  const sallyport::test::PeakMemory peak;
  std::int64_t count = 0;
  while (items.item(count, {clock}).value()) ++count;
  CHECK(count == 400);
  CHECK(peak.grown() < kFlat);
  const sallyport::test::PeakMemory control;  // positive control: a tenth of them is noticed
  ValueList held;
  for (int i = 0; i < 40; ++i) held.emplace_back(std::string(1'000'000, 'x'));
  CHECK(control.grown() > kFlat);
}

ASYNC_TEST_CASE("a foreach over rows reads them on the pool, and goes on at the right one after a restart",
                "[engine][foreach]") {
  EngineBench bench(co_await asio::this_coro::executor);
  CountingRows rows;
  bench.openers = {&rows};
  bench.csv.does([](const auto&, const auto&) {
    return gives(Value(ValueMap{{"rows", rows_handle(100)}, {"batches", rows_handle(100)}}));
  });
  std::mutex mutex;
  std::map<std::string, int> seen;
  bench.list.does([&](const connectors::StepContext&, const Value& arguments) {
    const std::lock_guard lock(mutex);
    ++seen[arguments.find("path")->as_string()];
    return gives(Value());
  });
  co_await bench.open();
  co_await bench.link_up();
  const std::string recipe = canonical(
      "steps:\n  - {id: rows, uses: csv.read@1, with: {source: \"${{ trigger.file }}\"}}\n"
      "  - {id: a, uses: file.list@1, connection: c, foreach: {over: steps.rows.output.rows, concurrency: 3}, "
      "with: {path: \"${{ string(item.n) }}\"}}\n",
      "trigger: {uses: file.watch@1, connection: share, with: {path: in}}\n");
  co_await bench.say(dispatch(recipe, {.trigger_json = R"({"file":{"$handle":"file","path":"x"}})"}));
  co_await until([&] { return bench.list.begun() >= 40; }, "it is under way");
  co_await bench.close();
  CHECK(rows.alive == 0);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until([&] { return bench.uplink->has("job_finished succeeded"); }, "the job ends");
  CHECK(seen.size() == 100);
  CHECK(bench.csv.begun() == 1);
  CHECK(rows.opened == 2);
  co_await until([&] { return rows.alive == 0; }, "the reader is gone");
  co_await bench.close();
}

ASYNC_TEST_CASE("rows are read with a worker also for an action that needs none", "[engine][foreach]") {
  EngineBench bench(co_await asio::this_coro::executor);
  CountingRows rows;
  bench.openers = {&rows};
  bench.csv.does([](const auto&, const auto&) {
    return gives(Value(ValueMap{{"rows", rows_handle(20)}, {"batches", rows_handle(20)}}));
  });
  co_await bench.open();
  co_await bench.link_up();
  const std::string recipe = canonical(
      "steps:\n  - {id: rows, uses: csv.read@1, with: {source: \"${{ trigger.file }}\"}}\n"
      "  - {id: a, uses: log.write@1, foreach: steps.rows.output.rows, with: {text: \"${{ string(item.n) }}\"}}\n",
      "trigger: {uses: file.watch@1, connection: share, with: {path: in}}\n");
  co_await bench.say(dispatch(recipe, {.trigger_json = R"({"file":{"$handle":"file","path":"x"}})"}));
  co_await until([&] { return bench.uplink->has("job_finished succeeded"); }, "the job ends");
  CHECK(rows.opened == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("what a job spooled goes with it", "[engine][spool]") {
  EngineBench bench(co_await asio::this_coro::executor);
  bench.list.does(
      [](const connectors::StepContext& context, const Value&) -> connectors::StepResult<connectors::Output> {
        SP_TRY(auto writer, context.bodies.new_spool("text/plain"));
        SP_CHECK(writer->write(as_bytes("text")));
        SP_TRY(Handle handle, writer->commit({}));
        return connectors::Output{Value(handle)};
      });
  co_await bench.open();
  co_await bench.link_up();
  bench.move.hold();
  co_await bench.say(
      dispatch(canonical("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n"
                         "  - {id: b, uses: file.move@1, connection: c, with: {from: x, to: y}}\n")));
  co_await until([&] { return bench.move.begun() == 1; }, "the second step runs");
  CHECK(bench.spool->used() > 0);
  bench.move.release();
  co_await until([&] { return bench.uplink->has("job_finished") && bench.engine->status().relay_jobs == 0; },
                 "the job ends");
  CHECK(bench.spool->used() == 0);
  CHECK_FALSE(std::filesystem::exists(bench.dir / "spool" / kJob1));
  co_await bench.close();
}

}  // namespace sallyport::runner
