// A file of a share that another one replaces: libsmbclient removes it first, so whatever happens in between counts.
#include "tests/contract/connectors/smb/share.h"
#include "tests/support/interrupted_bodies.h"
#include "tests/support/smb_gate.h"

using namespace sallyport;
using namespace sallyport::test;

namespace {

struct GatedShare {
  explicit GatedShare(const SmbServer::Options& options = {}, const std::string& settings = {})
      : server(options), gate(server.port()), share(gate.port(), settings) {}

  // Does `what` again and again, and breaks off after one message more each time, until all of them have passed.
  template <class What, class Check>
  int break_off_everywhere(const What& what, const Check& check) {
    for (int messages = 1;; ++messages) {
      for (const auto& entry : std::filesystem::directory_iterator(server.files().path())) remove_all(entry.path());
      server.files().write("a", "old");
      server.files().write("b", "new");
      share.agent.repeated = false;
      REQUIRE(share.list());  // a session is open
      gate.cut_after(messages);
      const auto done = what();
      if (!gate.has_cut()) {
        REQUIRE(done);
        return messages - 1;
      }
      INFO("broken off after message " << messages << ": " << (done ? "done" : done.error().message));
      check(done);
    }
  }
  std::string content(const std::string& name) const {
    return server.files().has(name) ? server.files().read(name) : "";
  }
  std::string partial() const {
    for (const auto& entry : std::filesystem::directory_iterator(server.files().path()))
      if (entry.path().filename().string().starts_with(".a.partial-")) return content(entry.path().filename());
    return {};
  }

  SmbServer server;
  SmbGate gate;
  ShareAgent share;
};

}  // namespace

TEST_CASE("wherever a put that replaces breaks off, the share has the old file or the new one", "[smb][replace]") {
  GatedShare gated;
  const auto put = [&] { return gated.share.put("a", "new", "replace"); };
  int in_between = 0;
  const int messages = gated.break_off_everywhere(put, [&](const auto& done) {
    const auto a = gated.content("a");
    const bool is_kept = a == "old" || a == "new" || gated.partial() == "new";
    CHECK(is_kept);
    if (done) return;
    if (a.empty()) {
      ++in_between;
      CHECK(done.error().classes == std::vector<std::string>{"in_doubt", "connection"});
    }
    gated.share.agent.repeated = true;
    CHECK(put());
    CHECK(names_in(gated.server.files()) == "a b");
    CHECK(gated.content("a") == "new");
  });
  CHECK(messages > 10);
  CHECK(in_between > 0);  // positive control
}

TEST_CASE("wherever a move that replaces breaks off, what moves is there", "[smb][replace]") {
  GatedShare gated;
  const auto move = [&] {
    return gated.share.run("smb.move@1", args({{"from", "b"}, {"to", "a"}, {"overwrite", true}}));
  };
  int in_between = 0;
  gated.break_off_everywhere(move, [&](const auto& done) {
    const bool is_there = gated.content("a") == "new" || gated.content("b") == "new";
    CHECK(is_there);
    if (done) return;
    if (gated.content("a").empty()) {
      ++in_between;
      CHECK(done.error().classes == std::vector<std::string>{"in_doubt", "connection"});
    }
    gated.share.agent.repeated = true;
    CHECK(move());
    CHECK(gated.content("a") == "new");
  });
  CHECK(in_between > 0);  // positive control
}

TEST_CASE("a file of a share that another client has open is not replaced", "[smb][replace]") {
  ShareFixture share;
  const std::string old(6u << 20, 'o');
  share.server.files().write("a", old);
  ShareAgent other(share.server.port(), {});
  std::string told;
  Interruption interruption{1u << 20, [&] { told = class_of(share.put("a", "new", "replace")); }};
  InterruptedBodies bodies(interruption);
  auto& agent = other.agent;
  const connectors::StepContext context{
      agent.job, "step", 1, "key", "exchange", agent.deadline(), agent.stop.get_token(), bodies};
  REQUIRE(other.action("smb.get@1").run(context, Value(args({{"path", "a"}}))));
  CHECK(told == "changed");
  CHECK((share.server.files().read("a") == old));
  CHECK(names_in(share.server.files()) == "a");
}

TEST_CASE("a directory of a share is not replaced by a file", "[smb][replace]") {
  ShareFixture share;
  std::filesystem::create_directory(share.server.files() / "a");
  share.server.files().write("b", "new");
  CHECK(class_of(share.put("a", "new", "replace")) == "invalid");
  const auto moved = share.run("smb.move@1", args({{"from", "b"}, {"to", "a"}, {"overwrite", true}}));
  REQUIRE(moved);  // into it
  CHECK(names_in(share.server.files()) == "a");
  CHECK(share.server.files().read("a/b") == "new");
}

TEST_CASE("wherever a delete breaks off, what it says of the file is true", "[smb][dfs]") {
  GatedShare gated({.share = GENERATE("", "msdfs root = yes")});
  const auto remove = [&] { return gated.share.run("smb.delete@1", args({{"path", "a"}})); };
  int failed = 0;
  gated.break_off_everywhere(remove, [&](const auto& done) {
    if (done) {
      CHECK(done->find("deleted")->as_bool());
      CHECK_FALSE(gated.server.files().has("a"));
      return;
    }
    ++failed;
    CHECK((done.error().classes.back() == "connection"));
    gated.share.agent.repeated = true;
    CHECK(remove());
    CHECK(names_in(gated.server.files()) == "b");
  });
  CHECK(failed > 1);
}
