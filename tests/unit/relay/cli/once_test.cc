#include "tests/unit/relay/cli/scripted_relay.h"

#include <catch2/catch.hpp>

// What must not happen twice, over a connection that breaks.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

const std::string kJob = "job_01J0000000000000000000000A";

http::Reply job_reply() { return text_reply(202, R"({"id":"job_01J0000000000000000000000A","state":"queued"})"); }

}  // namespace

TEST_CASE("a start is sent again under the same key, and once only", "[cli][once]") {
  const std::string path = GENERATE(as<std::string>(), "/v1/jobs", "/v1/jobs/" + kJob + "/rerun");
  const std::vector<std::string> words = path == "/v1/jobs"
                                             ? std::vector<std::string>{"jobs", "start", "orders"}
                                             : std::vector{std::string("jobs"), std::string("rerun"), kJob};
  ScriptedRelay relay([](const ScriptedRelay::Asked&, std::size_t turn) {
    return turn == 0 ? text_reply(503, R"({"title":"Unavailable"})") : job_reply();
  });
  const auto ran = run_cli(words, relay.surroundings());
  CHECK(ran.code == kDone);
  CHECK(ran.out == kJob + "\n");
  const auto asked = relay.asked(path);
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].idempotency_key.size() == 32);
  CHECK(asked[0].idempotency_key == asked[1].idempotency_key);
  CHECK(run_cli(words, relay.surroundings()).code == kDone);
  CHECK(relay.asked(path).back().idempotency_key != asked[0].idempotency_key);
}

TEST_CASE("a relay that stays away is asked twice, one that refuses once", "[cli][once]") {
  const auto [status, times] = GENERATE(std::pair{503, 2u}, std::pair{409, 1u});
  ScriptedRelay relay(
      [&](const ScriptedRelay::Asked&, std::size_t) { return text_reply(status, R"({"title":"No"})"); });
  CHECK(run_cli({"jobs", "start", "orders"}, relay.surroundings()).code != kDone);
  CHECK(relay.asked("/v1/jobs").size() == times);
}
