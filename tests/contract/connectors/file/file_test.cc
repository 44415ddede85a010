#include "agent/connectors/file/file_actions.h"
#include "agent/connectors/file/file_handle.h"
#include "shared/base/json.h"
#include "tests/support/connector_site.h"
#include "tests/support/memory.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <map>

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

struct Files {
  test::ConnectorSite agent{"connections: {share: {kind: file, root: \"@DIR@/root\"}}",
                            "actions: [\"file.*\"]\n"
                            "limits: {bytes: 100MiB}\n"
                            "connections:\n"
                            "  share:\n"
                            "    files:\n"
                            "      - {directory: in, pattern: \"*.csv\", allow: [read, delete]}\n"
                            "      - {directory: out, allow: [read, write]}\n"
                            "      - {directory: done, allow: [write]}\n"};
  std::map<std::string, std::unique_ptr<Action>, std::less<>> actions;

  Files() {
    for (const char* directory : {"in", "out", "done"})
      std::filesystem::create_directories(agent.dir.path("root/" + std::string(directory)));
    agent.bodies.add(std::make_unique<file::FileOpener>(agent.site()));
    for (auto& action : file::make_actions(agent.site())) {
      const std::string name(action->name());
      actions[name] = std::move(action);
    }
  }
  StepResult<Value> run(std::string_view action, ValueMap arguments) {
    return agent.run(*actions.find(action)->second, std::move(arguments), "share");
  }
  std::string error(std::string_view action, ValueMap arguments) {
    const auto output = run(action, std::move(arguments));
    return output ? "none" : output.error().error_class() + ": " + output.error().message;
  }
  std::string write(std::string_view below, std::string_view content) const {
    return agent.dir.write("root/" + std::string(below), content);
  }
  std::string read(std::string_view below) const { return agent.dir.read("root/" + std::string(below)); }
  bool has(std::string_view below) const { return agent.dir.has("root/" + std::string(below)); }
  std::size_t entries(std::string_view below) const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(agent.dir.path("root/" + std::string(below))), {}));
  }
};

}  // namespace

TEST_CASE("a file is given as a handle, and its bytes come through it", "[file]") {
  Files files;
  files.write("in/a.csv", "1,2\n");
  const auto output = files.run("file.read@1", args({{"path", "in/a.csv"}, {"sha256", true}, {"text", true}}));
  REQUIRE(output);
  const auto& handle = output->find("file")->as_handle();
  CHECK(handle.kind == "file");
  CHECK(output->find("file")->find("path")->as_string() == "in/a.csv");
  CHECK(output->find("file")->find("name")->as_string() == "a.csv");
  CHECK(output->find("file")->find("size")->as_int() == 4);
  CHECK(output->find("file")->find("sha256")->as_string() ==
        "52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680");
  CHECK(output->find("text")->as_string() == "1,2\n");
  CHECK(files.agent.bodies.content(handle) == "1,2\n");
  CHECK(parse_stored_json(to_json(*output)) == *output);  // survives the journal
}

TEST_CASE("a file that changed after the handle was made is an error of class changed", "[file]") {
  Files files;
  files.write("in/a.csv", "1,2\n");
  const auto output = files.run("file.read@1", args({{"path", "in/a.csv"}}));
  const auto& handle = output->find("file")->as_handle();
  SECTION("other content") {
    files.write("in/a.csv", "3,4,5\n");
    CHECK(files.agent.bodies.open_bytes(handle).error().error_class() == "changed");
  }
  SECTION("replaced under its name") {
    files.write("in/b.csv", "1,2\n");
    std::filesystem::rename(files.agent.dir.path("root/in/b.csv"), files.agent.dir.path("root/in/a.csv"));
    CHECK(files.agent.bodies.open_bytes(handle).error().error_class() == "changed");
  }
  SECTION("gone") {
    std::filesystem::remove(files.agent.dir.path("root/in/a.csv"));
    CHECK(files.agent.bodies.open_bytes(handle).error().error_class() == "not_found");
  }
  SECTION("while it is read") {
    auto reader = files.agent.bodies.open_bytes(handle);
    REQUIRE(reader);
    std::ofstream(files.agent.dir.path("root/in/a.csv"), std::ios::app) << "more";
    std::vector<std::byte> buffer(3);
    StepResult<std::size_t> got = 1;
    while (got && *got > 0) got = (*reader)->read(buffer);
    REQUIRE_FALSE(got);
    CHECK(got.error().error_class() == "changed");
  }
}

TEST_CASE("parts of a file are left out without reading them, and a change is noticed all the same", "[file]") {
  Files files;
  files.write("in/a.csv", "0123456789");
  const auto handle = files.run("file.read@1", args({{"path", "in/a.csv"}}))->find("file")->as_handle();
  const auto reader = files.agent.bodies.open_bytes(handle);
  REQUIRE(reader);
  CHECK(*(*reader)->skip(3) == 3);
  std::array<std::byte, 2> two{};
  CHECK(*(*reader)->read(two) == 2);
  CHECK(as_text(two) == "34");
  CHECK(*(*reader)->skip(4) == 4);
  CHECK(*(*reader)->skip(4) == 1);
  CHECK(*(*reader)->read(two) == 0);
  const auto later = files.agent.bodies.open_bytes(handle);
  REQUIRE(later);
  CHECK(*(*later)->skip(10) == 10);
  files.write("in/a.csv", "0123456789a");
  CHECK((*later)->read(two).error().error_class() == "changed");
}

TEST_CASE("a forged handle opens nothing the policy does not allow", "[file]") {
  Files files;
  files.write("done/secret.csv", "x");
  files.write("in/a.csv", "1");
  auto handle = files.run("file.read@1", args({{"path", "in/a.csv"}}))->find("file")->as_handle();
  for (const char* path : {"done/secret.csv", "../outside", "/etc/passwd", "in/../done/secret.csv"}) {
    INFO(path);
    handle.attributes.insert_or_assign(Value("path"), Value(path));
    CHECK_FALSE(files.agent.bodies.open_bytes(handle));
  }
  CHECK(files.agent.bodies.open_bytes(Handle{"file", {}}).error().error_class() == "invalid");
}

TEST_CASE("what cannot be read says why", "[file]") {
  Files files;
  files.write("in/a.csv", std::string((256u << 10) + 1, 'x'));
  files.write("in/b.csv", "\xff");
  CHECK(files.error("file.read@1", args({{"path", "in/none.csv"}})).starts_with("not_found: "));
  CHECK(files.error("file.read@1", args({{"path", "in/a.csv"}, {"text", true}})).starts_with("too_large: "));
  CHECK(files.error("file.read@1", args({{"path", "in/b.csv"}, {"text", true}})).starts_with("format: "));
  CHECK(files.error("file.read@1", args({})).starts_with("invalid: "));
  for (const char* outside : {"../x", "/etc/passwd", "in/../../x"}) {
    const auto left = files.run("file.read@1", args({{"path", outside}})).error();
    CHECK(left.error_class() == "policy");
    CHECK(left.rule == "connections.yaml share.root");
  }
  const auto refused = files.run("file.read@1", args({{"path", "in/a.txt"}}));
  CHECK(refused.error().error_class() == "policy");
  CHECK(refused.error().rule == "policy.yaml:6 connections.share.files");
}

TEST_CASE("a file is written whole or not at all", "[file]") {
  Files files;
  const auto output = files.run("file.write@1", args({{"path", "out/a.txt"}, {"content", "hello"}}));
  REQUIRE(output);
  CHECK(files.read("out/a.txt") == "hello");
  CHECK(files.agent.bodies.content(output->find("file")->as_handle()) == "hello");
  CHECK(files.error("file.write@1", args({{"path", "out/a.txt"}, {"content", "again"}}))
            .starts_with("constraint: out/a.txt exists"));
  CHECK(files.read("out/a.txt") == "hello");
  REQUIRE(files.run("file.write@1", args({{"path", "out/a.txt"}, {"content", "again"}, {"mode", "replace"}})));
  CHECK(files.read("out/a.txt") == "again");
  CHECK(files.error("file.write@1", args({{"path", "in/a.csv"}, {"content", "x"}})).starts_with("policy: "));
  CHECK(files.error("file.write@1", args({{"path", "out/none/a"}, {"content", "x"}})).starts_with("not_found: "));
  CHECK(files.entries("out") == 1);
}

TEST_CASE("bytes become a file as they are", "[file]") {
  Files files;
  const Bytes content{std::byte{0}, std::byte{0xFF}, std::byte{'\n'}, std::byte{0xC3}};
  const auto output = files.run("file.write@1", args({{"path", "out/a.bin"}, {"content", Value(content)}}));
  REQUIRE(output);
  CHECK(files.read("out/a.bin") == as_text(content));
  files.agent.repeated = true;
  CHECK(files.run("file.write@1", args({{"path", "out/a.bin"}, {"content", Value(content)}})));
  REQUIRE(files.run("file.write@1", args({{"path", "out/none.bin"}, {"content", Value(Bytes{})}})));
  CHECK(files.read("out/none.bin").empty());
  const Value too_many(Bytes((100u << 20) + 1));
  CHECK(files.error("file.write@1", args({{"path", "out/b.bin"}, {"content", too_many}})).starts_with("too_large: "));
  CHECK(files.error("file.write@1", args({{"path", "out/b.bin"}, {"content", 7}})) ==
        "invalid: the argument \"content\" is missing or not text or bytes");
  CHECK(files.entries("out") == 2);
}

TEST_CASE("a file is written from a body, and a failing source leaves nothing", "[file]") {
  Files files;
  const auto body = files.agent.bodies.put(std::string(300'000, 'b'));
  REQUIRE(files.run("file.write@1", args({{"path", "out/b.bin"}, {"source", Value(body)}})));
  CHECK(files.read("out/b.bin") == std::string(300'000, 'b'));

  files.write("in/a.csv", "1,2\n");
  const auto source = *files.run("file.read@1", args({{"path", "in/a.csv"}}))->find("file");
  files.write("in/a.csv", "changed");
  CHECK(files.error("file.write@1", args({{"path", "out/c.bin"}, {"source", source}})).starts_with("changed: "));
  CHECK(files.entries("out") == 1);
}

TEST_CASE("a write run again after a crash accepts what it has written, and nothing else", "[file]") {
  Files files;
  const auto again = [&] { return files.error("file.write@1", args({{"path", "out/a.txt"}, {"content", "hello"}})); };
  REQUIRE(again() == "none");
  CHECK(again().starts_with("constraint: "));
  files.agent.repeated = true;
  CHECK(again() == "none");
  files.write("out/a.txt", "somebody else's");
  CHECK(again().starts_with("constraint: "));
  CHECK(files.read("out/a.txt") == "somebody else's");
}

TEST_CASE("a file is moved, into a directory under its own name", "[file]") {
  Files files;
  files.write("in/a.csv", "1");
  const auto moved = files.run("file.move@1", args({{"from", "in/a.csv"}, {"to", "done"}}));
  REQUIRE(moved);
  CHECK(moved->find("path")->as_string() == "done/a.csv");
  CHECK(files.read("done/a.csv") == "1");

  files.write("in/a.csv", "2");
  CHECK(files.error("file.move@1", args({{"from", "in/a.csv"}, {"to", "done/"}}))
            .starts_with("constraint: done/a.csv exists"));
  CHECK(files.read("done/a.csv") == "1");
  REQUIRE(files.run("file.move@1", args({{"from", "in/a.csv"}, {"to", "done"}, {"overwrite", true}})));
  CHECK(files.read("done/a.csv") == "2");
}

TEST_CASE("what cannot be moved says why", "[file]") {
  Files files;
  files.write("in/a.csv", "1");
  CHECK(files.error("file.move@1", args({{"from", "in/a.csv"}, {"to", "nowhere/"}})).starts_with("not_found: "));
  CHECK(files.error("file.move@1", args({{"from", "in/a.csv"}, {"to", "in/b.csv"}})).starts_with("policy: "));
  CHECK(files.error("file.move@1", args({{"from", "out/a.csv"}, {"to", "done"}})).starts_with("policy: "));
  CHECK(files.error("file.move@1", args({{"from", "in/none.csv"}, {"to", "done"}})).starts_with("not_found: "));
  CHECK(files.has("in/a.csv"));
}

TEST_CASE("a move run again after a crash finds that it has happened", "[file]") {
  Files files;
  files.write("done/a.csv", "1");
  const auto move = [&] { return files.error("file.move@1", args({{"from", "in/a.csv"}, {"to", "done"}})); };
  CHECK(move().starts_with("not_found: "));
  files.agent.repeated = true;
  CHECK(move() == "none");
}

TEST_CASE("files are listed by pattern, and only those the policy lets be read", "[file]") {
  Files files;
  for (const char* name : {"in/b.csv", "in/a.csv", "in/c.txt", "in/.d.csv", "in/sub/e.csv", "out/f.csv"})
    files.write(name, "x");
  const auto names = [&](ValueMap arguments) {
    const auto output = files.run("file.list@1", std::move(arguments));
    if (!output) return output.error().error_class();
    std::string all;
    for (const auto& handle : output->find("files")->as_list()) all += handle.find("path")->as_string() + " ";
    CHECK(output->find("count")->as_int() == std::ranges::count(all, ' '));
    return all;
  };
  CHECK(names(args({{"path", "in"}})) == "in/a.csv in/b.csv ");
  CHECK(names(args({{"path", "in"}, {"recursive", true}})) == "in/a.csv in/b.csv in/sub/e.csv ");
  CHECK(names(args({{"path", "in"}, {"pattern", "b*"}})) == "in/b.csv ");
  CHECK(names(args({{"path", "in"}, {"limit", 1}})) == "in/a.csv ");
  CHECK(names(args({{"path", "in"}, {"limit", 2}})) == "in/a.csv in/b.csv ");
  CHECK(files.run("file.list@1", args({{"path", "in"}, {"limit", 1}}))->find("more")->as_bool());
  CHECK_FALSE(files.run("file.list@1", args({{"path", "in"}, {"limit", 2}}))->find("more")->as_bool());
  CHECK_FALSE(files.run("file.list@1", args({{"path", "in"}}))->find("more")->as_bool());
  CHECK(names(args({{"path", "done"}})) == "policy");
  CHECK(names(args({{"path", "."}})) == "policy");
}

TEST_CASE("a limit gives the first by path, of however many; without one more than 10,000 are an error",
          "[file][bounds]") {
  Files files;
  for (int i = 0; i < 10'003; ++i) files.write(fmt::format("in/{:05}.csv", 10'002 - i), "");
  files.write("in/\xe9.csv", "");
  const auto first = files.run("file.list@1", args({{"path", "in"}, {"limit", 3}}));
  REQUIRE(first);
  CHECK(first->find("count")->as_int() == 3);
  CHECK(first->find("more")->as_bool());
  CHECK(first->find("skipped")->as_int() == 1);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(first->find("files")->as_list()[i].find("path")->as_string() == fmt::format("in/{:05}.csv", i));
  CHECK(files.error("file.list@1", args({{"path", "in"}})).starts_with("too_large: more than 10000 files match"));
}

TEST_CASE("a file is deleted; one that is gone is no error", "[file]") {
  Files files;
  files.write("in/a.csv", "x");
  CHECK(files.run("file.delete@1", args({{"path", "in/a.csv"}}))->find("deleted")->as_bool());
  CHECK_FALSE(files.has("in/a.csv"));
  CHECK_FALSE(files.run("file.delete@1", args({{"path", "in/a.csv"}}))->find("deleted")->as_bool());
  CHECK(files.error("file.delete@1", args({{"path", "done/a.csv"}})).starts_with("policy: "));
}

TEST_CASE("links are never followed, in any action", "[file][confinement]") {
  Files files;
  files.agent.dir.write("outside.csv", "stolen");
  std::filesystem::create_symlink(files.agent.dir.path("outside.csv"), files.agent.dir.path("root/in/link.csv"));
  std::filesystem::create_directory_symlink(files.agent.dir.path(), files.agent.dir.path("root/out/up"));
  CHECK(files.agent.dir.read("root/in/link.csv") == "stolen");  // positive control
  CHECK(files.error("file.read@1", args({{"path", "in/link.csv"}})).starts_with("permission: "));
  CHECK(files.error("file.write@1", args({{"path", "out/up/planted"}, {"content", "x"}})).starts_with("permission: "));
  CHECK(files.error("file.read@1", args({{"path", "out/up/outside.csv"}})).starts_with("permission: "));
  CHECK(files.run("file.list@1", args({{"path", "in"}}))->find("count")->as_int() == 0);
  CHECK_FALSE(files.agent.dir.has("planted"));
}

TEST_CASE("stops, deadlines and limits end an action before its effect", "[file]") {
  Files files;
  const auto big = files.agent.bodies.put(std::string(1000, 'x'));
  files.agent.patience = std::chrono::milliseconds(0);
  CHECK(files.error("file.write@1", args({{"path", "out/a"}, {"content", "x"}})).starts_with("timeout: "));
  files.agent.patience = std::chrono::seconds(30);
  files.agent.stop.request_stop();
  CHECK(files.error("file.write@1", args({{"path", "out/a"}, {"source", Value(big)}})).starts_with("cancelled: "));
  CHECK(files.entries("out") == 0);
}

TEST_CASE("a body over the limit of the policy is refused and leaves nothing", "[file]") {
  Files files;
  files.agent.patience = std::chrono::minutes(2);
  const auto path = files.write("in/big.csv", "");
  std::filesystem::resize_file(path, (100u << 20) + 1);
  CHECK(files.error("file.read@1", args({{"path", "in/big.csv"}})).find("too_large: more than 104857600 bytes") == 0);
}

TEST_CASE("a write that the file system refuses leaves nothing", "[file]") {
  Files files;
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto error = files.error("file.write@1", args({{"path", "out/a"}, {"content", std::string(5000, 'x')}}));
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, handler);
  CHECK(error.starts_with("too_large: "));
  CHECK(files.entries("out") == 0);
}

TEST_CASE("1 GB is copied through a handle in flat memory", "[file][streaming]") {
  test::ConnectorSite agent(
      "connections: {share: {kind: file, root: \"@DIR@\"}}",
      "actions: [\"file.*\"]\nconnections: {share: {files: [{directory: ., allow: [read, write]}]}}");
  agent.bodies.add(std::make_unique<file::FileOpener>(agent.site()));
  agent.patience = std::chrono::minutes(3);
  std::filesystem::resize_file(agent.dir.write("big", ""), 1ULL << 30);
  const auto actions = file::make_actions(agent.site());
  const auto action = [&](std::string_view name) -> Action& {
    return **std::ranges::find(actions, name, [](const auto& one) { return one->name(); });
  };
  const auto read = agent.run(action("file.read@1"), args({{"path", "big"}}), "share");
  REQUIRE(read);
  const test::PeakMemory memory;
  const auto written =
      agent.run(action("file.write@1"), args({{"path", "copy"}, {"source", *read->find("file")}}), "share");
  if (!written) FAIL(written.error().message);
  CHECK(memory.grown() < 32u << 20);
  CHECK(std::filesystem::file_size(agent.dir.path("copy")) == 1ULL << 30);
}

TEST_CASE("a connection that is missing or of another kind is named", "[file]") {
  Files files;
  const auto missing = files.agent.run(*files.actions["file.read@1"], args({{"path", "x"}}), "other");
  CHECK(missing.error().error_class() == "policy");
  test::ConnectorSite agent("connections: {db: {kind: sql, driver: sqlite, file: x}}",
                            "actions: [\"file.*\"]\nconnections: {db: {}, gone: {}}");
  const auto actions = file::make_actions(agent.site());
  CHECK(agent.run(*actions.front(), args({{"path", "x"}}), "db").error().error_class() == "invalid");
  CHECK(agent.run(*actions.front(), args({{"path", "x"}}), "gone").error().error_class() == "not_found");
}

TEST_CASE("a write that is repeated after a crash leaves nothing half-written behind", "[file][crash]") {
  Files files;
  files.write("out/.a.csv.partial-key-1-0011223344556677", "ha");
  files.write("out/.a.csv.partial-key-2-0011223344556677", "of somebody else");
  files.agent.repeated = true;
  REQUIRE(files.run("file.write@1", args({{"path", "out/a.csv"}, {"content", "whole"}})));
  CHECK(files.read("out/a.csv") == "whole");
  CHECK(files.entries("out") == 2);
}

TEST_CASE("files whose names are no text are counted, not listed", "[file][bad-input]") {
  Files files;
  files.write("in/caf\xe9.csv", "x");
  files.write("in/good.csv", "x");
  const auto listed = files.run("file.list@1", args({{"path", "in"}}));
  REQUIRE(listed);
  CHECK(listed->find("count")->as_int() == 1);
  CHECK(listed->find("skipped")->as_int() == 1);
}
