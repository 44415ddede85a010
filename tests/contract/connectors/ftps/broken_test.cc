// FTP servers that hang, go away and come back.
#include "tests/contract/connectors/ftps/exchange.h"
#include "tests/support/interrupted_bodies.h"

using namespace sallyport;
using namespace sallyport::test;
using connectors::StepResult;

namespace {

std::string megabytes(std::size_t count) {
  std::string text;
  while (text.size() < count << 20) text += std::to_string(text.size()) + ";";
  return text;
}

StepResult<connectors::Output> run(ExchangeAgent& exchange, std::size_t action, ValueMap arguments,
                                   connectors::Bodies& bodies) {
  auto& agent = exchange.agent;
  const connectors::StepContext context{
      agent.job, "step", 1, "key", "exchange", agent.deadline(), agent.stop.get_token(), bodies};
  return exchange.actions.at(action)->run(context, Value(std::move(arguments)));
}
constexpr std::size_t kGet = 0, kPut = 1;

ValueMap put_large() { return args({{"path", "large"}, {"source", Value(Handle{"spool", {}})}}); }

}  // namespace

TEST_CASE("a download over FTP goes on where its connection broke", "[ftps][resume]") {
  if (without_server()) return;
  Exchange exchange;
  const auto text = megabytes(24);
  exchange.server.files().write("large", text);
  Interruption interruption{2u << 20, [&] { exchange.server.cut(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(exchange, kGet, args({{"path", "large"}}), bodies);
  INFO((got ? "" : got.error().message));
  REQUIRE(got);
  CHECK((bodies.received == text));
  CHECK(interruption.passed < text.size() + (1u << 20));  // not from its beginning
}

TEST_CASE("an upload over FTP goes on where its connection broke", "[ftps][resume]") {
  if (without_server()) return;
  Exchange exchange;
  Interruption interruption{12u << 20, [&] { exchange.server.cut(); }};
  InterruptedBodies bodies(interruption);
  bodies.source = megabytes(24);
  const auto put = run(exchange, kPut, put_large(), bodies);
  INFO((put ? "" : put.error().message));
  REQUIRE(put);
  CHECK((exchange.server.files().read("large") == bodies.source));
  CHECK(names_in(exchange.server.files()) == "large");
  CHECK(exchange.server.log().contains("\"APPE "));
}

TEST_CASE("a file that changed meanwhile is not pieced together over FTP", "[ftps][resume]") {
  if (without_server()) return;
  Exchange exchange;
  const auto text = megabytes(6);
  exchange.server.files().write("large", text);
  std::filesystem::last_write_time(exchange.server.files() / "large",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  Interruption interruption{2u << 20, [&] {
                              exchange.server.cut();
                              exchange.server.files().write("large", std::string(text.rbegin(), text.rend()));
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(exchange, kGet, args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "changed");
}

TEST_CASE("an FTP server that is gone for good", "[ftps][connection]") {
  if (without_server()) return;
  Exchange exchange;
  exchange.server.files().write("large", megabytes(6));
  Interruption interruption{2u << 20, [&] { exchange.server.stop(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(exchange, kGet, args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "connection");
  CHECK(got.error().message.find("127.0.0.1") == std::string::npos);
  const auto again = exchange.get("large");
  CHECK(class_of(again) == "connection");
  CHECK(again.error().message.find("127.0.0.1") == std::string::npos);
}

TEST_CASE("an FTP server that hangs ends with the deadline, or with its own silence", "[ftps][timeout]") {
  if (without_server()) return;
  Exchange exchange(serving(), ", answer_timeout: 1s");
  exchange.server.files().write("a", "1");
  REQUIRE(exchange.get("a"));
  exchange.server.pause();
  exchange.agent.patience = std::chrono::milliseconds(700);
  CHECK(class_of(exchange.get("a")) == "timeout");
  exchange.server.resume();
  exchange.agent.patience = std::chrono::seconds(30);
  REQUIRE(exchange.get("a"));
  exchange.server.pause();
  CHECK(class_of(exchange.list()) == "connection");
  exchange.server.resume();
}

TEST_CASE("a stop ends an FTP step in the middle", "[ftps][cancel]") {
  if (without_server()) return;
  Exchange exchange;
  exchange.server.files().write("large", megabytes(6));
  Interruption interruption{1u << 20, [&] {
                              exchange.server.pause();
                              exchange.agent.stop.request_stop();
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(exchange, kGet, args({{"path", "large"}}), bodies);
  exchange.server.resume();
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "cancelled");
}

TEST_CASE("a source that fails leaves nothing on the FTP server", "[ftps]") {
  if (without_server()) return;
  Exchange exchange;
  FailingBodies bodies;
  const auto put = run(exchange, kPut, put_large(), bodies);
  REQUIRE_FALSE(put);
  CHECK(put.error().error_class() == "disk_full");
  CHECK(names_in(exchange.server.files()).empty());
}
