// amqp.consume@1 on a real broker.
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "tests/contract/connectors/amqp/broker.h"
#include "tests/support/async_test.h"
#include "tests/support/memory.h"

#include <algorithm>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Broker;
using test::Consumed;
namespace asio = boost::asio;

namespace {

bool told(const Consumed& consumed, std::string_view word) {
  return std::ranges::any_of(consumed.troubles, [&](const auto& text) { return text.contains(word); });
}

}  // namespace

ASYNC_TEST_CASE("each message of a queue is an event with all that it came with, and acknowledged", "[amqp][consume]") {
  const auto queue = Broker::get().fresh_queue();
  Consumed consumed(co_await asio::this_coro::executor, queue);
  const auto headers =
      args({{"text", "ü"}, {"number", 9007199254740993}, {"half", 0.5}, {"yes", true}, {"$handle", "forged"}});
  REQUIRE(consumed.messenger.publish(args({{"routing_key", queue},
                                           {"json", Value(args({{"id", 1}}))},
                                           {"headers", Value(headers)},
                                           {"correlation_id", "c"},
                                           {"reply_to", "r"},
                                           {"message_id", "m"}})));
  Broker::get().rabbit->put(queue, "\xff");
  consumed.start();
  co_await consumed.until([&] { return consumed.events.size() == 2; });
  CHECK(to_json(consumed.events[0].data) ==
        R"({"base64":null,"body":"{\"id\":1}","content_type":"application/json","correlation_id":"c","exchange":"",)"
        R"("headers":{"half":0.5,"number":9007199254740993,"text":"ü","yes":true},"json":{"id":1},"message_id":"m",)"
        R"("redelivered":false,"reply_to":"r","routing_key":")" +
            queue + "\"}");
  CHECK(to_json(*consumed.events[1].data.find("base64")) == R"("/w==")");
  CHECK(consumed.events[1].data.find("body")->is_null());
  CHECK(consumed.events[0].comes_once);
  co_await consumed.stop();
  CHECK(Broker::get().rabbit->get(queue).empty());
  CHECK(std::ranges::all_of(consumed.troubles, [](const auto& text) { return text.empty(); }));
}

ASYNC_TEST_CASE("a message whose job was not kept comes again, and is known by its id", "[amqp][consume]") {
  const auto queue = Broker::get().fresh_queue();
  const auto executor = co_await asio::this_coro::executor;
  Consumed first(executor, queue);
  for (const char* text : {"one", "two"}) {
    first.messenger.agent->idempotency_key = text;
    REQUIRE(first.messenger.publish(args({{"routing_key", queue}, {"text", text}})));
  }
  first.failure = "disk_full";
  first.start();
  co_await first.until([&] { return told(first, "no room"); });
  co_await first.stop();  // before it was taken
  CHECK(first.events.empty());

  Consumed second(executor, queue);
  second.start();
  co_await second.until([&] { return second.events.size() == 2; });
  CHECK(second.bodies() == "one two ");
  CHECK(second.events[0].data.find("redelivered")->as_bool());
  const auto known = second.events[0].natural_key;
  CHECK(known != second.events[1].natural_key);
  // The same message with the same id, as by a sender that repeats a step in doubt.
  second.messenger.agent->idempotency_key = "one";
  REQUIRE(second.messenger.publish(args({{"routing_key", queue}, {"text", "one"}})));
  REQUIRE(second.messenger.publish(args({{"routing_key", queue}, {"text", "other words"}})));
  co_await second.until([&] { return second.events.size() == 4; });
  CHECK(second.events[2].natural_key == known);
  CHECK(second.events[3].natural_key != known);
  co_await second.stop();
}

ASYNC_TEST_CASE("without room no more than the prefetch is taken from the queue", "[amqp][consume]") {
  const auto queue = Broker::get().fresh_queue();
  Consumed consumed(co_await asio::this_coro::executor, queue);
  for (int i = 0; i < 5; ++i) Broker::get().rabbit->put(queue, std::to_string(i));
  consumed.failure = "disk_full";
  consumed.start(args({{"prefetch", 2}}));
  co_await consumed.until([&] { return consumed.offered == 2; });  // the same one again
  CHECK(Broker::get().rabbit->get(queue) == "2");                  // 0 and 1 are with the agent
  consumed.failure.clear();
  co_await consumed.until([&] { return consumed.events.size() == 4; });
  CHECK(consumed.bodies() == "0 1 3 4 ");
  CHECK(consumed.troubles.back().empty());
  co_await consumed.stop();
}

ASYNC_TEST_CASE("a message that can start no job is held or given up, once in a session", "[amqp][consume][poison]") {
  const auto executor = co_await asio::this_coro::executor;
  auto& rabbit = *Broker::get().rabbit;
  const auto queue = Broker::get().fresh_queue();
  {
    Consumed consumed(executor, queue);
    rabbit.put(queue, std::string(250'000, 'x'));  // too large
    rabbit.put(queue, "good");
    consumed.start(args({{"prefetch", 2}}));
    co_await consumed.until([&] { return consumed.events.size() == 1; });
    CHECK(told(consumed, "1 of the messages could start no job and stay with the broker"));
    consumed.failure = "invalid";  // as a recipe's `dedupe` that fails
    rabbit.put(queue, "bad");
    co_await consumed.until([&] { return consumed.offered == 2; });
    rabbit.put(queue, "waits");
    co_await sleep_for(300ms);
    CHECK(consumed.offered == 2);  // both places are held: no endless loop
    co_await consumed.stop();
  }
  CHECK(rabbit.get(queue).size() == 250'000);
  CHECK(rabbit.get(queue) == "bad");

  Consumed consumed(executor, "test-bad");
  consumed.failure = "invalid";
  rabbit.put("test-bad", "bad");
  consumed.start(args({{"unusable", "reject"}}));
  co_await consumed.until([&] { return consumed.offered == 1; });
  co_await consumed.until([&] { return told(consumed, "were given up"); });
  co_await sleep_for(300ms);
  CHECK(rabbit.get("dead") == "bad");
  CHECK(consumed.offered == 1);
  co_await consumed.stop();
}

ASYNC_TEST_CASE("a large message takes no memory", "[amqp][consume][memory]") {
  const auto queue = Broker::get().fresh_queue();
  Consumed consumed(co_await asio::this_coro::executor, queue);
  Broker::get().rabbit->put(queue, "small");
  Broker::get().rabbit->put(queue, std::string(30u << 20, 'x'));
  Broker::get().rabbit->put(queue, "after");
  consumed.start();
  co_await consumed.until([&] { return !consumed.events.empty(); });
  const test::PeakMemory peak;
  co_await consumed.until([&] { return consumed.events.size() == 2; });
  CHECK(peak.grown() < (8u << 20));
  CHECK(consumed.bodies() == "small after ");
  co_await consumed.stop();
}

ASYNC_TEST_CASE("the policy names the queues; what passes is waited out", "[amqp][consume][policy]") {
  const auto executor = co_await asio::this_coro::executor;
  Consumed secret(executor, "secret");
  secret.start();
  co_await secret.until([&] { return secret.ended.has_value(); });
  co_await secret.stop();
  CHECK(secret.ended->error().error_class() == "policy");
  CHECK(secret.ended->error().rule == "policy.yaml:6 connections.mq.amqp.consume");
  for (const char* queue : {"gone", "test-forbidden"}) {
    Consumed consumed(executor, queue);
    consumed.start();
    co_await consumed.until([&] { return told(consumed, "consuming from mq"); });
    CHECK_FALSE(consumed.ended);
    CHECK(consumed.messenger.agent->logged().contains(queue == std::string("gone") ? "404" : "403"));
    co_await consumed.stop();
  }
}

ASYNC_TEST_CASE("a consumer that is cut off comes back", "[amqp][consume]") {
  const auto queue = Broker::get().fresh_queue();
  auto& rabbit = *Broker::get().rabbit;
  Consumed consumed(co_await asio::this_coro::executor, queue);
  rabbit.put(queue, "one");
  consumed.start();
  co_await consumed.until([&] { return consumed.events.size() == 1; });
  rabbit.remove(queue);
  co_await consumed.until([&] { return told(consumed, "consuming from mq: it is not there"); });
  rabbit.declare(queue);
  rabbit.put(queue, "two");
  co_await consumed.until([&] { return consumed.bodies() == "one two "; });
  CHECK(consumed.troubles.back().empty());
  co_await consumed.stop();
}

ASYNC_TEST_CASE("a trigger that waits for messages, or for a broker, ends with its recipe", "[amqp][consume]") {
  const auto executor = co_await asio::this_coro::executor;
  const bool silent = GENERATE(true, false);
  Consumed consumed(executor, Broker::get().fresh_queue());
  if (silent) Broker::get().rabbit->pause();
  consumed.start();
  co_await sleep_for(200ms);
  const auto begun = std::chrono::steady_clock::now();
  co_await consumed.stop();
  if (silent) Broker::get().rabbit->resume();
  CHECK(std::chrono::steady_clock::now() - begun < 5s);  // it would have had 10 s, or a minute
}
