// smb.* against a real smbd.
#include "shared/base/json.h"
#include "tests/contract/connectors/smb/share.h"
#include "tests/support/memory.h"

#include <fmt/format.h>

#include <sys/stat.h>

#include <future>

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::size_t kFlat = 32u << 20;

}  // namespace

TEST_CASE("a file goes to the share and comes back", "[smb]") {
  const auto* const protection = GENERATE("encrypted", "signed");
  ShareFixture share({}, fmt::format(", protection: {}", protection));
  const auto written = share.put("orders.csv", "a;b\n1;2\n");
  INFO((written ? "" : written.error().message + share.agent.logged()));
  REQUIRE(written);
  CHECK(written->find("size")->as_int() == 8);
  CHECK(share.server.files().read("orders.csv") == "a;b\n1;2\n");
  CHECK(names_in(share.server.files()) == "orders.csv");

  const auto got = share.run("smb.get@1", args({{"path", "orders.csv"}, {"sha256", true}}));
  CHECK(share.content(got) == "a;b\n1;2\n");
  CHECK(got->find("size")->as_int() == 8);
  CHECK(got->find("sha256")->as_string().size() == 64);
  CHECK(got->find("mtime")->as_string().starts_with("20"));
  CHECK(parse_stored_json(to_json(*got)) == *got);

  std::filesystem::create_directory(share.server.files() / "done");
  const auto moved = share.run("smb.move@1", args({{"from", "orders.csv"}, {"to", "done"}}));
  INFO((moved ? "" : moved.error().message));
  REQUIRE(moved);
  CHECK(moved->find("path")->as_string() == "done/orders.csv");
  CHECK(share.server.files().has("done/orders.csv"));
  const auto removed = share.run("smb.delete@1", args({{"path", "done/orders.csv"}}));
  REQUIRE(removed);
  CHECK(removed->find("deleted")->as_bool());
  CHECK_FALSE(share.run("smb.delete@1", args({{"path", "done/orders.csv"}}))->find("deleted")->as_bool());
  CHECK(class_of(share.get("orders.csv")) == "not_found");
  CHECK(class_of(share.put("nowhere/a", "x")) == "not_found");
}

TEST_CASE("names are taken as they are on the share", "[smb][attack]") {
  ShareFixture share;
  std::string long_name = "x";  // no character of it ends after 200 bytes
  while (long_name.size() < 220) long_name += "ä";
  for (const char* name :
       {"a b", "per%20cent", "x;type=d", "br[a]ck", "-umläut#q!x", "at@h,21", "~$x'&", long_name.c_str()}) {
    INFO(name);
    REQUIRE(share.put(name, name));
    CHECK(share.server.files().read(name) == name);
    CHECK(share.content(share.get(name)) == name);
    CHECK(share.list()->find("files")->as_list().front().find("name")->as_string() == name);
    REQUIRE(share.run("smb.move@1", args({{"from", name}, {"to", "moved"}})));
    CHECK(share.server.files().read("moved") == name);
    CHECK(share.run("smb.delete@1", args({{"path", "moved"}}))->find("deleted")->as_bool());
  }
}

TEST_CASE("no path leaves the root, and none means another file to the server", "[smb][attack]") {
  ShareFixture share({}, ", root: in");
  share.server.files().write("secret", "s");
  share.server.files().write("in/a", "1");
  share.server.files().write("in/sub/b", "1");
  for (const char* path : {"../secret", "/etc/passwd", "a/../../secret", "..\\secret"}) {
    INFO(path);
    CHECK(class_of(share.get(path)) == "policy");
    CHECK(class_of(share.put(path, "x", "replace")) == "policy");
    CHECK(class_of(share.run("smb.delete@1", args({{"path", path}}))) == "policy");
  }
  for (const char* path :
       {"sub\\b", "sub\\..\\..\\secret", "a:stream", "a::$DATA", "a.", "a ", "sub./b", "a*", "a?", "sub/.. /x"}) {
    INFO(path);
    CHECK(class_of(share.get(path)) == "invalid");
    CHECK(class_of(share.put(path, "x", "replace")) == "invalid");
    CHECK(class_of(share.list(path)) == "invalid");
    CHECK(class_of(share.run("smb.delete@1", args({{"path", path}}))) == "invalid");
    CHECK(class_of(share.run("smb.move@1", args({{"from", "a"}, {"to", path}}))) == "invalid");
  }
  CHECK(share.server.files().read("secret") == "s");
  CHECK(share.server.files().read("in/a") == "1");
}

TEST_CASE("a Samba server follows no symbolic link out of its share", "[smb][attack]") {
  ShareFixture share;
  const TempDir outside;
  outside.write("secret", "s");
  std::filesystem::create_directory_symlink(outside.path(), share.server.files() / "link");
  std::filesystem::create_symlink(outside.path("secret"), share.server.files() / "file");
  for (const char* path : {"link/secret", "file"}) {
    INFO(path);
    CHECK(class_of(share.get(path)) != "none");
    CHECK(class_of(share.put(path, "x", "replace")) != "none");
  }
  CHECK(outside.read("secret") == "s");
}

TEST_CASE("a listing of the share is sorted, bounded, and holds what may be read", "[smb]") {
  ShareFixture share({}, {}, R"(
actions: [smb.list@1]
connections:
  exchange: {files: [{directory: in, pattern: "*.csv", allow: [read]}]}
)");
  for (const char* name : {"in/b.csv", "in/a.csv", "in/c.csv", "in/.hidden.csv", "in/d.txt", "in/sub/e.csv"})
    share.server.files().write(name, "1");
  const timespec times[2]{{1'700'000'000, 0}, {1'700'000'000, 0}};
  ::utimensat(AT_FDCWD, share.server.files().path("in/a.csv").c_str(), times, 0);
  const auto list = [&](ValueMap more) {
    more.emplace(Value("path"), Value("in"));
    return share.run("smb.list@1", std::move(more));
  };
  const auto all = list({});
  INFO((all ? "" : all.error().message));
  REQUIRE(all);
  std::string paths;
  for (const auto& file : all->find("files")->as_list()) paths += file.find("path")->as_string() + " ";
  CHECK(paths == "in/a.csv in/b.csv in/c.csv ");
  const auto& first = all->find("files")->as_list().front();
  CHECK(first.find("size")->as_int() == 1);
  CHECK(first.find("mtime")->as_string().starts_with("2023-11-14T22:13:20"));
  CHECK_FALSE(all->find("more")->as_bool());
  const auto two = list(args({{"limit", 2}}));
  REQUIRE(two);
  CHECK(two->find("files")->as_list().back().find("name")->as_string() == "b.csv");
  CHECK(two->find("more")->as_bool());
  CHECK(list(args({{"pattern", "c*"}}))->find("count")->as_int() == 1);
  CHECK(class_of(share.list()) == "policy");
  CHECK(class_of(share.list("in/sub")) == "none");
  CHECK(class_of(share.list("in/a.csv")) == "invalid");
  CHECK(class_of(share.list("in/missing")) == "not_found");
}

TEST_CASE("a file of a share with a time far from now is a file", "[smb][attack]") {
  ShareFixture share;
  share.server.files().write("a", "1");
  for (const std::int64_t seconds : {20'000'000'000, 9'300'000'000, -9'300'000'000}) {
    INFO(seconds);
    const timespec times[2]{{seconds, 999'999'999}, {seconds, 999'999'999}};
    REQUIRE(::utimensat(AT_FDCWD, share.server.files().path("a").c_str(), times, 0) == 0);
    CHECK(share.content(share.get("a")) == "1");
    const auto listed = share.list();
    REQUIRE(listed);
    CHECK(listed->find("count")->as_int() == 1);
  }
}

TEST_CASE("an existing file on the share is kept, or replaced", "[smb]") {
  ShareFixture share;
  share.server.files().write("a", "old");
  CHECK(class_of(share.put("a", "new")) == "constraint");
  CHECK(share.server.files().read("a") == "old");
  REQUIRE(share.put("a", "new", "replace"));
  CHECK(share.server.files().read("a") == "new");
  share.server.files().write("b", "b");
  CHECK(class_of(share.run("smb.move@1", args({{"from", "b"}, {"to", "a"}}))) == "constraint");
  REQUIRE(share.run("smb.move@1", args({{"from", "b"}, {"to", "a"}, {"overwrite", true}})));
  CHECK(share.server.files().read("a") == "b");
  CHECK(names_in(share.server.files()) == "a");
}

TEST_CASE("a step that runs again finds what it has put and moved on the share", "[smb][crash]") {
  ShareFixture share;
  REQUIRE(share.put("a", "content"));
  share.agent.repeated = true;
  REQUIRE(share.put("a", "content"));
  CHECK(class_of(share.put("a", "contenu")) == "constraint");
  CHECK(class_of(share.put("a", "content and more")) == "constraint");
  CHECK(class_of(share.put("a", "cont")) == "constraint");
  std::filesystem::rename(share.server.files() / "a", share.server.files() / "b");
  REQUIRE(share.run("smb.move@1", args({{"from", "a"}, {"to", "b"}})));
  share.agent.repeated = false;
  CHECK(class_of(share.run("smb.move@1", args({{"from", "a"}, {"to", "b"}}))) == "not_found");
}

TEST_CASE("what the policy does not allow does not reach the share", "[smb][policy]") {
  ShareFixture share({}, {},
                     "actions: [smb.get@1, smb.put@1]\nconnections:\n  exchange: {files: [{directory: in, "
                     "pattern: \"*.csv\", allow: [read]}], limits: {bytes: 4}}\n");
  share.server.files().write("in/a.csv", "12345");
  share.server.files().write("in/b.csv", "1234");
  CHECK(class_of(share.get("out/a.csv")) == "policy");
  CHECK(class_of(share.get("in/a.txt")) == "policy");
  CHECK(class_of(share.put("in/a.csv", "x")) == "policy");
  CHECK(class_of(share.run("smb.delete@1", args({{"path", "in/a.csv"}}))) == "policy");
  const bool tells = !without_status();
  if (tells) CHECK_FALSE(share.server.status().contains("127.0.0.1"));
  CHECK(class_of(share.get("in/a.csv")) == "too_large");
  CHECK(share.content(share.get("in/b.csv")) == "1234");
  if (tells) CHECK(share.server.status().contains("127.0.0.1"));  // positive control
}

TEST_CASE("what the server of the share does not permit", "[smb][permission]") {
  ShareFixture share({.share = "read only = yes"});
  share.server.files().write("a", "1");
  CHECK(share.content(share.get("a")) == "1");
  CHECK(class_of(share.put("b", "1")) == "permission");
  CHECK(class_of(share.run("smb.delete@1", args({{"path", "a"}}))) == "permission");
  CHECK(class_of(share.run("smb.move@1", args({{"from", "a"}, {"to", "c"}}))) == "permission");
  CHECK(names_in(share.server.files()) == "a");
}

TEST_CASE("steps share the sessions with a share", "[smb][pool]") {
  ShareFixture share({}, ", pool: 2");
  share.server.files().write("a", std::string(300'000, 'a'));
  std::vector<std::future<std::string>> steps;
  for (int i = 0; i < 4; ++i)
    steps.push_back(std::async(std::launch::async, [&] {
      connectors::StepContext context{share.agent.job,   "step", 1, "key", "exchange", share.agent.deadline(), {},
                                      share.agent.bodies};
      return share.action("smb.get@1").run(context, Value(args({{"path", "missing"}}))).error().error_class();
    }));
  for (auto& step : steps) CHECK(step.get() == "not_found");
  REQUIRE(share.get("a"));
  if (without_status()) return;
  const auto status = share.server.status();
  std::size_t sessions = 0;
  for (std::size_t at = 0; (at = status.find("SMB3_11", at)) != std::string::npos; ++at) ++sessions;
  CHECK(sessions >= 1);
  CHECK(sessions <= 2);
}

TEST_CASE("large files stream over SMB in flat memory", "[smb][memory]") {
  const auto* wanted = std::getenv("SALLYPORT_SMB_MB");
  const auto megabytes = wanted == nullptr ? 64 : std::stoul(wanted);
  ShareFixture share;
  {
    std::ofstream file(share.server.files() / "large", std::ios::binary);
    std::string block(1u << 20, '\0');
    for (std::size_t i = 0; i < megabytes; ++i) {
      for (std::size_t at = 0; at < block.size(); at += 4096) block[at] = static_cast<char>(i + at);
      file << block;
    }
  }
  const PeakMemory memory;
  const auto got = share.get("large");
  INFO((got ? "" : got.error().message));
  REQUIRE(got);
  REQUIRE(share.run("smb.put@1", args({{"path", "copy"}, {"source", *got->find("body")}})));
  CHECK(memory.grown() < kFlat);
  const PeakMemory control;  // positive control: holding half of it is noticed
  std::string held;
  held.resize(48'000'000, 'x');
  CHECK(held.ends_with('x'));
  CHECK(control.grown() > kFlat);
  CHECK(std::system(("cmp " + share.server.files().path("large") + " " + share.server.files().path("copy")).c_str()) ==
        0);
}
