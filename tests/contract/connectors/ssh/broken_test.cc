// Servers that hang, go away and come back.
#include "tests/contract/connectors/ssh/partner.h"
#include "tests/support/interrupted_bodies.h"

#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using connectors::StepResult;

namespace {

std::string some_megabytes() {
  std::string text;
  while (text.size() < 6u << 20) text += std::to_string(text.size()) + ";";
  return text;
}

StepResult<connectors::Output> run(Partner& partner, std::size_t action, ValueMap arguments,
                                   connectors::Bodies& bodies) {
  const connectors::StepContext context{
      partner.agent.job, "step", 1, "key", "partner", partner.agent.deadline(), partner.agent.stop.get_token(), bodies};
  return partner.actions.at(action)->run(context, Value(std::move(arguments)));
}
constexpr std::size_t kGet = 0, kPut = 1;

ValueMap put_large() { return args({{"path", "large"}, {"source", Value(Handle{"spool", {}})}}); }

}  // namespace

TEST_CASE("a download goes on where its connection broke", "[sftp][resume]") {
  Partner partner;
  const auto text = some_megabytes();
  partner.server.files().write("large", text);
  Interruption interruption{2u << 20, [&] { partner.server.cut(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  INFO((got ? "" : got.error().message));
  REQUIRE(got);
  CHECK(bodies.received == text);
}

TEST_CASE("an upload goes on where its connection broke", "[sftp][resume]") {
  Partner partner;
  Interruption interruption{3u << 20, [&] { partner.server.cut(); }};
  InterruptedBodies bodies(interruption);
  bodies.source = some_megabytes();
  const auto put = run(partner, kPut, put_large(), bodies);
  INFO((put ? "" : put.error().message));
  REQUIRE(put);
  CHECK(partner.server.files().read("large") == bodies.source);
  CHECK(names_in(partner.server.files()) == "large");
}

TEST_CASE("a file that changed meanwhile is not pieced together", "[sftp][resume]") {
  Partner partner;
  const auto text = some_megabytes();
  partner.server.files().write("large", text);
  std::filesystem::last_write_time(partner.server.files() / "large",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  Interruption interruption{2u << 20, [&] {
                              partner.server.cut();
                              partner.server.files().write("large", std::string(text.rbegin(), text.rend()));
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "changed");
}

TEST_CASE("a server that is gone for good", "[sftp][connection]") {
  Partner partner;
  partner.server.files().write("large", some_megabytes());
  Interruption interruption{2u << 20, [&] { partner.server.stop(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "connection");
  CHECK(got.error().message.find("127.0.0.1") == std::string::npos);
  CHECK(class_of(partner.get("large")) == "connection");
}

TEST_CASE("a server that hangs ends with the deadline, or with its own silence", "[sftp][timeout]") {
  Partner partner({}, ", keep_alive: 1s");
  partner.server.files().write("a", "1");
  REQUIRE(partner.get("a"));
  partner.server.pause();
  partner.agent.patience = std::chrono::milliseconds(700);
  CHECK(class_of(partner.get("a")) == "timeout");
  partner.server.resume();
  partner.agent.patience = std::chrono::seconds(30);
  REQUIRE(partner.get("a"));
  partner.server.pause();
  CHECK(class_of(partner.run("sftp.list@1", args({{"path", "."}}))) == "connection");
  partner.server.resume();
}

TEST_CASE("a stop ends a step in the middle", "[sftp][cancel]") {
  Partner partner;
  partner.server.files().write("large", some_megabytes());
  Interruption interruption{1u << 20, [&] {
                              partner.server.pause();
                              partner.agent.stop.request_stop();
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  partner.server.resume();
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "cancelled");
}

TEST_CASE("a source that fails leaves nothing on the server", "[sftp]") {
  Partner partner;
  FailingBodies bodies;
  const auto put = run(partner, kPut, put_large(), bodies);
  REQUIRE_FALSE(put);
  CHECK(put.error().error_class() == "disk_full");
  CHECK(names_in(partner.server.files()).empty());
}
