#include "agent/connectors/command/command_actions.h"
#include "agent/connectors/program_output.h"
#include "shared/base/json.h"
#include "shared/base/text.h"
#include "tests/support/connector_site.h"
#include "tests/support/memory.h"

#include <csignal>
#include <filesystem>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;

namespace {

constexpr const char* kPolicy = R"(actions: [command.run@1]
commands:
  say: {argv: [/usr/bin/printf, "%s|", "{what}", "x{what}y"], parameters: {what: {characters: [any]}}}
  shell: {argv: [/bin/sh, -c, "{script}"], parameters: {script: {characters: [any], max_length: 1000}}, environment: {PATH: /usr/bin:/bin, ONLY: this}}
  brief: {argv: [/bin/sleep, "600"], limits: {run_time: 1s}}
  sleepy: {argv: [/bin/sleep, "600"]}
  chatty: {argv: [/usr/bin/yes], limits: {output: 10KiB}}
  reader: {argv: [/bin/cat]}
  surroundings: {argv: [/usr/bin/env], environment: {ONLY: this}, recipe_environment: [TOKEN]}
  missing: {argv: [/no/such/program]}
  counter: {argv: [/usr/bin/wc, -c]}
  witness: {argv: [/bin/sh, -c, "touch @DIR@/began; cat"]}
  there: {argv: [/bin/pwd], working_directory: "@DIR@"}
  ghost: {argv: [/bin/true], user: no-such-user-here}
  nowhere: {argv: [/bin/true], working_directory: /no/such/directory}
  plain: {argv: ["@DIR@/plain.txt"]}
  damaged: {argv: ["@DIR@/damaged"]}
  long: {argv: [/bin/true, "{what}{what}{what}"], parameters: {what: {characters: [any], max_length: 60000}}}
)";

// A body that breaks off behind more than a pipe holds.
class Brittle final : public HandleOpener {
 public:
  std::string_view kind() const override { return "brittle"; }
  StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle&, Bodies&) override {
    return std::make_unique<Reader>();
  }
  StepResult<std::unique_ptr<RowReader>> open_rows(const Handle&, Bodies&) override {
    return step_fail("invalid", "no rows");
  }

 private:
  struct Reader final : ByteReader {
    StepResult<std::size_t> read(std::span<std::byte> into) override {
      if (given > 1u << 20) return step_fail("connection", "the share is gone");
      given += into.size();
      return into.size();
    }
    std::size_t given = 0;
  };
};

[[maybe_unused]] const auto kNoPipeSignal = std::signal(SIGPIPE, SIG_IGN);  // as the agent does at its start

struct Command {
  test::ConnectorSite agent{"connections: {}", kPolicy};
  std::unique_ptr<Action> action = std::move(command::make_actions(agent.site()).front());

  StepResult<Value> run(const char* name, ValueMap params = {}) {
    return agent.run(*action, args({{"template", name}, {"params", Value(std::move(params))}}));
  }
  StepResult<Value> shell(const char* script) { return run("shell", args({{"script", script}})); }
  std::string text(const StepResult<Value>& output) {
    REQUIRE(output);
    return output->find("text")->as_string();
  }
};

}  // namespace

TEST_CASE("a command runs with its parameters as arguments", "[command]") {
  Command command;
  const auto output = command.run("say", args({{"what", "a b; $(id) '\""}}));
  CHECK(command.text(output) == "a b; $(id) '\"|xa b; $(id) '\"y|");
  CHECK(output->find("exit_code")->as_int() == 0);
  CHECK(output->find("stderr")->as_string().empty());
  CHECK(command.agent.bodies.content(output->find("stdout")->as_handle()) == command.text(output));
  CHECK(parse_stored_json(to_json(*output)) == *output);
}

TEST_CASE("the environment and the directory are those of the policy only", "[command]") {
  Command command;
  ::setenv("SALLYPORT_CANARY", "c4n4ry", 1);
  const auto environment = command.text(command.shell("env"));
  ::unsetenv("SALLYPORT_CANARY");
  CHECK(environment.find("ONLY=this") != std::string::npos);
  CHECK(environment.find("c4n4ry") == std::string::npos);
  CHECK(command.text(command.run("there")) == std::filesystem::canonical(command.agent.dir.path()).string() + "\n");
}

TEST_CASE("a recipe adds the variables that the template lists, and no others", "[command]") {
  Command command;
  const auto run = [&](const char* name) {
    return command.agent.run(*command.action,
                             args({{"template", "surroundings"}, {"environment", Value(args({{name, "c4n4ry"}}))}}));
  };
  CHECK(command.text(run("TOKEN")) == "ONLY=this\nTOKEN=c4n4ry\n");
  for (const char* name : {"ONLY", "LD_PRELOAD"}) {
    const auto refused = run(name);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error_class() == "policy");
    CHECK(refused.error().rule == "policy.yaml:9 commands.surroundings.recipe_environment");
    CHECK(refused.error().message.find("c4n4ry") == std::string::npos);
  }
}

TEST_CASE("exit codes and signals are classes that retry.on can name", "[command]") {
  Command command;
  const auto failed = command.shell("echo c4n4ry; echo c4n4ry >&2; exit 3");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().classes == std::vector<std::string>{"exit:3", "command"});
  CHECK(failed.error().message == "command shell ended with exit code 3");
  const auto killed = command.shell("echo dying >&2; kill -9 $$");
  REQUIRE_FALSE(killed);
  CHECK(killed.error().output.find("stderr")->as_string() == "dying\n");
  CHECK(killed.error().output.find("exit_code")->is_null());
  CHECK(killed.error().classes == std::vector<std::string>{"signal:9", "command"});
}

TEST_CASE("a command that fails tells its exit code and what it wrote, as far as that is bounded", "[command]") {
  Command command;
  const auto failed = command.shell("echo some; echo the reason is X >&2; exit 3");
  REQUIRE_FALSE(failed);
  const Value& output = failed.error().output;
  CHECK(output == args({{"exit_code", 3}, {"text", "some\n"}, {"stderr", "the reason is X\n"}}));
  CHECK(parse_stored_json(to_json(output)) == output);
  const auto loud = command.shell("head -c 100000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1");
  REQUIRE_FALSE(loud);
  const auto tail = loud.error().output.find("stderr")->as_string();
  CHECK(tail.size() <= 8u << 10);
  CHECK(tail.ends_with("xend\n"));
}

TEST_CASE("only commands and parameters of the policy run", "[command]") {
  Command command;
  const auto unknown = command.run("rm");
  CHECK(unknown.error().error_class() == "policy");
  CHECK(unknown.error().rule == "policy.yaml commands");
  const auto parameter = command.run("say", args({{"what", "-c4n4ry"}}));
  CHECK(parameter.error().error_class() == "policy");
  CHECK(parameter.error().rule == "policy.yaml:3 commands.say.parameters.what");
  CHECK(parameter.error().message.find("c4n4ry") == std::string::npos);
  CHECK(command.run("say").error().error_class() == "policy");
  CHECK(command.run("reader", args({{"extra", "x"}})).error().error_class() == "policy");
  CHECK(command.run("missing").error().error_class() == "not_found");

  test::ConnectorSite strict("connections: {}", "actions: []\ncommands: {a: {argv: [/bin/true]}}");
  const auto actions = command::make_actions(strict.site());
  CHECK(strict.run(*actions.front(), args({{"template", "a"}})).error().rule == "policy.yaml:1 actions");
}

TEST_CASE("path, directory and user of a command that does not start stay on this machine", "[command][privacy]") {
  struct Case {
    const char* name;
    const char* error_class;
    const char* reason;
    std::string local;
  };
  Command command;
  command.agent.dir.write("plain.txt", "not a program");
  std::filesystem::permissions(command.agent.dir.write("damaged", "neither"), std::filesystem::perms::owner_all);
  const std::string not_there = "its program, directory or user is not there";
  for (const auto& one : {Case{"missing", "not_found", not_there.c_str(), "/no/such/program"},
                          Case{"ghost", "not_found", not_there.c_str(), "no-such-user-here"},
                          Case{"nowhere", "not_found", not_there.c_str(), "/no/such/directory"},
                          Case{"plain", "permission", "the agent was refused", command.agent.dir.path("plain.txt")},
                          Case{"damaged", "invalid", "its program or its arguments do not work", "Exec format error"},
                          Case{"long", "too_large", "its arguments are too long", "/bin/true"}}) {
    INFO(one.name);
    const bool is_long = one.name == std::string("long");
    const auto failed = command.run(one.name, is_long ? args({{"what", std::string(60'000, 'x')}}) : ValueMap());
    REQUIRE_FALSE(failed);
    CHECK(failed.error().classes == std::vector<std::string>{one.error_class});
    CHECK(failed.error().message ==
          "starting the command " + std::string(one.name) + ": " + one.reason + "; the agent's log says more");
    CHECK(command.agent.logged().find(one.local) != std::string::npos);
  }
  CHECK(command.agent.logged().find("\"command.failed\"") != std::string::npos);
}

TEST_CASE("what ends a command does not name its program", "[command][privacy]") {
  Command command;
  CHECK(command.run("brief").error().message.starts_with("command brief: it did not end in time"));
  CHECK(command.run("chatty").error().message ==
        "command chatty: it wrote more than 10240 bytes, the limit of the local policy (limits.output)");
}

TEST_CASE("time limits of the policy and of the step end a command", "[command]") {
  Command command;
  const auto begin = std::chrono::steady_clock::now();
  const auto limited = command.run("brief");
  CHECK(limited.error().error_class() == "timeout");
  CHECK(limited.error().message.ends_with(
      "it did not end in time: 1s is the limit of the local policy (limits.run_time)"));
  CHECK(limited.error().output.find("exit_code")->is_null());
  command.agent.patience = 200ms;
  const auto own = command.run("sleepy");
  CHECK(own.error().error_class() == "timeout");
  CHECK(own.error().message.ends_with("it did not end in time"));
  CHECK(std::chrono::steady_clock::now() - begin < 15s);
}

TEST_CASE("a stop ends a command", "[command]") {
  Command command;
  std::thread later([&] {
    std::this_thread::sleep_for(100ms);
    command.agent.stop.request_stop();
  });
  const auto stopped = command.run("sleepy");
  later.join();
  CHECK(stopped.error().error_class() == "cancelled");
}

TEST_CASE("too much output ends a command; a full spool too", "[command]") {
  Command command;
  CHECK(command.run("chatty").error().error_class() == "too_large");
  command.agent.bodies.fail_writes_after = 10;
  CHECK(command.shell("yes").error().error_class() == "disk_full");
}

TEST_CASE("a command that succeeded and whose output is lost is never run again by itself", "[command]") {
  Command command;
  command.agent.bodies.fail_commits = "connection";
  const auto lost = command.shell("echo done");
  REQUIRE_FALSE(lost);
  CHECK(lost.error().classes == std::vector<std::string>{"in_doubt", "connection"});
  CHECK(lost.error().message == "command shell ended with exit code 0, but what it wrote is lost: the spool fails");
  CHECK(lost.error().output.find("text")->as_string() == "done\n");
  CHECK(lost.error().output.find("exit_code")->as_int() == 0);
}

TEST_CASE("an output that JSON blows up still leaves the step room", "[command]") {
  Command command;
  const auto output = command.shell("head -c 60000 /dev/zero | tr '\\0' '\\1'; head -c 60000 /dev/zero >&2");
  REQUIRE(output);
  CHECK(output->find("text")->is_null());
  CHECK(command.agent.bodies.content(output->find("stdout")->as_handle()).size() == 60'000);
  CHECK(stored_json(*output).size() < 256u << 10);
  CHECK(command.text(command.shell("head -c 60000 /dev/zero | tr '\\0' 'x'")).size() == 60'000);
}

TEST_CASE("standard input is text, bytes or a body", "[command]") {
  Command command;
  const auto read = [&](Value input) {
    return command.text(
        command.agent.run(*command.action, args({{"template", "reader"}, {"stdin", std::move(input)}})));
  };
  CHECK(read("hello") == "hello");
  CHECK(read(Value(command.agent.bodies.put("from a body"))) == "from a body");
  CHECK(read(Value(Bytes{std::byte{'a'}, std::byte{'\n'}})) == "a\n");
  CHECK(command.text(command.run("reader")).empty());
  const auto unread = command.agent.run(
      *command.action,
      args({{"template", "say"}, {"params", Value(args({{"what", "x"}}))}, {"stdin", std::string(1u << 20, 'x')}}));
  CHECK(unread);
}

TEST_CASE("a body of any size reaches a program, and memory stays flat", "[command][streaming]") {
  Command command;
  const auto spool = command.agent.bodies.new_spool("application/octet-stream");
  const std::string mebibyte(1u << 20, 'x');
  for (int i = 0; i < 200; ++i) REQUIRE((*spool)->write(as_bytes(mebibyte)));
  const Value body(*(*spool)->commit({}));
  const test::PeakMemory memory;
  const auto counted = command.agent.run(*command.action, args({{"template", "counter"}, {"stdin", body}}));
  CHECK(command.text(counted) == "209715200\n");
  CHECK(memory.grown() < 8u << 20);
}

TEST_CASE("a body that cannot be opened starts no program; one that breaks off ends it", "[command]") {
  Command command;
  const auto read = [&](Value body) {
    return command.agent.run(*command.action, args({{"template", "witness"}, {"stdin", std::move(body)}})).error();
  };
  CHECK(read(Value(Handle{"nothing", {}})).error_class() == "invalid");
  CHECK_FALSE(std::filesystem::exists(command.agent.dir.path() + "/began"));
  command.agent.bodies.add(std::make_unique<Brittle>());
  const auto broken = read(Value(Handle{"brittle", {}}));
  CHECK(broken.error_class() == "connection");
  CHECK(broken.message == "reading its standard input: the share is gone");
  CHECK(std::filesystem::exists(command.agent.dir.path() + "/began"));
}

TEST_CASE("long or binary output is a body only", "[command]") {
  Command command;
  const auto output = command.shell("head -c 100000 /dev/zero | tr '\\0' x");
  REQUIRE(output);
  CHECK(output->find("text")->is_null());
  CHECK(command.agent.bodies.content(output->find("stdout")->as_handle()).size() == 100'000);
  CHECK(command.shell("printf '\\377'")->find("text")->is_null());
}

TEST_CASE("the end of standard error is kept, as valid text", "[command]") {
  Command command;
  const auto output = command.shell("head -c 100000 /dev/zero | tr '\\0' x >&2; printf '\\377end' >&2");
  REQUIRE(output);
  const auto tail = output->find("stderr")->as_string();
  CHECK(tail.size() <= kStderrTail + 3);
  CHECK(
      tail.ends_with("\xEF\xBF\xBD"
                     "end"));
}
