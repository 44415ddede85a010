// sftp.* against a real OpenSSH server.
#include "shared/base/json.h"
#include "tests/contract/connectors/ssh/partner.h"
#include "tests/support/memory.h"

#include <future>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::size_t kFlat = 32u << 20;

}  // namespace

TEST_CASE("a file goes to the server and comes back", "[sftp]") {
  Partner partner;
  const auto written = partner.put("orders.csv", "a;b\n1;2\n");
  REQUIRE(written);
  CHECK(written->find("size")->as_int() == 8);
  CHECK(partner.server.files().read("orders.csv") == "a;b\n1;2\n");
  CHECK(names_in(partner.server.files()) == "orders.csv");

  const auto got = partner.run("sftp.get@1", args({{"path", "orders.csv"}, {"sha256", true}}));
  CHECK(partner.content(got) == "a;b\n1;2\n");
  CHECK(got->find("size")->as_int() == 8);
  CHECK(got->find("sha256")->as_string().size() == 64);
  CHECK(parse_stored_json(to_json(*got)) == *got);

  std::filesystem::create_directory(partner.server.files() / "done");
  const auto moved = partner.run("sftp.move@1", args({{"from", "orders.csv"}, {"to", "done"}}));
  REQUIRE(moved);
  CHECK(moved->find("path")->as_string() == "done/orders.csv");
  CHECK(partner.server.files().has("done/orders.csv"));
  const auto removed = partner.run("sftp.delete@1", args({{"path", "done/orders.csv"}}));
  REQUIRE(removed);
  CHECK(removed->find("deleted")->as_bool());
  CHECK_FALSE(partner.run("sftp.delete@1", args({{"path", "done/orders.csv"}}))->find("deleted")->as_bool());
  CHECK(class_of(partner.get("orders.csv")) == "not_found");
}

TEST_CASE("a listing is sorted, bounded, and holds what may be read", "[sftp]") {
  Partner partner({}, {}, R"(
actions: [sftp.list@1]
connections:
  partner: {files: [{directory: in, pattern: "*.csv", allow: [read]}]}
)");
  for (const char* name : {"in/b.csv", "in/a.csv", "in/c.csv", "in/.hidden.csv", "in/d.txt", "in/sub/e.csv"})
    partner.server.files().write(name, "1");
  std::filesystem::create_symlink("/etc/passwd", partner.server.files() / "in/link.csv");
  const auto list = [&](ValueMap more) {
    more.emplace(Value("path"), Value("in"));
    return partner.run("sftp.list@1", std::move(more));
  };
  const auto all = list({});
  REQUIRE(all);
  std::string paths;
  for (const auto& file : all->find("files")->as_list()) paths += file.find("path")->as_string() + " ";
  CHECK(paths == "in/a.csv in/b.csv in/c.csv ");
  CHECK(all->find("files")->as_list().front().find("size")->as_int() == 1);
  CHECK_FALSE(all->find("more")->as_bool());
  const auto two = list(args({{"limit", 2}}));
  REQUIRE(two);
  CHECK(two->find("files")->as_list().back().find("name")->as_string() == "b.csv");
  CHECK(two->find("more")->as_bool());
  CHECK(list(args({{"pattern", "c*"}}))->find("count")->as_int() == 1);
  CHECK(class_of(partner.run("sftp.list@1", args({{"path", "."}}))) == "policy");
}

TEST_CASE("an existing file is kept, or replaced at once", "[sftp]") {
  Partner partner;
  partner.server.files().write("a", "old");
  CHECK(class_of(partner.put("a", "new")) == "constraint");
  CHECK(partner.server.files().read("a") == "old");
  REQUIRE(partner.put("a", "new", "replace"));
  CHECK(partner.server.files().read("a") == "new");
  partner.server.files().write("b", "b");
  CHECK(class_of(partner.run("sftp.move@1", args({{"from", "b"}, {"to", "a"}}))) == "constraint");
  REQUIRE(partner.run("sftp.move@1", args({{"from", "b"}, {"to", "a"}, {"overwrite", true}})));
  CHECK(partner.server.files().read("a") == "b");
  CHECK(names_in(partner.server.files()) == "a");
}

TEST_CASE("a server without posix-rename can have a file replaced too", "[sftp]") {
  Partner partner({.sftp = "internal-sftp -P posix-rename"});
  partner.server.files().write("a", "old");
  REQUIRE(partner.put("a", "new", "replace"));
  CHECK(partner.server.files().read("a") == "new");
  CHECK(names_in(partner.server.files()) == "a");
}

TEST_CASE("a step that runs again finds what it has written and moved", "[sftp][crash]") {
  Partner partner;
  REQUIRE(partner.put("a", "content"));
  partner.agent.repeated = true;
  REQUIRE(partner.put("a", "content"));
  CHECK(class_of(partner.put("a", "contenu")) == "constraint");
  CHECK(class_of(partner.put("a", "content and more")) == "constraint");
  std::filesystem::rename(partner.server.files() / "a", partner.server.files() / "b");
  REQUIRE(partner.run("sftp.move@1", args({{"from", "a"}, {"to", "b"}})));
  partner.agent.repeated = false;
  CHECK(class_of(partner.run("sftp.move@1", args({{"from", "a"}, {"to", "b"}}))) == "not_found");
}

TEST_CASE("no path leaves the root, not over the server's symbolic links either", "[sftp][attack]") {
  Partner partner;
  const TempDir outside;
  outside.write("secret", "s");
  std::filesystem::create_directory_symlink(outside.path(), partner.server.files() / "link");
  std::filesystem::create_symlink(outside.path("secret"), partner.server.files() / "file");
  for (const char* path : {"../x", "/etc/passwd", "a/../../x", "link/secret"}) {
    INFO(path);
    CHECK(class_of(partner.get(path)) == "policy");
    CHECK(class_of(partner.put(path, "x", "replace")) == "policy");
    CHECK(class_of(partner.run("sftp.delete@1", args({{"path", path}}))) == "policy");
  }
  CHECK(class_of(partner.get("file")) == "invalid");
  CHECK(class_of(partner.run("sftp.delete@1", args({{"path", "file"}}))) == "invalid");
  CHECK(class_of(partner.run("sftp.list@1", args({{"path", "link"}}))) == "invalid");
  REQUIRE(partner.put("file", "mine", "replace"));  // the link goes, what it named stays
  CHECK(outside.read("secret") == "s");
}

TEST_CASE("a server may list what it likes", "[sftp][attack]") {
  const auto hostile = std::filesystem::absolute("tests/support/hostile_sftp.py").string();
  for (const char* evil : {"slash", "nul"}) {
    INFO(evil);
    Partner partner({.sftp = hostile + " " + evil});
    CHECK(class_of(partner.run("sftp.list@1", args({{"path", "."}}))) == "format");
  }
  Partner dots({.sftp = hostile + " dots"});
  CHECK(dots.run("sftp.list@1", args({{"path", "."}}))->find("count")->as_int() == 0);
  Partner endless({.sftp = hostile + " endless"});
  endless.agent.patience = std::chrono::seconds(1);
  const PeakMemory memory;
  CHECK(class_of(endless.run("sftp.list@1", args({{"path", "."}, {"limit", 10}}))) == "timeout");
  CHECK(memory.grown() < kFlat);
}

TEST_CASE("what the policy does not allow does not reach the server", "[sftp][policy]") {
  Partner partner({}, {},
                  "actions: [sftp.get@1, sftp.put@1]\nconnections:\n  partner: {files: [{directory: in, "
                  "pattern: \"*.csv\", allow: [read]}], limits: {bytes: 4}}\n");
  partner.server.files().write("in/a.csv", "12345");
  partner.server.files().write("in/b.csv", "1234");
  CHECK(class_of(partner.get("out/a.csv")) == "policy");
  CHECK(class_of(partner.get("in/a.txt")) == "policy");
  CHECK(class_of(partner.put("in/a.csv", "x")) == "policy");
  CHECK(class_of(partner.run("sftp.delete@1", args({{"path", "in/a.csv"}}))) == "policy");
  CHECK(partner.server.log().find("Connection from") == std::string::npos);
  CHECK(class_of(partner.get("in/a.csv")) == "too_large");
  CHECK(partner.content(partner.get("in/b.csv")) == "1234");
}

TEST_CASE("steps share the sessions of a connection", "[sftp][pool]") {
  Partner partner({}, ", pool: 2");
  partner.server.files().write("a", std::string(300'000, 'a'));
  std::vector<std::future<bool>> steps;
  for (int i = 0; i < 4; ++i)
    steps.push_back(std::async(std::launch::async, [&] {
      connectors::StepContext context{partner.agent.job,   "step", 1, "key", "partner", partner.agent.deadline(), {},
                                      partner.agent.bodies};
      return partner.actions.front()->run(context, Value(args({{"path", "missing"}}))).error().error_class() ==
             "not_found";
    }));
  for (auto& step : steps) CHECK(step.get());
  REQUIRE(partner.get("a"));
  const auto log = partner.server.log();
  std::size_t connected = 0;
  for (std::size_t at = 0; (at = log.find("Accepted publickey", at)) != std::string::npos; ++at) ++connected;
  CHECK(connected >= 1);
  CHECK(connected <= 2);
}

TEST_CASE("large files stream in flat memory", "[sftp][memory]") {
  const auto* wanted = std::getenv("SALLYPORT_SFTP_MB");
  const auto megabytes = wanted == nullptr ? 64 : std::stoul(wanted);
  Partner partner;
  {
    std::ofstream file(partner.server.files() / "large", std::ios::binary);
    std::string block(1u << 20, '\0');
    for (std::size_t i = 0; i < megabytes; ++i) {
      for (std::size_t at = 0; at < block.size(); at += 4096) block[at] = static_cast<char>(i + at);
      file << block;
    }
  }
  const PeakMemory memory;
  const auto got = partner.get("large");
  REQUIRE(got);
  REQUIRE(partner.run("sftp.put@1", args({{"path", "copy"}, {"source", *got->find("body")}})));
  CHECK(memory.grown() < kFlat);
  const PeakMemory control;  // positive control: holding half of it is noticed
  const std::string held(48'000'000, 'x');
  CHECK(control.grown() > kFlat);
  CHECK(std::system(
            ("cmp " + partner.server.files().path("large") + " " + partner.server.files().path("copy")).c_str()) == 0);
}
