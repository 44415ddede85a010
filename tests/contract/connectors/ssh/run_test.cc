// ssh.run against a real OpenSSH server.
#include "agent/connectors/ssh/remote_program.h"
#include "tests/contract/connectors/ssh/partner.h"

#include <thread>

using namespace sallyport;
using namespace sallyport::test;

namespace {

const std::string kRunPolicy = R"(
actions: [ssh.run@1]
connections:
  partner:
    commands:
      say: {argv: [/usr/bin/printf, "%s|", "{what}", "x{what}y"], parameters: {what: {characters: [any], also: " '\n"}}}
      shell: {argv: [/bin/sh, -c, "{script}"], parameters: {script: {characters: [any], also: " \n"}}, limits: {output: 1MiB}}
      short: {argv: [/bin/sleep, "10"], limits: {run_time: 1s}}
)";

struct Remote : Partner {
  Remote() : Partner({}, {}, kRunPolicy) {}
  connectors::StepResult<Value> command(const char* name, ValueMap params, Value input = {}) {
    return run("ssh.run@1",
               args({{"template", name}, {"params", Value(std::move(params))}, {"stdin", std::move(input)}}));
  }
  connectors::StepResult<Value> shell(const char* script, Value input = {}) {
    return command("shell", args({{"script", script}}), std::move(input));
  }
};

}  // namespace

TEST_CASE("every argument reaches the server's program as it is", "[ssh][run]") {
  const std::vector<std::string> argv{"/bin/x", "", "a b", "it's", "$(id) `id` \"\\"};
  CHECK(connectors::ssh::shell_line(argv) == "'/bin/x' '' 'a b' 'it'\\''s' '$(id) `id` \"\\'");
  Remote remote;
  for (const char* what : {"plain", "a b; $(id) `id` '\"\\ *", "'", "two\nlines", "-n"}) {
    INFO(what);
    const auto output = remote.command("say", args({{"what", what}}));
    if (what[0] == '-') {
      CHECK(class_of(output) == "policy");
      continue;
    }
    REQUIRE(output);
    CHECK(output->find("text")->as_string() == std::string(what) + "|x" + what + "y|");
  }
}

TEST_CASE("how a command on a server ends", "[ssh][run]") {
  Remote remote;
  const auto good = remote.shell("echo out; echo err >&2");
  REQUIRE(good);
  CHECK(good->find("exit_code")->as_int() == 0);
  CHECK(good->find("stderr")->as_string() == "err\n");
  CHECK(remote.agent.bodies.content(good->find("stdout")->as_handle()) == "out\n");
  const auto bad = remote.shell("echo why >&2; exit 7");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().classes == std::vector<std::string>{"exit:7", "command"});
  CHECK(bad.error().output.find("stderr")->as_string() == "why\n");
  const auto killed = remote.shell("kill -9 $$");
  REQUIRE_FALSE(killed);
  CHECK(killed.error().classes == std::vector<std::string>{"signal:9", "command"});
  CHECK(class_of(remote.command("nothing", {})) == "policy");
  CHECK(class_of(remote.run("sftp.get@1", args({{"path", "a"}}))) == "policy");
}

TEST_CASE("a command's input and output stream", "[ssh][run]") {
  Remote remote;
  const std::string text(700'000, 'x');
  const auto echoed = remote.shell("cat", Value(remote.agent.bodies.put(text)));
  REQUIRE(echoed);
  CHECK(remote.agent.bodies.content(echoed->find("stdout")->as_handle()) == text);
  REQUIRE(remote.shell("exec <&-; sleep 0.1; echo done", Value(remote.agent.bodies.put(text))));
  const auto endless = remote.shell("yes");
  REQUIRE_FALSE(endless);
  CHECK(endless.error().classes == std::vector<std::string>{"in_doubt", "too_large"});
}

TEST_CASE("a command that is cut off is in doubt", "[ssh][run][crash]") {
  Remote remote;
  const auto late = remote.command("short", {});
  REQUIRE_FALSE(late);
  CHECK(late.error().classes == std::vector<std::string>{"in_doubt", "timeout"});
  std::jthread cutter([&] {
    while (!remote.server.files().has("started")) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    remote.server.cut();
  });
  const auto cut = remote.shell(("touch " + remote.server.files().path("started") + "; sleep 60").c_str());
  REQUIRE_FALSE(cut);
  CHECK(cut.error().error_class() == "in_doubt");
}
