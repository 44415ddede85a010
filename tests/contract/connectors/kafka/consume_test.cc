// kafka.consume@1 on librdkafka's own cluster.
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/kafka/cluster.h"
#include "tests/support/async_test.h"

#include <algorithm>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Cluster;
using test::Consumed;
namespace asio = boost::asio;

// The cluster makes a new group wait for 3 s, and whoever comes after a member has left for 45 s: one consumer a test.

ASYNC_TEST_CASE("each record is an event, and the group goes on behind what was taken, also after the cluster was gone",
                "[kafka][consume]") {
  Cluster cluster;
  cluster.topic("orders");
  cluster.put("orders", R"({"id":1})", "-k key -H h=v");
  cluster.put("orders", "\xff");
  Consumed consumed(co_await asio::this_coro::executor, cluster.address());
  consumed.start();
  co_await consumed.until([&] { return consumed.events.size() == 2; });
  auto data = consumed.events[0].data.as_map();
  CHECK(data.at("timestamp").as_int() > 1'000'000'000'000);
  data.erase("timestamp");
  CHECK(to_json(Value(data)) ==
        R"({"base64":null,"body":"{\"id\":1}","headers":{"h":"v"},"json":{"id":1},"key":"key","offset":0,)"
        R"("partition":0,"topic":"orders"})");
  CHECK(to_json(*consumed.events[1].data.find("base64")) == R"("/w==")");
  CHECK(consumed.events[0].comes_once);
  CHECK(consumed.events[0].natural_key.starts_with("kafka:events:orders:0:0:1"));
  cluster.down();
  co_await sleep_for(300ms);
  cluster.up();
  consumed.failure = [](const auto&) { return "disk_full"; };
  cluster.put("orders", "three");
  cluster.put("orders", "four");
  co_await consumed.until([&] { return consumed.told("no room"); });
  CHECK(consumed.offered == 3);
  co_await consumed.until([&] { return consumed.offered == 4; });  // the same one
  co_await consumed.stop();
  CHECK(consumed.events.size() == 2);
  CHECK(cluster.committed() == 2);  // the others come to the next consumer
}

ASYNC_TEST_CASE("a record that can start no job stops its partition, or is skipped when the recipe says so",
                "[kafka][consume][poison]") {
  const auto executor = co_await asio::this_coro::executor;
  const auto bad = [](const auto& event) { return event.data.find("body")->as_string() == "bad" ? "invalid" : ""; };
  Cluster cluster, other;
  cluster.topic("orders", 2);
  cluster.put("orders", "good", "-p 0");
  cluster.put("orders", "bad", "-p 0");
  cluster.put("orders", "after", "-p 0");
  cluster.put("orders", "other", "-p 1");
  Consumed held(executor, cluster.address());
  held.failure = bad;
  held.start();
  other.topic("orders");
  other.put("orders", "bad");
  other.put("orders", std::string(250'000, 'x'));  // too large
  other.put("orders", "after");
  Consumed skipped(executor, other.address());
  skipped.failure = bad;
  skipped.start(args({{"unusable", "skip"}}));

  co_await held.until([&] { return held.events.size() == 2 && held.told("stay with the broker"); });
  co_await skipped.until([&] { return skipped.bodies() == "after "; });
  co_await sleep_for(500ms);
  CHECK(held.offered == 3);  // no endless loop
  CHECK(held.bodies().contains("other"));
  CHECK(skipped.offered == 2);
  CHECK(skipped.told("were given up"));
  co_await held.stop();
  co_await skipped.stop();
  CHECK(cluster.committed(0) == 1);
  CHECK(cluster.committed(1) == 1);
  CHECK(other.committed() == 3);
}

ASYNC_TEST_CASE("the policy names topics and groups", "[kafka][consume][policy]") {
  const auto executor = co_await asio::this_coro::executor;
  for (const auto& more : {args({{"topic", "secret"}}), args({{"group", "others"}})}) {
    Consumed consumed(executor, "127.0.0.1:1");
    consumed.start(more);
    co_await consumed.until([&] { return consumed.ended.has_value(); });
    co_await consumed.stop();
    CHECK(consumed.ended->error().error_class() == "policy");
  }
}

ASYNC_TEST_CASE("a trigger that waits for records, or for a cluster, ends with its recipe", "[kafka][consume]") {
  Cluster cluster;
  cluster.topic("orders");
  if (GENERATE(true, false)) cluster.down();
  Consumed consumed(co_await asio::this_coro::executor, cluster.address());
  consumed.start();
  co_await sleep_for(300ms);
  const auto begun = std::chrono::steady_clock::now();
  co_await consumed.stop();
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}
