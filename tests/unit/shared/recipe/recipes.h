#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

// Recipes that several tests load.
namespace sallyport::test {

inline constexpr std::string_view kOrdersRecipe = R"(recipe: orders-to-erp
run_on: dc1                       # agent group
trigger: {uses: file.watch@1, connection: erp-share, with: {path: in, pattern: "*.csv", settle: 5s}, dedupe: "${{ trigger.file.sha256 }}"}
retention: {payload: 14d}         # of inputs and outputs
steps:
  - id: rows
    uses: csv.read@1
    with: {source: "${{ trigger.file }}", batch: 500}          # a handle, not bytes

  - id: upsert
    uses: sql.execute@1
    connection: erp-db
    foreach: ${{ steps.rows.output.batches }}
    with: {statement: "insert into orders(id,total) values (:id,:total) on conflict(id) do update set total=excluded.total", params: "${{ item }}"}
    mask: true
    retry: {max: 5, backoff: exponential, initial: 2s, on: [connection, timeout, "sqlstate:40001"]}
  - id: done
    uses: file.move@1
    connection: erp-share
    if: steps.upsert.status == 'succeeded'
    with: {from: "${{ trigger.file.path }}", to: done}
on_failure: [{id: tell, uses: log.write@1, with: {text: "Order import failed: ${{ error.message }}"}}]
)";

// Uses every key there is.
inline constexpr std::string_view kFullRecipe = R"(recipe: everything
description: Everything at once
run_on: dc1
trigger:
  uses: schedule@1
  with: {cron: "*/5 8-17 * * mon-fri", timezone: Europe/Berlin, catch_up: once}
  dedupe: ${{ trigger.scheduled_at }}
inputs:
  since: {type: text, default: "2026-01-01", description: first day}
  limit: {type: integer, required: true}
vars:
  table: orders
  nested: {list: [1, 2.5, true, null], text: "no"}
retention: {payload: 2h, logs: 1d}
concurrency: {limit: 3, key: "${{ inputs.since }}", on_conflict: skip}
timeout: 120m
priority: 7
steps:
  - id: find
    uses: sql.query@1
    connection: erp-db
    with:
      statement: select id from orders where day >= :since
      params: {since: "${{ inputs.since }}"}
      max_rows: 100
  - id: enough
    if: ${{ steps.find.output.count == 0 }}
    stop: {status: cancelled, message: "nothing since ${{ inputs.since }}"}
  - id: each
    name: Each order
    uses: sql.transaction@1
    connection: erp-db
    foreach: {over: steps.find.output.rows, concurrency: 4, max_items: 1000, on_item_failure: continue}
    with:
      statements:
        - {statement: "update orders set seen = true where id = :id", params: "${{ item }}"}
        - statement: insert into log(id, key) values (:id, :key)
          params: {id: "${{ item.id }}", key: "${{ secrets.log_key }}"}
    mask: true
    retry: {max: 2, backoff: fixed, initial: 1s, max_delay: 60s, on: [any]}
    timeout: 30s
    on_failure: continue
    on_in_doubt: skip
  - id: hold
    uses: wait.for@1
    with: {duration: 90s}
on_failure:
  - id: tell
    uses: log.write@1
    with: {text: "${{ error.step }} failed: ${{ error.class }}", level: error}
)";

// A recipe whose `steps` are this text, indented by two.
inline std::string recipe_with_steps(std::string_view steps) {
  std::string text =
      "recipe: r\nrun_on: g\ntrigger: {uses: manual@1}\n"
      "inputs: {x: {type: any}}\nvars: {v: 1}\nsteps:\n";
  return text += steps;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace sallyport::test
