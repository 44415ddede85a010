// A helper program that dies, hangs or answers nonsense: the agent is none the worse for it.
#include "tests/contract/connectors/smb/share.h"
#include "tests/support/server_process.h"

#include <unistd.h>

#include <chrono>

using namespace sallyport;
using namespace sallyport::test;

namespace {

struct HostileHelper {
  explicit HostileHelper(const std::string& how) {
    dir.write("how", how);
    std::filesystem::copy_file("tests/support/hostile_smb.py", dir.path("sallyport-smb"));
  }
  TempDir dir;
};

struct HostileShare : HostileHelper, ShareAgent {
  explicit HostileShare(const std::string& how, const std::string& settings = {})
      : HostileHelper(how), ShareAgent(1, settings, kSharePolicy, dir.path("sallyport-smb")) {}
};

}  // namespace

TEST_CASE("a scripted helper that behaves is believed", "[smb][hostile]") {  // positive control
  HostileShare share("well");
  CHECK(share.content(share.get("a.txt")) == "content");
  REQUIRE(share.list());
  CHECK(share.run("smb.delete@1", args({{"path", "a.txt"}}))->find("deleted")->as_bool());
}

TEST_CASE("a helper that answers what cannot be understood costs its session, no more", "[smb][hostile]") {
  const auto how = GENERATE(as<std::string>(), "unasked", "garbage", "empty", "torn", "strange", "more than asked");
  INFO(how);
  HostileShare share(how);
  const auto got = share.get("a.txt");
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "connection");
  share.dir.write("how", "well");
  CHECK(share.content(share.get("a.txt")) == "content");
}

TEST_CASE("a helper that dies or hangs ends the step, and nothing of it is left", "[smb][hostile]") {
  HostileShare share(GENERATE(as<std::string>(), "dies", "hangs", "hangs at once"),
                     ", answer_timeout: 1s, connect_timeout: 1s");
  CHECK(class_of(share.get("a.txt")) == "connection");
  share.agent.patience = std::chrono::milliseconds(300);
  share.dir.write("how", "hangs");
  CHECK(class_of(share.get("a.txt")) == "timeout");
  share.servers.reset();
  share.actions.clear();
  CHECK(descendants_of(::getpid()).empty());
}

TEST_CASE("a login and a long listing are many answers of the server, not one", "[smb][hostile]") {
  HostileShare share("takes its time", ", answer_timeout: 2s");
  CHECK(class_of(share.list()) == "none");
}

TEST_CASE("more than the file has is a file that changed", "[smb][hostile]") {
  HostileShare share("more than there is");
  CHECK(class_of(share.get("a.txt")) == "changed");
}

TEST_CASE("a change that the helper does not answer is in doubt", "[smb][hostile]") {
  HostileShare share("dies in a change");
  const auto removed = share.run("smb.delete@1", args({{"path", "a.txt"}}));
  REQUIRE_FALSE(removed);
  CHECK(removed.error().classes == std::vector<std::string>{"in_doubt", "connection"});
  const auto moved = share.run("smb.move@1", args({{"from", "a.txt"}, {"to", "b.txt"}, {"overwrite", true}}));
  REQUIRE_FALSE(moved);
  CHECK(moved.error().error_class() == "in_doubt");
}

TEST_CASE("a target that went while it was to be replaced is in doubt, and the new file is kept", "[smb][hostile]") {
  HostileShare share("loses the target");
  const auto put = share.run("smb.put@1", args({{"path", "a.txt"}, {"content", "content"}, {"if_exists", "replace"}}));
  REQUIRE_FALSE(put);
  CHECK(put.error().classes == std::vector<std::string>{"in_doubt", "connection"});
  CHECK_FALSE(share.dir.has("removed"));
}

TEST_CASE("names that a share lists are judged", "[smb][hostile]") {
  const auto how = GENERATE(as<std::string>(), "lists a path", "lists no name", "lists nul");
  HostileShare share(how);
  INFO(how);
  CHECK(class_of(share.list()) == "format");
}

TEST_CASE("names that no path may have are counted, not given", "[smb][hostile]") {
  HostileShare share(GENERATE(as<std::string>(), "lists a stream", "lists a backslash"));
  const auto listed = share.list();
  REQUIRE(listed);
  CHECK(listed->find("count")->as_int() == 0);
  CHECK(listed->find("skipped")->as_int() == 1);
}

TEST_CASE("a listing without end ends with the deadline", "[smb][hostile]") {
  HostileShare share("lists without end");
  share.agent.patience = std::chrono::seconds(1);
  CHECK(class_of(share.list()) == "timeout");
}
