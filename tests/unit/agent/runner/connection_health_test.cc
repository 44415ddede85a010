#include "agent/runner/connection_health.h"

#include "agent/runner/wire.h"
#include "proto/sallyport/v1/jobs.pb.h"
#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::runner {
using namespace test;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;
using End = connectors::StepResult<connectors::Output>;

namespace {

End done() { return connectors::Output{}; }
End failed(std::vector<std::string> classes) {
  return std::unexpected(connectors::StepError{std::move(classes), "password=hunter2", {}});
}
std::string line_of(const std::vector<ConnectionUse>& uses) {
  std::string line;
  for (const auto& use : uses)
    line += use.connection + "=" + use.error_class + "@" + std::to_string(unix_ms(use.at)) + " ";
  return line;
}

const std::string kList = "steps:\n  - {id: a, uses: file.list@1, connection: share, with: {path: x}}\n";
const std::string kOther = "steps:\n  - {id: a, uses: file.list@1, connection: other, with: {path: x}}\n";

}  // namespace

TEST_CASE("which ends tell of the connection, and which of somebody else", "[runner][health]") {
  struct Case {
    std::vector<std::string> classes;
    std::optional<std::string> verdict;
  };
  const std::vector<Case> cases = {
      {{"connection"}, "connection"},
      {{"timeout"}, "timeout"},
      {{"permission"}, "permission"},
      {{"sqlstate:28P01", "permission"}, "permission"},
      {{"in_doubt", "connection"}, "connection"},
      {{"sqlstate:23505", "constraint"}, ""},
      {{"sqlstate:40001", "transaction"}, ""},
      {{"invalid"}, std::nullopt},
      {{"sqlstate:42601", "invalid"}, std::nullopt},
      {{"policy"}, std::nullopt},
      {{"cancelled"}, std::nullopt},
      {{"not_found"}, std::nullopt},
      {{"too_large"}, std::nullopt},
      {{"changed"}, std::nullopt},
      {{"disk_full"}, std::nullopt},
      {{"exit:3", "command"}, std::nullopt},
      {{"format"}, std::nullopt},
      {{"internal"}, std::nullopt},
      {{"in_doubt"}, std::nullopt},
  };
  for (const auto& one : cases) {
    INFO(one.classes.front());
    CHECK(verdict_of(failed(one.classes)) == one.verdict);
  }
  CHECK(verdict_of(done()) == "");
}

TEST_CASE("a change is news at once, the same again after five minutes", "[runner][health]") {
  ConnectionHealth health({"erp", "share"});
  CHECK_FALSE(health.has_news());
  CHECK(health.note("erp", done(), from_unix_ms(1'000)));
  CHECK(health.note("share", failed({"connection"}), from_unix_ms(2'000)));
  CHECK(line_of(health.take_news()) == "erp=@1000 share=connection@2000 ");
  CHECK_FALSE(health.has_news());
  CHECK_FALSE(health.note("erp", done(), from_unix_ms(3'000)));
  CHECK_FALSE(health.note("share", failed({"invalid"}), from_unix_ms(4'000)));
  CHECK(line_of(health.all()) == "erp=@3000 share=connection@2000 ");
  CHECK(health.note("share", failed({"timeout"}), from_unix_ms(5'000)));
  CHECK(health.note("share", done(), from_unix_ms(6'000)));
  CHECK(line_of(health.take_news()) == "share=@6000 ");
  CHECK(health.note("erp", done(), from_unix_ms(301'000)));
  CHECK(line_of(health.take_news()) == "erp=@301000 ");
  CHECK(health.note("erp", done(), from_unix_ms(10)));  // a clock that was set back
  health.take_news();
  health.tell_all_again();
  CHECK(line_of(health.take_news()) == "erp=@10 share=@6000 ");
}

TEST_CASE("only connections of the configuration are kept", "[runner][health]") {
  ConnectionHealth health({"erp"});
  for (const std::string name : {"", "nobody", "ERP", "erp "}) CHECK_FALSE(health.note(name, done(), {}));
  CHECK(health.all().empty());
}

TEST_CASE("no message holds more than the relay takes", "[runner][health]") {
  std::set<std::string, std::less<>> names;
  for (int i = 0; i < 1'001; ++i) names.insert("c" + std::to_string(i));
  ConnectionHealth health(names);
  for (const auto& name : names) health.note(name, done(), from_unix_ms(1));
  CHECK(health.take_news().size() == 1'000);
  CHECK(health.has_news());
  CHECK(health.take_news().size() == 1);
  CHECK_FALSE(health.has_news());
}

TEST_CASE("the message holds names, classes and times, and no words of an error", "[runner][health]") {
  ConnectionHealth health({"erp", "share"});
  health.note("erp", failed({"sqlstate:28P01", "permission"}), from_unix_ms(7));
  health.note("share", done(), from_unix_ms(8));
  const auto raw = wire::encode_health(health.take_news());
  CHECK(raw.find("hunter2") == std::string::npos);
  v1::ToRelay message;
  REQUIRE(message.ParseFromString(raw));
  REQUIRE(message.health().connections_size() == 2);
  const auto& first = message.health().connections(0);
  CHECK(first.name() == "erp");
  CHECK(first.health() == "failing");
  CHECK(first.error_class() == "permission");
  CHECK(first.at_ms() == 7);
  CHECK(message.health().connections(1).health() == "healthy");
  CHECK(message.health().connections(1).error_class().empty());
}

ASYNC_TEST_CASE("the engine tells the relay what a step found, and again on a new link", "[engine][health]") {
  EngineBench bench(co_await asio::this_coro::executor);
  bench.connections = {"share"};
  bench.relay_takes_health = true;
  bench.list.does([](const auto&, const auto&) { return failed({"connection"}); });
  co_await bench.open();
  co_await bench.link_up();
  CHECK_FALSE(bench.uplink->has("health"));
  co_await bench.say(dispatch(canonical(kList)));
  co_await until([&] { return bench.uplink->has("health"); }, "the relay hears of it");
  CHECK(bench.uplink->lines_with("health") == Lines{"health share=failing:connection"});
  CHECK(bench.engine->connection_uses().size() == 1);
  co_await bench.link_up();
  co_await until([&] { return bench.uplink->has("health"); }, "the new link hears it too");
  co_await bench.close();
}

ASYNC_TEST_CASE("health comes at most once a second, the newest word", "[engine][health]") {
  EngineBench bench(co_await asio::this_coro::executor);
  bench.connections = {"share"};
  bench.relay_takes_health = true;
  std::atomic<bool> broken = true;
  bench.list.does([&](const auto&, const auto&) { return broken ? failed({"timeout"}) : done(); });
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kList)));
  co_await until([&] { return bench.uplink->has("job_finished"); }, "the first job ends");
  co_await until([&] { return bench.uplink->has("health"); }, "the relay hears of it");
  broken = false;
  co_await bench.say(dispatch(canonical(kList), {.job = kJob2}));
  co_await until([&] { return bench.uplink->lines_with("job_finished").size() == 2; }, "the second job ends");
  CHECK(bench.uplink->lines_with("health") == Lines{"health share=failing:timeout"});
  co_await until([&] { return bench.uplink->lines_with("health").size() == 2; }, "a second passes");
  CHECK(bench.uplink->lines_with("health")[1] == "health share=healthy:");
  co_await bench.close();
}

ASYNC_TEST_CASE("no health for a relay that does not know it, nor of foreign names", "[engine][health]") {
  EngineBench bench(co_await asio::this_coro::executor);
  bench.connections = {"share"};
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kList)));
  co_await bench.say(dispatch(canonical(kOther), {.job = kJob2}));
  co_await until([&] { return bench.uplink->lines_with("job_finished").size() == 2; }, "both jobs end");
  CHECK_FALSE(bench.uplink->has("health"));
  const auto uses = bench.engine->connection_uses();  // Hello can still tell
  REQUIRE(uses.size() == 1);
  CHECK(uses[0].connection == "share");
  co_await bench.close();
}

}  // namespace sallyport::runner
