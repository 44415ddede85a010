#include "shared/recipe/stream.h"
#include "shared/recipe/loader.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

using namespace sallyport::recipe;

namespace {

constexpr std::string_view kHead = "recipe: nightly\nrun_on: dc1\ntrigger: {uses: manual@1}\n";
constexpr std::string_view kWatched =
    "recipe: nightly\nrun_on: dc1\ntrigger: {uses: file.watch@1, connection: share, with: {path: in}}\n";
constexpr std::string_view kParts = R"(sources:
  orders: {uses: sql.query@1, connection: erp, with: {statement: select id from orders}, retry: {max: 3}}
transformations:
  as-csv: {uses: csv.write@1, with: {delimiter: ";"}}
destinations:
  drop: {uses: file.write@1, connection: share, with: {path: out/orders.csv}}
)";

std::string canonical(const std::string& text) {
  const auto made = load_recipe(text);
  if (!made) return sallyport::yaml::to_string(made.error().front());
  return to_canonical(*made);
}

std::string problem(const std::string& text) {
  const auto made = load_recipe(text);
  REQUIRE_FALSE(made);
  return sallyport::yaml::to_string(made.error().front());
}

std::string with(std::string_view parts, std::string_view steps) {
  return fmt::format("{}{}steps:\n{}", kHead, parts, steps);
}

}  // namespace

TEST_CASE("a stream is the steps that it names, each fed by the one before", "[recipe][stream]") {
  const auto written =
      with(kParts, "  - {stream: night, from: orders, through: [as-csv], to: drop, if: \"inputs == {}\"}\n");
  const auto plain = std::string(kHead) + R"(steps:
  - {id: night_orders, if: "inputs == {}", uses: sql.query@1, connection: erp, with: {statement: select id from orders}, retry: {max: 3}}
  - {id: night_as-csv, if: "inputs == {}", uses: csv.write@1, with: {delimiter: ";", rows: "${{ steps[\"night_orders\"].output.rows }}"}}
  - {id: night_drop, if: "inputs == {}", uses: file.write@1, connection: share, with: {path: out/orders.csv, source: "${{ steps[\"night_as-csv\"].output.file }}"}}
)";
  CHECK(canonical(written) == canonical(plain));
  REQUIRE(load_recipe(written));
  const auto stored = recipe_from_canonical(canonical(written));
  REQUIRE(stored);
  CHECK(stored->steps.size() == 3);
}

TEST_CASE("rows go to a destination as a whole, in batches or one by one, and to several", "[recipe][stream]") {
  const std::string parts =
      "sources: {orders: {uses: sql.query@1, connection: erp, with: {statement: select id from orders}}}\n"
      "destinations:\n"
      "  whole: {uses: sql.execute@1, connection: erp, with: {statement: \"insert into t values (:id)\"}}\n"
      "  by-batch: {uses: sql.execute@1, connection: erp, per: batch, with: {statement: \"insert into t values "
      "(:id)\"}}\n"
      "  by-row: {uses: sql.execute@1, connection: erp, per: row, with: {statement: \"insert into t values (:id)\"}}\n";
  const auto made = load_recipe(with(parts, "  - {stream: s, from: orders, to: [whole, by-batch, by-row]}\n"));
  if (!made) FAIL(sallyport::yaml::to_string(made.error().front()));
  REQUIRE(made->steps.size() == 4);
  CHECK_FALSE(made->steps[1].foreach);
  REQUIRE(made->steps[2].foreach);
  CHECK(made->steps[2].foreach->over.source() == "steps[\"s_orders\"].output.batches");
  REQUIRE(made->steps[3].foreach);
  CHECK(made->steps[3].foreach->over.source() == "steps[\"s_orders\"].output.rows");
}

TEST_CASE("a stream may begin with what the trigger brings", "[recipe][stream]") {
  const auto made = load_recipe(std::string(kWatched) +
                                "transformations: {lines: {uses: csv.read@1}}\n"
                                "destinations: {db: {uses: sql.execute@1, connection: erp, per: batch, with: "
                                "{statement: \"insert into t values (:id)\"}}}\n"
                                "steps: [{stream: s, from: trigger, through: [lines], to: db}]\n");
  if (!made) FAIL(sallyport::yaml::to_string(made.error().front()));
  CHECK(to_canonical(*made).find(R"("with":{"source":"${{ trigger.file }}"})") != std::string::npos);
  CHECK(problem(with("destinations: {drop: {uses: file.write@1, connection: share, with: {path: x}}}\n",
                     "  - {stream: s, from: trigger, to: drop}\n"))
            .find("the trigger of this recipe gives no body and no rows") != std::string::npos);
}

TEST_CASE("what does not fit together is told where it stands", "[recipe][stream]") {
  const auto told = [](std::string_view parts, std::string_view steps, std::string_view expected) {
    INFO(steps);
    CHECK(problem(with(parts, steps)).find(expected) != std::string::npos);
  };
  told(kParts, "  - {stream: s, from: order, to: drop}\n",
       "`sources` has no `order` (did you mean `orders`?) [stream]");
  told(kParts, "  - {stream: s, from: orders, to: drop}\n",
       "recipe.yaml:11:5: `sql.query@1` gives rows, and `file.write@1` takes a body: put");
  told(kParts, "  - {stream: s, from: orders, through: [as-csv]}\n", "missing-field");
  told(kParts, "  - {stream: s, from: orders, through: [as-csv], to: drop, with: {}}\n", "unknown-key");
  told(kParts, "  - {stream: s, from: orders, through: [as-csv], to: [drop, drop]}\n", "duplicate-step-id");
  told(kParts, "  - {stream: S, from: orders, through: [as-csv], to: drop}\n", "bad-name");
  told(kParts, "  - {id: a, uses: log.write@1, with: {text: x}}\n", "unused-part");
  told(
      "destinations: {d: {uses: file.write@1, connection: c, per: row, with: {path: x}}}\n"
      "sources: {s: {uses: sql.query@1, connection: c, with: {statement: select 1}}}\n",
      "  - {stream: s, from: s, to: d}\n", "`source` takes no single row");
  told(
      "destinations: {d: {uses: csv.write@1, with: {rows: []}}}\n"
      "sources: {s: {uses: sql.query@1, connection: c, with: {statement: select 1}}}\n",
      "  - {stream: s, from: s, to: d}\n", "`rows` of `csv.write@1` is filled by the stream");
  told(
      "destinations: {d: {uses: file.delete@1, connection: c, with: {path: x}}}\n"
      "sources: {s: {uses: sql.query@1, connection: c, with: {statement: select 1}}}\n",
      "  - {stream: s, from: s, to: d}\n", "`file.delete@1` takes no body and no rows");
  told("destinations: {d: {uses: csv.write@1}}\nsources: {s: {uses: file.list@1, connection: c, with: {path: x}}}\n",
       "  - {stream: s, from: s, to: d}\n", "what stands before `csv.write@1` gives no body and no rows");
  told(
      "destinations: {d: {uses: csv.writ@1}}\nsources: {s: {uses: sql.query@1, connection: c, with: {statement: select "
      "1}}}\n",
      "  - {stream: s, from: s, to: d}\n", "did you mean `csv.write@1`?");
  told(
      "destinations: {d: {uses: csv.write@1, id: x}}\nsources: {s: {uses: sql.query@1, connection: c, with: "
      "{statement: select 1}}}\n",
      "  - {stream: s, from: s, to: d}\n", "`id` has no meaning in a part of a stream");
  told("destinations: [a]\n", "  - {id: a, uses: log.write@1, with: {text: x}}\n",
       "`destinations` is a mapping of names to steps");
}

TEST_CASE("what is stored has no streams", "[recipe][stream]") {
  const auto refused = recipe_from_canonical(
      R"({"recipe":"r","run_on":"g","sources":{},"steps":[{"id":"a","uses":"log.write@1","with":{"text":"x"}}],"trigger":{"uses":"manual@1"}})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().front().rule == "unknown-key");
}

TEST_CASE("streams cannot make a small text large", "[recipe][stream][limits]") {
  std::string parts = "sources: {s: {uses: sql.query@1, connection: c, with: {statement: \"select '";
  parts += std::string(100'000, 'x') + "'\"}}}\ndestinations: {d: {uses: csv.write@1}}\n";
  std::string steps;
  for (int i = 0; i < 3; ++i) steps += fmt::format("  - {{stream: s{}, from: s, to: d}}\n", i);
  CHECK(problem(with(parts, steps)).find("at most 256 KiB together") != std::string::npos);
  CHECK(load_recipe(with(parts, steps.substr(0, steps.size() / 3))));  // control
}
