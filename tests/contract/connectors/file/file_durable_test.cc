// What a file action says when it cannot know, and what its repetition makes of it.
#include "agent/connectors/file/file_actions.h"
#include "agent/platform/fd.h"
#include "tests/support/connector_site.h"
#include "tests/support/failing_fsync.h"
#include "tests/support/poor_file_system.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sys/wait.h>

#include <utility>

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

namespace {

struct Files {
  test::ConnectorSite agent{"connections: {share: {kind: file, root: \"@DIR@\"}}",
                            "actions: [\"file.*\"]\n"
                            "connections: {share: {files: [{directory: ., allow: [read, write, delete]}]}}\n"};
  std::vector<std::unique_ptr<Action>> actions = file::make_actions(agent.site());

  StepResult<Value> run(std::string_view name, ValueMap arguments) {
    const auto found = std::ranges::find(actions, name, [](const auto& action) { return action->name(); });
    return agent.run(**found, std::move(arguments), "share");
  }
  std::string told(std::string_view name, ValueMap arguments) {
    const auto output = run(name, std::move(arguments));
    return output ? "" : fmt::format("{}: {}", fmt::join(output.error().classes, " "), output.error().message);
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(agent.dir.path()), {}));
  }
};

struct Change {
  const char* action;
  ValueMap arguments;
  const char* doing;
  int directories;  // that it has to make durable
};

std::vector<Change> changes() {
  return {{"file.write@1", args({{"path", "new"}, {"content", "x"}}), "making new durable", 1},
          {"file.move@1", args({{"from", "a"}, {"to", "b"}}), "making the move of a to b durable", 2},
          {"file.delete@1", args({{"path", "a"}}), "making the deletion of a durable", 1}};
}

// Dies at the second piece.
class DyingReader final : public ByteReader {
 public:
  StepResult<std::size_t> read(std::span<std::byte> into) override {
    if (std::exchange(began_, true)) ::_exit(7);
    return into.size();
  }

 private:
  bool began_ = false;
};

class DyingOpener final : public HandleOpener {
 public:
  std::string_view kind() const override { return "file"; }
  StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle&, Bodies&) override {
    return std::make_unique<DyingReader>();
  }
  StepResult<std::unique_ptr<RowReader>> open_rows(const Handle&, Bodies&) override {
    return step_fail("invalid", "no rows");
  }
};

}  // namespace

TEST_CASE("a change that may not last is in doubt, and its repetition makes it last", "[file][durable]") {
  for (const auto& [action, arguments, doing, directories] : changes()) {
    INFO(action);
    Files files;
    files.agent.dir.write("a", "content");
    test::failing_fsync().of_directories = EIO;
    CHECK(files.told(action, arguments) ==
          fmt::format("in_doubt connection: {}: Input/output error; it may have happened all the same: look at the "
                      "target",
                      doing));
    files.agent.repeated = true;
    CHECK(files.told(action, arguments).starts_with("in_doubt connection: "));
    test::failing_fsync().of_directories = 0;
    const int before = test::failing_fsync().directories_synced;
    CHECK(files.told(action, arguments).empty());
    CHECK(test::failing_fsync().directories_synced == before + directories);
  }
}

TEST_CASE("a change of names that was not answered is in doubt", "[file][durable]") {
  Files files;
  files.agent.dir.write("a", "content");
  const auto told = [&](const Change& change) {
    return test::on({.rename_with_flags = EIO, .unlink = EIO},
                    [&] { return files.told(change.action, change.arguments); });
  };
  for (const auto& change : changes()) {
    INFO(change.action);
    CHECK(told(change).starts_with("in_doubt connection: "));
  }
}

TEST_CASE("what fails before a name changes is no doubt", "[file][durable]") {
  Files files;
  files.agent.dir.write("a", "content");
  test::failing_fsync().of_files = EIO;
  CHECK(files.told("file.write@1", args({{"path", "new"}, {"content", "x"}})) ==
        "connection: making new durable: Input/output error");
  test::failing_fsync().of_files = 0;
  CHECK(files.told("file.move@1", args({{"from", "none"}, {"to", "b"}})).starts_with("not_found: "));
  CHECK(files.told("file.move@1", args({{"from", "a"}, {"to", "none/b"}})).starts_with("not_found: "));
  CHECK(files.told("file.write@1", args({{"path", "a"}, {"content", "x"}})) == "constraint: a exists already");
  CHECK(files.entries() == 1);
}

TEST_CASE("an agent that is killed while it writes leaves nothing in the operator's folder", "[file][crash]") {
  Files files;
  if (platform::Fd(::open(files.agent.dir.path().c_str(), O_TMPFILE | O_WRONLY, 0600)).get() < 0) {
    WARN("this file system has no unnamed files");
    return;
  }
  files.agent.bodies.add(std::make_unique<DyingOpener>());
  const pid_t child = ::fork();
  if (child == 0) {
    (void)files.run("file.write@1", args({{"path", "new"}, {"source", Value(Handle{"file", {}})}}));
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WEXITSTATUS(status) == 7);
  CHECK(files.entries() == 0);
}
