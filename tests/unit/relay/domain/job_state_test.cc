#include "relay/domain/job_state.h"

#include <catch2/catch.hpp>

#include <string>

using namespace sallyport;
using namespace sallyport::domain;

TEST_CASE("names of states read back", "[domain][jobs]") {
  for (JobState state : kJobStates) CHECK(parse_job_state(to_string(state)) == state);
  for (const char* name : {"running", "succeeded", "failed", "skipped", "in_doubt", "cancelled"}) {
    auto status = parse_step_status(name);
    REQUIRE(status);
    CHECK(to_string(*status) == name);
  }
  CHECK(parse_job_state("done").error().code == Errc::invalid);
  CHECK(parse_step_status("done").error().code == Errc::invalid);
}

// One row per state, one column per state in the order of kJobStates: x = may follow.
TEST_CASE("which state may follow which", "[domain][jobs]") {
  const std::string table[] = {
      ".x..xxx.x",  // queued
      "x.xxxxxxx",  // dispatched
      "x..xxxxxx",  // running
      ".........",  // succeeded
      ".........",  // failed
      ".........",  // cancelled
      ".........",  // timed_out
      ".........",  // in_doubt
      ".........",  // dead
  };
  for (std::size_t from = 0; from < kJobStates.size(); ++from) {
    for (std::size_t to = 0; to < kJobStates.size(); ++to) {
      INFO(to_string(kJobStates[from]) << " -> " << to_string(kJobStates[to]));
      CHECK(can_move(kJobStates[from], kJobStates[to]) == (table[from][to] == 'x'));
    }
  }
}

TEST_CASE("a state is queued, active or final", "[domain][jobs]") {
  for (JobState state : kJobStates) {
    INFO(to_string(state));
    CHECK(int(state == JobState::queued) + int(is_active(state)) + int(is_final(state)) == 1);
  }
}
