#pragma once

#include "shared/execution/execution.h"
#include "tests/sim/runner/dice.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sallyport::sim {

// A fault put in on purpose: the invariants must notice it.
enum class Planted {
  none,
  done_lost_in_crash,    // the journal forgets the last end of a step when the process dies
  act_before_intent,     // an action is performed before its intent is on the disk
  act_without_lease,     // the end of the lease is not told to the state machine
  doubt_taken_as_fresh,  // after a crash, intents without an end are forgotten
  doubt_forgotten,       // a run after one that was broken off is told that nothing ran before it
  begun_without_worker,  // something is recorded as begun that no worker has taken
};

// One job on one agent from its acceptance to its end, with crashes, lost leases, failing steps, waits, clock jumps and
// cancels where the dice say so. Knows what really happened in the world, and compares.
class History {
 public:
  History(std::uint64_t seed, Planted planted);

  // The first broken invariant; empty when all hold.
  std::string run();
  const std::string& recipe_text() const { return text_; }
  std::size_t crashes() const { return crashes_; }

 private:
  struct InFlight {
    execution::RunStep step;
  };

  void start_process();
  void crash();
  void one_turn();
  bool commit(const execution::Turn& turn);
  void apply(const execution::Change& change);
  void note(const execution::report::Body& body);
  void check_begun(const execution::Turn& turn);
  void begin(const execution::Action& action);
  void deliver();
  bool meddle();
  void turn_lease();
  void pass_time(std::optional<SteadyTime> wake);
  execution::StepResult<execution::Output> roll(const execution::RunStep& step);
  execution::StepResult<std::optional<Value>> read(const execution::PullItem& pull);
  bool is_ended(const execution::StepRun& run) const;
  void broken(std::string what);
  void check_the_end();

  Dice dice_;
  Planted planted_;
  std::string text_;
  std::shared_ptr<const recipe::Recipe> recipe_;
  execution::Now now_;
  execution::StoredJob disk_;
  bool ended_on_disk_ = false;
  std::optional<execution::AddDone> last_done_;
  std::optional<execution::Execution> machine_;
  std::vector<InFlight> in_flight_;
  std::vector<execution::PullItem> pulls_;
  bool leased_ = true;
  bool meddling_ = true;
  bool no_worker_ = false;  // was asked for in the last turn, and all were busy
  bool cancelled_ = false;

  // What the world saw.
  std::map<std::string, int> begun_;           // "path#attempt"
  std::map<std::string, std::string> key_of_;  // by path
  std::set<std::string> keys_;
  std::set<std::string> broken_off_;  // paths: an intent has no end, and its process or its lease has
  std::set<std::string> shaken_;      // paths: the lease ended while they ran; what came of it is theirs to say
  std::set<std::string> told_;        // started and finished reports
  std::optional<std::string> job_end_;
  std::size_t crashes_ = 0;
  std::string violation_;
};

}  // namespace sallyport::sim
