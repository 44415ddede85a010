// SMB servers that hang, go away and come back.
#include "tests/contract/connectors/smb/share.h"
#include "tests/support/interrupted_bodies.h"

#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using connectors::StepResult;

namespace {

std::string megabytes(std::size_t count) {
  std::string text;
  while (text.size() < count << 20) text += std::to_string(text.size()) + ";";
  return text;
}

StepResult<connectors::Output> run(ShareAgent& share, std::string_view action, ValueMap arguments,
                                   connectors::Bodies& bodies) {
  auto& agent = share.agent;
  const connectors::StepContext context{
      agent.job, "step", 1, "key", "exchange", agent.deadline(), agent.stop.get_token(), bodies};
  return share.action(action).run(context, Value(std::move(arguments)));
}

ValueMap put_large() { return args({{"path", "large"}, {"source", Value(Handle{"spool", {}})}}); }

}  // namespace

TEST_CASE("a download from a share goes on where its connection broke", "[smb][resume]") {
  ShareFixture share;
  const auto text = megabytes(24);
  share.server.files().write("large", text);
  Interruption interruption{2u << 20, [&] { share.server.cut(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(share, "smb.get@1", args({{"path", "large"}}), bodies);
  INFO((got ? "" : got.error().message));
  REQUIRE(got);
  CHECK((bodies.received == text));
  CHECK(interruption.passed < text.size() + (1u << 20));  // not from its beginning
}

TEST_CASE("an upload to a share goes on where its connection broke", "[smb][resume]") {
  ShareFixture share;
  Interruption interruption{12u << 20, [&] { share.server.cut(); }};
  InterruptedBodies bodies(interruption);
  bodies.source = megabytes(24);
  const auto put = run(share, "smb.put@1", put_large(), bodies);
  INFO((put ? "" : put.error().message));
  REQUIRE(put);
  CHECK((share.server.files().read("large") == bodies.source));
  CHECK(names_in(share.server.files()) == "large");
}

TEST_CASE("a file of a share that changed meanwhile is not pieced together", "[smb][resume]") {
  ShareFixture share;
  const auto text = megabytes(6);
  share.server.files().write("large", text);
  std::filesystem::last_write_time(share.server.files() / "large",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  Interruption interruption{2u << 20, [&] {
                              share.server.cut();
                              share.server.files().write("large", std::string(text.rbegin(), text.rend()));
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(share, "smb.get@1", args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "changed");
}

TEST_CASE("a server of a share that is gone for good", "[smb][connection]") {
  ShareFixture share;
  share.server.files().write("large", megabytes(6));
  Interruption interruption{2u << 20, [&] { share.server.stop(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(share, "smb.get@1", args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "connection");
  CHECK(got.error().message.find("127.0.0.1") == std::string::npos);
  CHECK(class_of(share.get("large")) == "connection");
}

TEST_CASE("a session with a share that died while nobody used it is replaced", "[smb][pool]") {
  ShareFixture share;
  share.server.files().write("a", "1");
  REQUIRE(share.get("a"));
  share.server.cut();
  CHECK(share.content(share.get("a")) == "1");
}

TEST_CASE("a session whose server has gone is told by every error, and replaced", "[smb][pool]") {
  ShareFixture share({}, ", answer_timeout: 2s");
  share.server.files().write("a", "1");
  share.server.files().write("large", megabytes(6));
  SECTION("after a silence, when libsmbclient looks for the server itself") {
    REQUIRE(share.get("a"));
    std::this_thread::sleep_for(std::chrono::seconds(3));
    share.server.cut();
    CHECK(share.content(share.get("a")) == "1");
  }
  SECTION("after a silence in the middle of a step") {
    Interruption interruption{2u << 20, [&] {
                                std::this_thread::sleep_for(std::chrono::seconds(3));
                                share.server.cut();
                              }};
    InterruptedBodies bodies(interruption);
    CHECK(run(share, "smb.get@1", args({{"path", "large"}}), bodies));
  }
  SECTION("of a share that its server has closed") {
    if (!SmbServer::tells_status()) return;
    REQUIRE(share.get("a"));
    share.server.close_share();
    CHECK(share.content(share.get("a")) == "1");
    Interruption interruption{2u << 20, [&] { share.server.close_share(); }};
    InterruptedBodies bodies(interruption);
    CHECK(run(share, "smb.get@1", args({{"path", "large"}}), bodies));
  }
}

TEST_CASE("a server of a share that hangs ends with the deadline, or with its own silence", "[smb][timeout]") {
  ShareFixture share({}, ", answer_timeout: 2s");
  share.server.files().write("a", "1");
  REQUIRE(share.get("a"));
  share.server.pause();
  share.agent.patience = std::chrono::milliseconds(700);
  CHECK(class_of(share.get("a")) == "timeout");
  share.server.resume();
  share.agent.patience = std::chrono::seconds(30);
  REQUIRE(share.get("a"));
  share.server.pause();
  CHECK(class_of(share.list()) == "connection");
  share.server.resume();
}

TEST_CASE("a stop ends an SMB step in the middle", "[smb][cancel]") {
  ShareFixture share;
  share.server.files().write("large", megabytes(6));
  Interruption interruption{1u << 20, [&] {
                              share.server.pause();
                              share.agent.stop.request_stop();
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(share, "smb.get@1", args({{"path", "large"}}), bodies);
  share.server.resume();
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "cancelled");
}

TEST_CASE("a source that fails leaves nothing on the share", "[smb]") {
  ShareFixture share;
  FailingBodies bodies;
  const auto put = run(share, "smb.put@1", put_large(), bodies);
  REQUIRE_FALSE(put);
  CHECK(put.error().error_class() == "disk_full");
  CHECK(names_in(share.server.files()).empty());
}
