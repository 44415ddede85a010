// ftps.* against a real vsftpd.
#include "shared/base/json.h"
#include "tests/contract/connectors/ftps/exchange.h"
#include "tests/support/memory.h"

#include <fmt/format.h>

#include <sys/stat.h>

#include <future>

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::size_t kFlat = 32u << 20;

}  // namespace

TEST_CASE("a file goes to the FTP server and comes back", "[ftps]") {
  if (without_server()) return;
  const auto implicit = GENERATE(false, true);
  Exchange exchange(serving(implicit), implicit ? ", security: implicit" : "");
  const auto written = exchange.put("orders.csv", "a;b\n1;2\n");
  INFO((written ? "" : written.error().message + exchange.agent.logged() + exchange.server.log()));
  REQUIRE(written);
  CHECK(written->find("size")->as_int() == 8);
  CHECK(exchange.server.files().read("orders.csv") == "a;b\n1;2\n");
  CHECK(names_in(exchange.server.files()) == "orders.csv");

  const auto got = exchange.run("ftps.get@1", args({{"path", "orders.csv"}, {"sha256", true}}));
  CHECK(exchange.content(got) == "a;b\n1;2\n");
  CHECK(got->find("size")->as_int() == 8);
  CHECK(got->find("sha256")->as_string().size() == 64);
  CHECK(got->find("mtime")->as_string().starts_with("20"));
  CHECK(parse_stored_json(to_json(*got)) == *got);

  std::filesystem::create_directory(exchange.server.files() / "done");
  ::chmod(exchange.server.files().path("done").c_str(), 0777);
  const auto moved = exchange.run("ftps.move@1", args({{"from", "orders.csv"}, {"to", "done"}}));
  REQUIRE(moved);
  CHECK(moved->find("path")->as_string() == "done/orders.csv");
  CHECK(exchange.server.files().has("done/orders.csv"));
  const auto removed = exchange.run("ftps.delete@1", args({{"path", "done/orders.csv"}}));
  REQUIRE(removed);
  CHECK(removed->find("deleted")->as_bool());
  CHECK_FALSE(exchange.run("ftps.delete@1", args({{"path", "done/orders.csv"}}))->find("deleted")->as_bool());
  CHECK(class_of(exchange.get("orders.csv")) == "not_found");
  CHECK(class_of(exchange.put("nowhere/a", "x")) == "not_found");
}

TEST_CASE("names are taken as they are, with either version of TLS", "[ftps][attack]") {
  if (without_server()) return;
  const auto* const version = GENERATE("1.2", "1.3");
  Exchange exchange(serving(), fmt::format(", tls_version: \"{}\"", version));
  for (const char* name : {"a b", "per%20cent", "x;type=d", "br[a]ck*", "-\"d\\", "umläut#q?x", "at@h:21"}) {
    INFO(name);
    REQUIRE(exchange.put(name, name));
    CHECK(exchange.server.files().read(name) == name);
    CHECK(exchange.content(exchange.get(name)) == name);
    CHECK(exchange.list()->find("files")->as_list().front().find("name")->as_string() == name);
    REQUIRE(exchange.run("ftps.move@1", args({{"from", name}, {"to", "moved"}})));
    CHECK(exchange.server.files().read("moved") == name);
    CHECK(exchange.run("ftps.delete@1", args({{"path", "moved"}}))->find("deleted")->as_bool());
  }
  CHECK(class_of(exchange.get("a\r\nDELE b")) == "invalid");
}

TEST_CASE("a listing of the FTP server is sorted, bounded, and holds what may be read", "[ftps]") {
  if (without_server()) return;
  Exchange exchange(serving(), {}, R"(
actions: [ftps.list@1]
connections:
  exchange: {files: [{directory: in, pattern: "*.csv", allow: [read]}]}
)");
  for (const char* name : {"in/b.csv", "in/a.csv", "in/c.csv", "in/.hidden.csv", "in/d.txt", "in/sub/e.csv"})
    exchange.server.files().write(name, "1");
  std::filesystem::create_symlink("/etc/passwd", exchange.server.files() / "in/link.csv");
  const timespec times[2]{{1'700'000'000, 0}, {1'700'000'000, 0}};
  ::utimensat(AT_FDCWD, exchange.server.files().path("in/a.csv").c_str(), times, 0);
  const auto list = [&](ValueMap more) {
    more.emplace(Value("path"), Value("in"));
    return exchange.run("ftps.list@1", std::move(more));
  };
  const auto all = list({});
  INFO((all ? "" : all.error().message + exchange.server.log()));
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
  CHECK(class_of(exchange.list()) == "policy");
  CHECK(class_of(exchange.list("in/sub")) == "none");
}

TEST_CASE("an existing file on the FTP server is kept, or replaced", "[ftps]") {
  if (without_server()) return;
  Exchange exchange;
  exchange.server.files().write("a", "old");
  CHECK(class_of(exchange.put("a", "new")) == "constraint");
  CHECK(exchange.server.files().read("a") == "old");
  REQUIRE(exchange.put("a", "new", "replace"));
  CHECK(exchange.server.files().read("a") == "new");
  exchange.server.files().write("b", "b");
  CHECK(class_of(exchange.run("ftps.move@1", args({{"from", "b"}, {"to", "a"}}))) == "constraint");
  REQUIRE(exchange.run("ftps.move@1", args({{"from", "b"}, {"to", "a"}, {"overwrite", true}})));
  CHECK(exchange.server.files().read("a") == "b");
  CHECK(names_in(exchange.server.files()) == "a");
}

TEST_CASE("a step that runs again finds what it has put and moved", "[ftps][crash]") {
  if (without_server()) return;
  Exchange exchange;
  REQUIRE(exchange.put("a", "content"));
  exchange.agent.repeated = true;
  REQUIRE(exchange.put("a", "content"));
  CHECK(class_of(exchange.put("a", "contenu")) == "constraint");
  CHECK(class_of(exchange.put("a", "content and more")) == "constraint");
  CHECK(class_of(exchange.put("a", "cont")) == "constraint");
  std::filesystem::rename(exchange.server.files() / "a", exchange.server.files() / "b");
  REQUIRE(exchange.run("ftps.move@1", args({{"from", "a"}, {"to", "b"}})));
  exchange.agent.repeated = false;
  CHECK(class_of(exchange.run("ftps.move@1", args({{"from", "a"}, {"to", "b"}}))) == "not_found");
}

TEST_CASE("no path leaves the root, not over the FTP server's symbolic links either", "[ftps][attack]") {
  if (without_server()) return;
  Exchange exchange;
  const TempDir outside;
  outside.write("secret", "s");
  ::chmod(outside.path().c_str(), 0777);
  std::filesystem::create_directory_symlink(outside.path(), exchange.server.files() / "link");
  std::filesystem::create_symlink(outside.path("secret"), exchange.server.files() / "file");
  for (const char* path : {"../x", "/etc/passwd", "a/../../x", "link/secret"}) {
    INFO(path);
    CHECK(class_of(exchange.get(path)) == "policy");
    CHECK(class_of(exchange.put(path, "x", "replace")) == "policy");
    CHECK(class_of(exchange.run("ftps.delete@1", args({{"path", path}}))) == "policy");
  }
  CHECK(class_of(exchange.get("file")) == "invalid");
  CHECK(class_of(exchange.run("ftps.delete@1", args({{"path", "file"}}))) == "invalid");
  CHECK(class_of(exchange.list("link")) == "invalid");
  CHECK(class_of(exchange.list("file")) == "invalid");
  CHECK(class_of(exchange.list("missing")) == "not_found");
  CHECK(outside.read("secret") == "s");
}

TEST_CASE("what the policy does not allow does not reach the FTP server", "[ftps][policy]") {
  if (without_server()) return;
  Exchange exchange(serving(), {},
                    "actions: [ftps.get@1, ftps.put@1]\nconnections:\n  exchange: {files: [{directory: in, "
                    "pattern: \"*.csv\", allow: [read]}], limits: {bytes: 4}}\n");
  exchange.server.files().write("in/a.csv", "12345");
  exchange.server.files().write("in/b.csv", "1234");
  CHECK(class_of(exchange.get("out/a.csv")) == "policy");
  CHECK(class_of(exchange.get("in/a.txt")) == "policy");
  CHECK(class_of(exchange.put("in/a.csv", "x")) == "policy");
  CHECK(class_of(exchange.run("ftps.delete@1", args({{"path", "in/a.csv"}}))) == "policy");
  CHECK(exchange.server.log().find("FTP command") == std::string::npos);
  CHECK(class_of(exchange.get("in/a.csv")) == "too_large");
  CHECK(exchange.content(exchange.get("in/b.csv")) == "1234");
}

TEST_CASE("what the FTP server does not permit", "[ftps][permission]") {
  if (without_server()) return;
  Exchange exchange;
  exchange.server.files().write("closed", "1");
  ::chmod(exchange.server.files().path("closed").c_str(), 0600);
  exchange.server.files().write("fixed/a", "1");  // the directory is root's
  CHECK(class_of(exchange.get("closed")) == "permission");
  CHECK(class_of(exchange.put("fixed/b", "1")) == "permission");
  CHECK(class_of(exchange.run("ftps.delete@1", args({{"path", "fixed/a"}}))) == "permission");
  CHECK(class_of(exchange.run("ftps.move@1", args({{"from", "fixed/a"}, {"to", "fixed/c"}}))) == "permission");
  CHECK(class_of(exchange.get("fixed")) == "invalid");
}

TEST_CASE("steps share the FTP sessions of a connection", "[ftps][pool]") {
  if (without_server()) return;
  Exchange exchange(serving(), ", pool: 2");
  exchange.server.files().write("a", std::string(300'000, 'a'));
  std::vector<std::future<bool>> steps;
  for (int i = 0; i < 4; ++i)
    steps.push_back(std::async(std::launch::async, [&] {
      connectors::StepContext context{exchange.agent.job,   "step", 1, "key", "exchange", exchange.agent.deadline(), {},
                                      exchange.agent.bodies};
      return exchange.actions.front()->run(context, Value(args({{"path", "missing"}}))).error().error_class() ==
             "not_found";
    }));
  for (auto& step : steps) CHECK(step.get());
  REQUIRE(exchange.get("a"));
  const auto log = exchange.server.log();
  std::size_t logins = 0;
  for (std::size_t at = 0; (at = log.find("OK LOGIN", at)) != std::string::npos; ++at) ++logins;
  CHECK(logins >= 1);
  CHECK(logins <= 2);
}

TEST_CASE("large files stream over FTP in flat memory", "[ftps][memory]") {
  if (without_server()) return;
  const auto* wanted = std::getenv("SALLYPORT_FTPS_MB");
  const auto megabytes = wanted == nullptr ? 64 : std::stoul(wanted);
  Exchange exchange;
  {
    std::ofstream file(exchange.server.files() / "large", std::ios::binary);
    std::string block(1u << 20, '\0');
    for (std::size_t i = 0; i < megabytes; ++i) {
      for (std::size_t at = 0; at < block.size(); at += 4096) block[at] = static_cast<char>(i + at);
      file << block;
    }
  }
  const PeakMemory memory;
  const auto got = exchange.get("large");
  REQUIRE(got);
  REQUIRE(exchange.run("ftps.put@1", args({{"path", "copy"}, {"source", *got->find("body")}})));
  CHECK(memory.grown() < kFlat);
  const PeakMemory control;  // positive control: holding half of it is noticed
  const std::string held(48'000'000, 'x');
  CHECK(control.grown() > kFlat);
  CHECK(std::system(
            ("cmp " + exchange.server.files().path("large") + " " + exchange.server.files().path("copy")).c_str()) ==
        0);
}
