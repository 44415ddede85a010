#include "shared/async/task_group.h"
#include "tests/contract/store/world.h"
#include "tests/support/rethrow.h"

using namespace sallyport;
using namespace sallyport::test;
using store::FirstTime;
using store::IdempotentRequest;
using store::InProgress;
using store::StoredResponse;

static IdempotentRequest request(std::string key, int hash, std::int64_t at) {
  return {std::move(key), Bytes(32, static_cast<std::byte>(hash)), at_ms(at)};
}

STORE_TEST_CASE("idempotency: first, in progress, answered", "[store][idempotency]") {
  auto& keys = world.stores.idempotency_keys;
  const OrgId org = world.ours.org;
  auto first = must(co_await keys.claim(org, request("k", 1, 0)));
  CHECK(std::holds_alternative<FirstTime>(first));
  auto second = must(co_await keys.claim(org, request("k", 1, 1)));
  CHECK(std::holds_alternative<InProgress>(second));
  auto other = co_await keys.claim(org, request("k", 2, 1));
  CHECK(refusal(other) == Errc::conflict);
  must(co_await keys.complete(org, "k", {201, bytes_of("sealed body")}));
  auto third = must(co_await keys.claim(org, request("k", 1, 2)));
  REQUIRE(std::holds_alternative<StoredResponse>(third));
  CHECK(std::get<StoredResponse>(third).status == 201);
  CHECK(std::get<StoredResponse>(third).sealed_body == bytes_of("sealed body"));
  auto twice = co_await keys.complete(org, "k", {500, {}});
  CHECK(refusal(twice) == Errc::not_found);
  auto abandoned = co_await keys.abandon(org, "k");
  CHECK(refusal(abandoned) == Errc::not_found);
}

STORE_TEST_CASE("idempotency: what was left behind or is old can be claimed anew", "[store][idempotency]") {
  auto& keys = world.stores.idempotency_keys;
  const OrgId org = world.ours.org;
  constexpr std::int64_t kLeftBehind = 5 * 60'000, kDay = 24 * 3'600'000;
  must(co_await keys.claim(org, request("left", 1, 0)));
  auto early = must(co_await keys.claim(org, request("left", 1, kLeftBehind - 1)));
  CHECK(std::holds_alternative<InProgress>(early));
  auto late = must(co_await keys.claim(org, request("left", 1, kLeftBehind)));
  CHECK(std::holds_alternative<FirstTime>(late));
  must(co_await keys.complete(org, "left", {200, {}}));
  auto kept = must(co_await keys.claim(org, request("left", 1, kLeftBehind + kDay - 1)));
  CHECK(std::holds_alternative<StoredResponse>(kept));
  auto old = must(co_await keys.claim(org, request("left", 2, kLeftBehind + kDay)));
  CHECK(std::holds_alternative<FirstTime>(old));
  must(co_await keys.abandon(org, "left"));
  auto after = must(co_await keys.claim(org, request("left", 3, kDay * 2)));
  CHECK(std::holds_alternative<FirstTime>(after));
}

STORE_TEST_CASE("idempotency: expired keys are removed in portions", "[store][idempotency]") {
  auto& keys = world.stores.idempotency_keys;
  for (int i = 0; i < 5; ++i) must(co_await keys.claim(world.ours.org, request(std::to_string(i), 1, i)));
  const WallTime later = at_ms(3) + store::kIdempotencyLife;
  auto some = must(co_await keys.remove_expired(later, 3));
  CHECK(some == 3);
  auto rest = must(co_await keys.remove_expired(later, 100));
  CHECK(rest == 1);
}

static awaitable<void> claim_counted(World& world, int& firsts) {
  auto claimed = must(co_await world.stores.idempotency_keys.claim(world.ours.org, request("k", 1, 0)));
  firsts += std::holds_alternative<FirstTime>(claimed);
}

STORE_TEST_CASE("idempotency: of 100 calls at once one is the first", "[store][idempotency][concurrency]") {
  int firsts = 0;
  TaskGroup callers(co_await boost::asio::this_coro::executor, rethrow);
  for (int i = 0; i < 100; ++i) callers.spawn("claim", claim_counted(world, firsts));
  co_await callers.join();
  CHECK(firsts == 1);
}

STORE_TEST_CASE("idempotency: another organisation's key does not exist", "[store][idempotency][tenancy]") {
  auto& keys = world.stores.idempotency_keys;
  must(co_await keys.claim(world.theirs.org, request("k", 1, 0)));
  auto completed = co_await keys.complete(world.ours.org, "k", {200, {}});
  CHECK(refusal(completed) == Errc::not_found);
  auto abandoned = co_await keys.abandon(world.ours.org, "k");
  CHECK(refusal(abandoned) == Errc::not_found);
  auto own = must(co_await keys.claim(world.ours.org, request("k", 2, 0)));
  CHECK(std::holds_alternative<FirstTime>(own));
}

STORE_TEST_CASE("idempotency: a key that started a job never starts a second one", "[store][idempotency][jobs]") {
  auto& keys = world.stores.idempotency_keys;
  const OrgId org = world.ours.org;
  constexpr std::int64_t kLeftBehind = 5 * 60'000, kDay = 24 * 3'600'000;
  const auto ask = [&] {
    auto fresh = world.new_job(world.ours);
    fresh.request_key = "k";
    return fresh;
  };
  auto unclaimed = co_await world.stores.jobs.add(org, ask());
  CHECK(refusal(unclaimed) == Errc::conflict);
  must(co_await keys.claim(org, request("k", 1, 0)));
  auto first = must(co_await world.stores.jobs.add(org, ask()));
  CHECK(first.outcome == store::AddOutcome::added);
  // The relay dies here: the job is committed, the answer is not.
  auto other = co_await keys.claim(org, request("k", 2, kLeftBehind));
  CHECK(refusal(other) == Errc::conflict);
  auto retried = must(co_await keys.claim(org, request("k", 1, kLeftBehind)));
  REQUIRE(std::holds_alternative<FirstTime>(retried));
  auto second = must(co_await world.stores.jobs.add(org, ask()));
  CHECK(second.job.id == first.job.id);
  CHECK(second.outcome == store::AddOutcome::added);
  auto all = must(co_await world.stores.jobs.list(org, {}, {}));
  CHECK(all.items.size() == 1);

  // A retry that fails before it reaches the job gives the key up; it stays bound to its job.
  must(co_await keys.abandon(org, "k"));
  auto third = must(co_await keys.claim(org, request("k", 1, 2 * kLeftBehind)));
  REQUIRE(std::holds_alternative<FirstTime>(third));
  auto again = must(co_await world.stores.jobs.add(org, ask()));
  CHECK(again.job.id == first.job.id);
  must(co_await keys.complete(org, "k", {202, {}}));
  auto next_day = must(co_await keys.claim(org, request("k", 1, 2 * kLeftBehind + kDay)));
  REQUIRE(std::holds_alternative<FirstTime>(next_day));
  auto fresh = must(co_await world.stores.jobs.add(org, ask()));
  CHECK(fresh.job.id != first.job.id);
}
