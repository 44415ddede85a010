#include "relay/gateway/outgoing.h"

#include "relay/gateway/codec.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using gateway::Outgoing;

namespace {

jobs::Dispatch job_of(std::size_t bytes) {
  jobs::Dispatch job;
  job.lease = {JobId("job_1"), 1, std::chrono::seconds(60)};
  job.recipe_json = std::string(bytes, 'r');
  return job;
}

std::size_t push_jobs(Outgoing& outgoing, std::size_t bytes) {
  std::size_t taken = 0;
  while (outgoing.push(job_of(bytes))) ++taken;
  return taken;
}

}  // namespace

TEST_CASE("jobs fill a link only as far as it will soon be through", "[gateway][bounds]") {
  Outgoing outgoing;
  const std::size_t size = GENERATE(1u << 10, 64u << 10, 700u << 10);
  const auto taken = push_jobs(outgoing, size);
  CHECK(taken >= 1);
  CHECK(outgoing.bytes() < Outgoing::kJobsRoom + size + 1'000);
  CHECK(outgoing.room_for_jobs() == 0);
  CHECK(outgoing.push(job_of(1)).error().code == Errc::unavailable);
  CHECK(outgoing.push(jobs::ReportsAcked{7}));  // what is said about jobs still goes

  for (std::size_t i = 0; i <= taken; ++i) CHECK(outgoing.pop());
  CHECK_FALSE(outgoing.pop());
  CHECK(outgoing.bytes() == 0);
  const auto room = outgoing.room_for_jobs();
  CHECK(room >= 1);
  CHECK(room * size <= Outgoing::kJobsRoom + size);  // it goes by the size of the last one
}

TEST_CASE("an agent that takes nothing at all is told by the bound", "[gateway][bounds]") {
  Outgoing outgoing;
  std::size_t taken = 0;
  Result<void> pushed;
  while ((pushed = outgoing.push(jobs::ReportsAcked{taken}))) ++taken;
  CHECK(taken == Outgoing::kMaxMessages);
  CHECK(pushed.error().code == Errc::exhausted);
}

TEST_CASE("what fits in no message takes no room", "[gateway][bounds]") {
  Outgoing outgoing;
  CHECK(outgoing.push(job_of(2u << 20)).error().code == Errc::too_large);
  CHECK(outgoing.bytes() == 0);
  CHECK_FALSE(outgoing.pop());
}

TEST_CASE("messages leave in the order they came, parts together", "[gateway]") {
  Outgoing outgoing;
  auto large = job_of(100u << 10);
  for (int i = 0; i < 20; ++i) large.done.push_back({"step", 1, "succeeded", std::string(100u << 10, 'o')});
  REQUIRE(outgoing.push(jobs::ReportsAcked{1}));
  REQUIRE(outgoing.push(large));
  REQUIRE(outgoing.push(jobs::ReportsAcked{2}));
  std::vector<std::string> expected = gateway::encode(jobs::ReportsAcked{1});
  for (auto& part : gateway::encode(large)) expected.push_back(part);
  expected.push_back(gateway::encode(jobs::ReportsAcked{2}).front());
  CHECK(expected.size() > 4);
  for (const auto& part : expected) CHECK(outgoing.pop() == part);
}
