// Servers that lie, stall, flood and break off.
#include "tests/contract/connectors/http/world.h"

#include "tests/support/memory.h"

#include <fmt/format.h>

#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::classes_of;
using test::HttpWorld;
using test::scripted;

namespace {

constexpr std::size_t kFlat = 24u << 20;

std::size_t test_bytes() { return std::getenv("SALLYPORT_TEST_BIG") != nullptr ? 1u << 30 : 100u << 20; }

const std::string kDoubt = "the request was sent, and it is not known what became of it: ";

connectors::StepResult<Value> post(HttpWorld& world, const std::string& path) {
  return world.request(args({{"method", "POST"}, {"path", Value(path)}, {"text", "x"}}));
}

}  // namespace

TEST_CASE("answers that are not sound are told apart, and the next one is fine", "[http][hostile]") {
  HttpWorld world;
  CHECK(classes_of(world.get("garbage")) == "format");
  CHECK(classes_of(world.get("cut?n=400")) == "connection");
  CHECK(classes_of(world.get("drop")) == "connection");
  CHECK(classes_of(world.get("headers")) == "too_large");
  CHECK(classes_of(world.get("header")) == "too_large");
  CHECK(classes_of(world.get("hints")) == "too_large");
  CHECK(classes_of(world.get("bomb")) == "too_large");
  const auto longer = world.get("longer");
  REQUIRE(longer);
  CHECK(world.agent->bodies.content(longer->find("body")->as_handle()) == "first");
  const auto packed = world.get("packed");
  REQUIRE(packed);
  CHECK(world.agent->bodies.content(packed->find("body")->as_handle()).size() == 7000);
}

TEST_CASE("a server that hangs costs a step its time, and no more", "[http][hostile]") {
  HttpWorld world;
  world.agent->patience = 300ms;
  CHECK(classes_of(world.get("hang")) == "timeout");
  CHECK(classes_of(world.get("late")) == "timeout");
  world.agent->patience = 30s;
  CHECK(classes_of(world.get("echo")).empty());
}

TEST_CASE("a stop ends a request at once", "[http][cancel]") {
  HttpWorld world;
  for (const char* path : {"hang", "late"}) {
    scripted().forget_requests();
    world.agent->stop = std::stop_source();
    const std::jthread stopper([&] {
      while (scripted().requests().empty()) std::this_thread::sleep_for(5ms);
      world.agent->stop.request_stop();
    });
    world.agent->patience = 10min;
    CHECK(classes_of(world.get(path)) == "cancelled");
  }
}

TEST_CASE("a POST that got no answer is in doubt, and is not sent twice", "[http][doubt]") {
  HttpWorld world;
  CHECK(classes_of(post(world, "echo")).empty());  // leaves a connection that could be used again
  scripted().forget_requests();
  const auto dropped = post(world, "drop");
  CHECK(classes_of(dropped) == "in_doubt connection");
  CHECK(dropped.error().message.starts_with(kDoubt));
  CHECK(scripted().requests().size() == 1);
  CHECK(classes_of(post(world, "garbage")) == "in_doubt format");
  CHECK(classes_of(post(world, "cut")) == "in_doubt connection");
  CHECK(classes_of(
            world.request(args({{"method", "POST"}, {"path", "status"}, {"query", Value(args({{"code", 504}}))}}))) ==
        "in_doubt status:504 timeout");
  world.agent->patience = 300ms;
  CHECK(classes_of(post(world, "hang")) == "in_doubt timeout");
  world.agent->patience = 30s;
  world.agent->bodies.fail_writes_after = 10;
  CHECK(classes_of(post(world, "echo")) == "in_doubt disk_full");
}

TEST_CASE("a connection is used again, but for what must not be sent twice", "[http][doubt]") {
  HttpWorld world;
  CHECK(classes_of(world.get("echo")).empty());
  CHECK(classes_of(world.get("echo")).empty());
  CHECK(classes_of(world.get("drop")) == "connection");  // libcurl has tried it again on a new one
  CHECK(classes_of(world.get("echo")).empty());
  CHECK(classes_of(post(world, "drop")) == "in_doubt connection");
  std::vector<std::int64_t> from;
  for (const auto& request : scripted().requests()) from.push_back(request.find("from")->as_int());
  REQUIRE(from.size() == 6);
  CHECK(from[0] == from[1]);
  CHECK(from[1] == from[2]);
  CHECK(from[2] != from[3]);
  CHECK(from[4] != from[5]);
}

TEST_CASE("what is known to have had no effect is not in doubt", "[http][doubt]") {
  HttpWorld world;
  CHECK(classes_of(
            world.request(args({{"method", "POST"}, {"path", "status"}, {"query", Value(args({{"code", 500}}))}}))) ==
        "status:500 connection");
  CHECK(classes_of(world.request(args({{"method", "PUT"}, {"path", "drop"}, {"text", "x"}}))) == "connection");
  HttpWorld nobody("url: \"http://127.0.0.1:1\"");
  const auto refused = post(nobody, "echo");
  CHECK(classes_of(refused) == "connection");
  CHECK(refused.error().message == "the connection api: it could not be reached; the agent's log says more");
  CHECK(nobody.agent->logged().contains("connection.failed"));
}

TEST_CASE("with a key that the server knows nothing is in doubt", "[http][doubt]") {
  HttpWorld world("url: \"" + scripted().url() + "/api\", idempotency_key: true");
  const auto& action = world.action("http.request@1");
  const auto keeps = [&](ValueMap arguments) { return action.keeps_ledger("api", Value(std::move(arguments))); };
  CHECK(keeps(args({{"method", "POST"}, {"exactly_once", true}})));
  CHECK_FALSE(keeps(args({{"method", "POST"}, {"exactly_once", false}})));
  CHECK(keeps(args({{"method", "PUT"}, {"exactly_once", false}})));
  CHECK_FALSE(HttpWorld()
                  .action("http.request@1")
                  .keeps_ledger("api", Value(args({{"method", "PATCH"}, {"exactly_once", true}}))));
  const auto echoed = world.echoed(args({{"method", "POST"}, {"text", "x"}}));
  CHECK(echoed.find("headers")->find("idempotency-key")->as_string() == "key-1");
  CHECK(classes_of(post(world, "drop")) == "connection");
  CHECK(world.echoed(args({{"method", "PUT"}})).find("headers")->find("idempotency-key") == nullptr);
}

TEST_CASE("an answer is held to the policy's limit", "[http][bounds]") {
  HttpWorld world("url: \"" + scripted().url() + "\"", test::kOpenPolicy, "{bytes: 1MiB}");
  CHECK(classes_of(world.get("bytes?n=1048576")).empty());
  const auto large = world.get("bytes?n=1048577");
  CHECK(classes_of(large) == "too_large");
  CHECK(large.error().message ==
        "the server's answer has more than 1048576 bytes, the limit of the local policy (limits.bytes)");
}

TEST_CASE("a body of any size comes and goes, and memory stays flat", "[http][memory]") {
  HttpWorld world;
  world.agent->patience = 10min;
  const test::PeakMemory peak;
  const auto output = world.get(fmt::format("bytes?n={}", test_bytes()));
  REQUIRE(output);
  const auto& body = output->find("body")->as_handle();
  CHECK(body.attributes.at(Value("size")) == Value(static_cast<std::int64_t>(test_bytes())));
  const auto echoed = world.echoed(args({{"method", "POST"}, {"body", Value(body)}}));
  CHECK(echoed.find("size")->as_int() == static_cast<std::int64_t>(test_bytes()));
  CHECK(peak.grown() < kFlat);
  const test::PeakMemory control;  // positive control: holding half of it is noticed
  const std::string held(test_bytes() / 2, 'x');
  CHECK(control.grown() > kFlat);
}

TEST_CASE("what cannot be read is not sent to its end", "[http][hostile]") {
  HttpWorld world;
  class Broken final : public connectors::HandleOpener {
   public:
    std::string_view kind() const override { return "file"; }
    connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle&,
                                                                               connectors::Bodies&) override {
      class Reader final : public connectors::ByteReader {
        connectors::StepResult<std::size_t> read(std::span<std::byte> into) override {
          if (++pieces_ > 3) return connectors::step_fail("changed", "the file changed");
          return into.size();
        }
        int pieces_ = 0;
      };
      return std::make_unique<Reader>();
    }
    connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle&,
                                                                             connectors::Bodies&) override {
      return connectors::step_fail("invalid", "no rows");
    }
  };
  world.agent->bodies.add(std::make_unique<Broken>());
  const Handle broken{"file", ValueMap{{Value("size"), Value(10'000'000)}}};
  const auto put = world.request(args({{"method", "PUT"}, {"path", "echo"}, {"body", Value(broken)}}));
  CHECK(classes_of(put) == "changed");
  CHECK(put.error().message == "reading what is to be sent: the file changed");
}
