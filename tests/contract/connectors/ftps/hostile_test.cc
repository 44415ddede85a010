// FTP servers that speak MLSD, or do what no server should.
#include "tests/contract/connectors/ftps/exchange.h"
#include "tests/support/memory.h"
#include "tests/support/server_process.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::size_t kFlat = 32u << 20;

class Scripted {
 public:
  explicit Scripted(const std::string& mode)
      : process_({"/usr/bin/python3", std::filesystem::absolute("tests/support/hostile_ftps.py"), mode,
                  dir_.path("port"), dir_.path("log"), ExchangeFiles::get().certificate, ExchangeFiles::get().key},
                 dir_.path("output")) {
    process_.wait_until([this] { return dir_.has("port"); });
    agent.emplace(static_cast<std::uint16_t>(std::stoul(dir_.read("port"))), ", answer_timeout: 5s");
  }
  std::string commands() const { return dir_.read("log"); }

 private:
  TempDir dir_;
  RunningServer process_;

 public:
  std::optional<ExchangeAgent> agent;
};

std::string classes_of(const connectors::StepResult<Value>& result) {
  return result ? "none" : fmt::format("{}", fmt::join(result.error().classes, ","));
}

}  // namespace

TEST_CASE("an FTP server that tells facts", "[ftps][mlsd]") {
  Scripted server("mlsd");
  auto& agent = *server.agent;
  const auto listed = agent.list();
  INFO((listed ? "" : listed.error().message));
  REQUIRE(listed);
  REQUIRE(listed->find("count")->as_int() == 1);
  const auto& file = listed->find("files")->as_list().front();
  CHECK(file.find("name")->as_string() == "a.txt");
  CHECK(file.find("size")->as_int() == 3);
  CHECK(file.find("mtime")->as_string().starts_with("2026-01-02T03:04:05.5"));
  CHECK(agent.content(agent.get("a.txt")) == "abc");
  REQUIRE(agent.put("b.txt", "b"));
  CHECK(agent.content(agent.get("b.txt")) == "b");
  REQUIRE(agent.run("ftps.move@1", args({{"from", "b.txt"}, {"to", "c.txt"}})));
  CHECK(agent.run("ftps.delete@1", args({{"path", "c.txt"}}))->find("deleted")->as_bool());
  CHECK(class_of(agent.get("c.txt")) == "not_found");
  CHECK_FALSE(server.commands().contains("LIST"));
  CHECK_FALSE(server.commands().contains("MDTM"));
}

TEST_CASE("an FTP server that lists as Windows does", "[ftps]") {
  Scripted server("windows");
  const auto listed = server.agent->list();
  REQUIRE(listed);
  REQUIRE(listed->find("count")->as_int() == 1);
  CHECK(listed->find("files")->as_list().front().find("name")->as_string() == "a b.txt");
  CHECK(listed->find("files")->as_list().front().find("mtime")->as_string().starts_with("2026-01-02"));
}

TEST_CASE("an FTP server may list and say what it likes", "[ftps][attack]") {
  for (const char* mode : {"slash", "nul", "nonsense", "long_line", "flood", "no_path"}) {
    INFO(mode);
    Scripted server(mode);
    const PeakMemory memory;
    const auto listed = server.agent->list();
    INFO((listed ? "" : listed.error().message));
    CHECK(class_of(listed) == "format");
    CHECK(memory.grown() < kFlat);
  }
  Scripted endless("endless");
  endless.agent->agent.patience = std::chrono::seconds(1);
  const PeakMemory memory;
  CHECK(class_of(endless.agent->run("ftps.list@1", args({{"path", "."}, {"limit", 10}}))) == "timeout");
  CHECK(memory.grown() < kFlat);
}

TEST_CASE("nothing crosses the network without TLS, whatever the FTP server says", "[ftps][attack]") {
  for (const char* mode : {"no_tls", "inject", "clear_data"}) {
    INFO(mode);
    Scripted server(mode);
    const auto refused = class_of(server.agent->put("b.txt", "b"));
    CHECK(refused == (mode == std::string_view("inject") ? "format" : "connection"));
    const bool logged_in = server.commands().contains("PASS");
    CHECK(logged_in == (mode == std::string_view("clear_data")));  // only the data would be clear
    CHECK_FALSE(server.commands().contains("STOR"));
    INFO(server.agent->tested());
    CHECK(server.agent->tested().contains(logged_in ? "login bad" : "tls bad"));
  }
}

TEST_CASE("a change that the FTP server does not answer is in doubt", "[ftps][crash]") {
  Scripted server("lost");
  CHECK(classes_of(server.agent->run("ftps.move@1", args({{"from", "a.txt"}, {"to", "b.txt"}}))) ==
        "in_doubt,connection");
  server.agent->agent.repeated = true;
  CHECK(classes_of(server.agent->run("ftps.move@1", args({{"from", "a.txt"}, {"to", "b.txt"}}))) == "none");
  CHECK(classes_of(server.agent->run("ftps.delete@1", args({{"path", "b.txt"}}))) == "in_doubt,connection");
  CHECK(classes_of(server.agent->put("d.txt", "d")) == "in_doubt,connection");
  CHECK(classes_of(server.agent->put("d.txt", "d")) == "none");
}

TEST_CASE("an FTP server whose disk is full, or that renames over no file", "[ftps]") {
  Scripted full("full");
  CHECK(class_of(full.agent->put("b.txt", "b")) == "disk_full");
  CHECK(class_of(full.agent->get("b.txt")) == "not_found");
  Scripted careful("no_replace");
  REQUIRE(careful.agent->put("a.txt", "new", "replace"));
  CHECK(careful.agent->content(careful.agent->get("a.txt")) == "new");
}
