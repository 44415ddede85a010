#include "relay/jobs/volatile_payloads.h"

#include "tests/support/async_test.h"

#include <optional>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;

namespace {

JobKey key(std::string org, int job) { return {OrgId(std::move(org)), JobId("job_" + std::to_string(job))}; }

Secret data(std::size_t size, char what = 'x') { return Secret::take(std::string(size, what)); }

}  // namespace

TEST_CASE("what a job's trigger said is here from its start to its end", "[jobs][zero-retention]") {
  VolatilePayloads payloads;
  auto place = payloads.hold(key("a", 1), data(3, 'd')).value();
  REQUIRE(payloads.find(key("a", 1)) != nullptr);
  CHECK(payloads.find(key("a", 1))->reveal() == "ddd");
  CHECK(payloads.find(key("b", 1)) == nullptr);  // ids are an organisation's own
  CHECK(payloads.find(key("a", 2)) == nullptr);
  place.keep();
  place = {};
  CHECK(payloads.find(key("a", 1)) != nullptr);
  payloads.forget(key("b", 1));
  CHECK(payloads.find(key("a", 1)) != nullptr);
  for (int again = 0; again < 2; ++again) {
    payloads.forget(key("a", 1));
    CHECK(payloads.find(key("a", 1)) == nullptr);
    CHECK(payloads.held().jobs == 0);
    CHECK(payloads.held().bytes == 0);
  }
}

TEST_CASE("the place of a start that failed is free again", "[jobs][zero-retention]") {
  VolatilePayloads payloads;
  {
    auto place = payloads.hold(key("a", 1), data(10)).value();
    auto moved = std::move(place);
    CHECK(payloads.held(OrgId("a")).jobs == 1);
  }
  CHECK(payloads.held().jobs == 0);
  auto ended = payloads.hold(key("a", 2), data(10)).value();
  payloads.forget(key("a", 2));  // before its start could say that it succeeded
  ended.keep();
  CHECK(payloads.held().bytes == 0);
}

TEST_CASE("a job is held once", "[jobs][zero-retention]") {
  VolatilePayloads payloads;
  auto place = payloads.hold(key("a", 1), data(10, 'd')).value();
  const auto held = payloads.held().bytes;
  CHECK(payloads.hold(key("a", 1), data(20)).error().code == Errc::internal);
  CHECK(payloads.held().bytes == held);
  CHECK(payloads.find(key("a", 1))->size() == 10);
}

TEST_CASE("what does not fit is refused, and whose share is full is said", "[jobs][zero-retention][limits]") {
  constexpr std::size_t kEntry = 512;
  struct Case {
    std::string what;
    VolatilePayloads::Limits limits;
    std::string org;  // of the third job, after two of "a"
    std::optional<std::string> fragment;
  };
  const VolatilePayloads::Share wide{100, 1u << 20};
  const std::vector<Case> cases = {
      {"there is room", {wide, wide}, "a", std::nullopt},
      {"exactly as many jobs as may be", {{3, 1u << 20}, {3, 1u << 20}}, "a", std::nullopt},
      {"exactly as many bytes as may be", {{9, 3 * (kEntry + 100)}, wide}, "a", std::nullopt},
      {"the organisation has its jobs", {wide, {2, 1u << 20}}, "a", "your organisation's share of it is full (2 jobs"},
      {"another one has not", {wide, {2, 1u << 20}}, "b", std::nullopt},
      {"the organisation has its bytes", {wide, {9, 3 * (kEntry + 100) - 1}}, "a", "your organisation's share"},
      {"all have all jobs", {{2, 1u << 20}, wide}, "b", "what this relay has for it is full;"},
      {"all have all bytes", {{9, 3 * (kEntry + 100) - 1}, wide}, "b", "what this relay has for it is full;"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    VolatilePayloads payloads(one.limits);
    for (int i = 0; i < 2; ++i) payloads.hold(key("a", i), data(100)).value().keep();
    const auto before = payloads.held();
    auto third = payloads.hold(key(one.org, 3), data(100));
    REQUIRE(third.has_value() == !one.fragment);
    if (third) continue;
    CHECK(third.error().code == Errc::exhausted);
    CHECK(third.error().message.find(*one.fragment) != std::string::npos);
    CHECK(third.error().message.find("retention: {payload: none}") != std::string::npos);
    CHECK(payloads.held().jobs == before.jobs);
    CHECK(payloads.held().bytes == before.bytes);
    payloads.forget(key("a", 0));  // one ends, and there is room again
    CHECK(payloads.hold(key(one.org, 3), data(100)).has_value());
  }
}

TEST_CASE("an organisation that is erased leaves nothing in memory, and others all of theirs", "[jobs][erasure]") {
  VolatilePayloads payloads;
  for (const char* org : {"a", "b", "c"}) {
    for (int job = 0; job < 3; ++job) payloads.hold(key(org, job), data(10)).value().keep();
  }
  payloads.forget_all(OrgId("b"));
  payloads.forget_all(OrgId("nobody"));
  CHECK(payloads.held(OrgId("b")).bytes == 0);
  CHECK(payloads.find(key("b", 1)) == nullptr);
  for (const char* org : {"a", "c"}) CHECK(payloads.held(OrgId(org)).jobs == 3);
  CHECK(payloads.held().jobs == 6);
}
