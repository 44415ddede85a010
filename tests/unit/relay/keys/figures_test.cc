#include "relay/keys/custodian.h"
#include "relay/keys/measured_provider.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

// As /metrics says it; "none": it does not.
std::string figure(const Metrics& metrics, const std::string& series) {
  const auto text = metrics.prometheus();
  const auto at = text.find("\n" + series + " ");
  if (at == std::string::npos) return "none";
  const auto value = at + series.size() + 2;
  return text.substr(value, text.find('\n', value) - value);
}

std::string calls(std::string_view key, std::string_view operation, std::string_view outcome) {
  return fmt::format("sallyport_key_calls_total{{key=\"{}\",operation=\"{}\",outcome=\"{}\"}}", key, operation,
                     outcome);
}

}  // namespace

ASYNC_TEST_CASE("figures tell how far the shredder is behind, what it destroyed, and when all was done last",
                "[keys][shred][metrics]") {
  KeysWorld world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle("ours"), theirs = co_await world.settle("theirs");
  const domain::JobRetention retention{.payload = 1h, .logs = 1h};
  co_await world.start(ours, retention);  // still runs, so that its key has to move
  const auto ended = co_await world.start(theirs, retention);
  co_await world.finish(ended);
  CHECK(figure(world.metrics, "sallyport_shredder_lag_seconds") == "0");
  CHECK(figure(world.metrics, "sallyport_shredder_last_whole_pass_seconds") == "0");

  world.clock.pass(2h + 90s);  // due for 90 s
  world.provider.broken = Errc::unavailable;
  world.ring.hierarchy.sweep();
  CHECK(!co_await world.shredder.pass(world.true_time()));
  CHECK(figure(world.metrics, "sallyport_shredder_lag_seconds") == "90");
  CHECK(figure(world.metrics, "sallyport_shredder_failures_total") == "1");
  CHECK(figure(world.metrics, "sallyport_shredder_last_whole_pass_seconds") == "0");
  CHECK(figure(world.metrics, "sallyport_shredded_keys_total") == "2");  // of who has ended, payload and logs

  world.provider.broken.reset();
  world.clock.pass(kFailureLife);
  co_await world.shred();
  CHECK(figure(world.metrics, "sallyport_shredder_lag_seconds") == "0");
  CHECK(figure(world.metrics, "sallyport_shredder_failures_total") == "1");
  CHECK(figure(world.metrics, "sallyport_shredded_keys_total") == "4");
  const auto now = std::chrono::floor<std::chrono::seconds>(world.clock.wall()).time_since_epoch().count();
  CHECK(figure(world.metrics, "sallyport_shredder_last_whole_pass_seconds") == std::to_string(now));
}

ASYNC_TEST_CASE("figures count calls for the master key by what came of them, and how long they took",
                "[keys][metrics]") {
  KeysWorld world(co_await asio::this_coro::executor);
  Metrics metrics;
  ProviderFigures figures(metrics, WhoseKey::master);
  MeasuredProvider measured({&world.provider, [](Provider*) {}}, figures, world.clock);
  const auto wrapped = must(co_await measured.wrap("global/1", KeyRing::fixed_key()));
  must(co_await measured.unwrap("global/1", wrapped));
  CHECK(figure(metrics, "sallyport_master_key_unavailable") == "0");
  for (const auto code : {Errc::forbidden, Errc::not_found, Errc::invalid, Errc::unavailable, Errc::timed_out}) {
    world.provider.broken = code;
    CHECK(!co_await measured.unwrap("global/1", wrapped));
    CHECK(figure(metrics, "sallyport_master_key_unavailable") == "1");
  }
  world.provider.broken = Errc::cancelled;  // by who asked: says nothing of the provider
  CHECK(!co_await measured.unwrap("global/1", wrapped));
  CHECK(figure(metrics, calls("master", "wrap", "ok")) == "1");
  CHECK(figure(metrics, calls("master", "unwrap", "ok")) == "1");
  CHECK(figure(metrics, calls("master", "unwrap", "refused")) == "3");
  CHECK(figure(metrics, calls("master", "unwrap", "unavailable")) == "2");
  CHECK(figure(metrics, "sallyport_key_call_seconds_count{key=\"master\"}") == "7");
  world.provider.broken.reset();
  must(co_await measured.unwrap("global/1", wrapped));
  CHECK(figure(metrics, "sallyport_master_key_unavailable") == "0");
  CHECK(measured.describe() == "planted");
}

ASYNC_TEST_CASE("figures tell of organisations' own keys without naming an organisation", "[keys][own][metrics]") {
  KeysWorld world(co_await asio::this_coro::executor);
  TestPlaces places;
  OwnKeys own(co_await asio::this_coro::executor,
              {world.ring.store->keys(), world.ring.hierarchy, places, world.clock, world.log, world.metrics});
  const auto ours = co_await world.settle("ours"), theirs = co_await world.settle("theirs");
  for (const auto& [org, name] : {std::pair(ours, "one"), std::pair(theirs, "two")})
    must(co_await own.attach(org, {"file", {{Value("name"), Value(name)}}, {}}));
  CHECK(figure(world.metrics, "sallyport_organisation_keys_attached") == "2");
  CHECK(figure(world.metrics, calls("own", "wrap", "ok")) == "2");
  CHECK(figure(world.metrics, "sallyport_master_key_unavailable") == "none");  // one of many says nothing of all
  places.kept.at("one").broken = Errc::forbidden;
  world.clock.pass(kKeyLife);
  co_await own.look();
  CHECK(figure(world.metrics, calls("own", "unwrap", "refused")) == "1");
  CHECK(figure(world.metrics, "sallyport_organisation_keys_refused") == "1");
  own.leave(ours);
  CHECK(figure(world.metrics, "sallyport_organisation_keys_refused") == "0");
  must(co_await own.detach(theirs));
  CHECK(figure(world.metrics, "sallyport_organisation_keys_attached") == "0");
  CHECK(world.metrics.prometheus().find("org_") == std::string::npos);
}

ASYNC_TEST_CASE("figures count what the cache of keys held, had and lacked", "[keys][metrics]") {
  KeysWorld world(co_await asio::this_coro::executor);
  Metrics metrics;
  Hierarchy keys(co_await asio::this_coro::executor, {.store = world.ring.store->keys(),
                                                      .provider = world.provider,
                                                      .anchor = world.ring.anchor,
                                                      .memory = *world.ring.memory,
                                                      .clock = world.clock,
                                                      .metrics = &metrics});
  for (int i = 0; i < 3; ++i) must(co_await keys.global());
  CHECK(figure(metrics, "sallyport_key_cache_keys") == "1");
  CHECK(figure(metrics, "sallyport_key_cache_misses_total") == "1");
  CHECK(figure(metrics, "sallyport_key_cache_hits_total") == "2");
  world.clock.pass(kKeyLife);
  keys.sweep();
  CHECK(figure(metrics, "sallyport_key_cache_keys") == "0");
  must(co_await keys.global());
  world.clock.pass(kKeyLife);
  must(co_await keys.global());  // held too long: had to be unwrapped
  CHECK(figure(metrics, "sallyport_key_cache_misses_total") == "3");
}

ASYNC_TEST_CASE("figures count what waits for the newest global key", "[keys][rotate][metrics]") {
  KeysWorld world(co_await asio::this_coro::executor);
  TestPlaces places;
  OwnKeys own(co_await asio::this_coro::executor,
              {world.ring.store->keys(), world.ring.hierarchy, places, world.clock, world.log, world.metrics});
  Custodian custodian(co_await asio::this_coro::executor,
                      {world.ring.store->keys(), world.provider, world.ring.hierarchy, own,
                       [&] { return std::optional(world.clock.wall()); }, world.log, world.metrics});
  const auto org = co_await world.settle("ours");
  must(co_await own.attach(org, {"file", {{Value("name"), Value("one")}}, {}}));
  places.kept.at("one").broken = Errc::forbidden;
  world.clock.pass(kKeyLife);
  co_await own.look();
  must(co_await custodian.rotate_deployment());
  must(co_await custodian.look());
  CHECK(figure(world.metrics, "sallyport_organisation_keys_waiting") == "1");
  places.kept.at("one").broken.reset();
  world.clock.pass(kRefusedAgain);
  co_await own.look();
  must(co_await custodian.look());
  CHECK(figure(world.metrics, "sallyport_organisation_keys_waiting") == "0");
}
