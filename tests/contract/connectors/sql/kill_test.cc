// kill -9 anywhere in a changing step, then the same step again: its effect is there exactly once.
#include "agent/connectors/json/ndjson_rows.h"
#include "agent/connectors/sql/sql_actions.h"
#include "agent/platform/fd.h"
#include "tests/contract/connectors/sql/databases.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <random>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

constexpr int kSteps = 40;
constexpr int kRowsPerStep = 20;
constexpr int kKills = 12;

// Every step of a job: a transaction of some rows each, with its own key. Tells `first_done` of the first.
bool run_all(test::SqlWorld& world, Action& action, bool exactly_once, int first_done = -1) {
  for (int step = 0; step < kSteps; ++step) {
    world.agent->idempotency_key = "job/step[" + std::to_string(step) + "]";
    ValueList sets;
    for (int i = 0; i < kRowsPerStep; ++i) sets.push_back(Value(args({{"note", "step " + std::to_string(step)}})));
    const auto output = world.agent->run(action,
                                         args({{"statement", "insert into items (order_id, note) values (null, :note)"},
                                               {"params", Value(std::move(sets))},
                                               {"exactly_once", exactly_once}}),
                                         "db");
    if (!output) return false;
    if (step == 0 && first_done >= 0) (void)!::write(first_done, "1", 1);
  }
  return true;
}

// The same rows by one step, in many transactions.
bool run_batch(test::SqlWorld& world, Action& action, bool exactly_once, int first_done = -1) {
  world.agent->idempotency_key = "job/batch";
  ValueList rows(kSteps * kRowsPerStep, Value(args({{"note", "row"}})));
  if (first_done >= 0) (void)!::write(first_done, "1", 1);
  return world.agent
      ->run(action,
            args({{"statement", "insert into items (order_id, note) values (null, :note)"},
                  {"rows", Value(std::move(rows))},
                  {"commit_every", kRowsPerStep},
                  {"exactly_once", exactly_once}}),
            "db")
      .has_value();
}

struct Job {
  std::size_t action;  // of sql::make_actions
  bool (*run)(test::SqlWorld&, Action&, bool, int);
};
constexpr Job kTransactions{1, run_all}, kBatch{3, run_batch};

// Runs the job in processes that are killed at random moments, then once to its end. Gives the number of rows.
int rows_after_kills(test::SqlWorld& world, const Job& job, bool exactly_once) {
  std::mt19937 random(42);
  for (int kill = 0; kill < kKills; ++kill) {
    std::array<int, 2> first_done{};
    REQUIRE(::pipe2(first_done.data(), O_CLOEXEC) == 0);
    const platform::Fd hears(first_done[0]);
    platform::Fd tells(first_done[1]);
    const auto child = ::fork();
    if (child == 0) {
      const auto actions = sql::make_actions(world.agent->site());
      (void)job.run(world, *actions.at(job.action), exactly_once, tells.get());
      ::_exit(0);
    }
    tells.reset();
    char one = 0;
    if (kill % 2 == 0) REQUIRE(::read(hears.get(), &one, 1) == 1);  // however slow the machine is
    std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution(5, 150)(random)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  const auto actions = sql::make_actions(world.agent->site());
  REQUIRE(job.run(world, *actions.at(job.action), exactly_once, -1));
  return std::stoi(world.sql("select count(*) from items"));
}

}  // namespace

TEST_CASE("a step killed anywhere and run again has its effect once", "[sql][ledger][kill]") {
  auto world = test::SqlWorld::every();
  CHECK(rows_after_kills(world, kTransactions, true) == kSteps * kRowsPerStep);
  CHECK(world.sql("select count(*) from sallyport_effects") == std::to_string(kSteps));
}

TEST_CASE("a batch killed anywhere and run again writes each row once", "[sql][batch][ledger][kill]") {
  auto world = test::SqlWorld::any();
  CHECK(rows_after_kills(world, kBatch, true) == kSteps * kRowsPerStep);
  CHECK(world.sql("select count(*) from sallyport_effects") == std::to_string(kSteps));
}

TEST_CASE("positive control: without the ledger the same kills repeat effects", "[sql][ledger][kill]") {
  auto world = test::SqlWorld::any();
  CHECK(rows_after_kills(world, kTransactions, false) > kSteps * kRowsPerStep);
}
