#include "relay/cli/output.h"
#include "tests/unit/relay/cli/cli_site.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include "shared/base/json.h"

#include <fmt/format.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>

// What leaves the program: nothing that steers a terminal, and a failure when it cannot leave.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

void write_to(Context& context, std::FILE* file) {
  REQUIRE(file != nullptr);
  std::fclose(std::exchange(context.out, file));
}

void write_to_full_disk(Context& context) { write_to(context, std::fopen("/dev/full", "w")); }

void write_to_nobody(Context& context) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  ::close(ends[0]);
  write_to(context, ::fdopen(ends[1], "w"));
}

Surroundings with(Surroundings around, std::function<void(Context&)> tune) {
  around.tune = std::move(tune);
  return around;
}

constexpr std::string_view kNotWritten = "sallyport: cannot write the answer: No space left on device\n";

}  // namespace

TEST_CASE("a list of texts stands in a table as words", "[cli][output]") {
  const auto cell = [](std::string_view json) {
    const auto value = *parse_json(json);
    return cell_of(&value);
  };
  CHECK(cell(R"(["password","token"])") == "password, token");
  CHECK(cell("[]") == "-");
  CHECK(cell(R"(["a",1])") == R"(["a",1])");
}

TEST_CASE("no foreign text steers a terminal", "[cli][output]") {
  struct Row {
    std::string_view text, shown;
  };
  const auto row =
      GENERATE(Row{"plain, Größe, 日本, 😀, ‎", "plain, Größe, 日本, 😀, ‎"},
               Row{"\x1b[31m\r\n\t\x7f", "\\x1b[31m\\x0d\\x0a\\x09\\x7f"},
               Row{"\u0080\u009b31m\u009d0;x\u009c\u009f\u00a0", "\\u0080\\u009b31m\\u009d0;x\\u009c\\u009f\u00a0"},
               Row{"\u2029\u202a\u202e\u202f", "\u2029\\u202a\\u202e\u202f"},
               Row{"\u2065\u2066\u2069\u206a", "\u2065\\u2066\\u2069\u206a"},
               Row{"a\x9b"
                   "b\xc2",
                   "a\\x9bb\\xc2"},
               Row{"\xe2\x80", "\\xe2\\x80"}, Row{"\xc1\x9b\xff", "\\xc1\\x9b\\xff"});
  CHECK(terminal_safe(row.text) == row.shown);
  CHECK(terminal_safe(terminal_safe(row.text)) == row.shown);
}

TEST_CASE("JSON and YAML for a terminal mean the same and steer nothing", "[cli][output]") {
  const Value value(ValueMap{{Value("n\u009bm"), Value("a\u009b31m\u202e\x7f\n\"é")}, {Value("b"), Value("\u2066")}});
  for (const auto& text : {terminal_safe_json(to_json(value)), terminal_safe_json(to_pretty_json(value))}) {
    CHECK(terminal_safe_lines(text) == text);
    const auto again = parse_json(text);
    REQUIRE(again);
    CHECK(*again == value);
  }
  CHECK(terminal_safe_json(yaml_of(value)) == "b: \"\\u2066\"\n\"n\\u009bm\": \"a\\u009b31m\\u202e\\u007f\\n\\\"é\"\n");
}

TEST_CASE("what the relay tells of names comes safely to a terminal, in every format", "[cli][output]") {
  const std::string name = "x@y\\u009d0;pwn\\u009c\\u202e";
  ScriptedRelay relay([&](const ScriptedRelay::Asked& asked, std::size_t) {
    if (asked.path == "/v1/groups") return text_reply(422, R"({"title":"No \u009b31m","errors":[]})");
    return text_reply(200, R"({"items":[{"id":"usr_1","email":")" + name + R"("}],"next":null})");
  });
  for (const auto* format : {"table", "json", "yaml"}) {
    const auto ran = run_cli({"user", "list", "-o", format}, relay.surroundings());
    INFO(ran.out << ran.err);
    CHECK(ran.code == kDone);
    CHECK_THAT(ran.out, Catch::Contains(name));
  }
  const auto refused = run_cli({"group", "list"}, relay.surroundings());
  CHECK(refused.err == "sallyport: No \\u009b31m\n");
}

TEST_CASE("an answer that cannot be written is no success", "[cli][output]") {
  using Words = std::vector<std::string>;
  const auto words = GENERATE(Words{"version"}, Words{"help"}, Words{"jobs", "--help"}, Words{"completion", "bash"},
                              Words{"expression", "eval", "1+1"}, Words{"expression", "eval"},
                              Words{"expression", "eval", "1+1", "-o", "json"}, Words{"version", "-o", "yaml"});
  const Surroundings lines{.in = "{\"expr\":\"1\"}\n{\"expr\":\"2\"}\n", .environment = {}, .tune = {}};
  const auto full = run_cli(words, with(lines, write_to_full_disk));
  CHECK(full.code == kFailed);
  CHECK(full.err == kNotWritten);
  std::signal(SIGPIPE, SIG_IGN);
  const auto left = run_cli(words, with(lines, write_to_nobody));
  CHECK(left.code == kFailed);
  CHECK(left.err.empty());
  CHECK(run_cli(words, lines).code == kDone);
}

TEST_CASE("a worse exit code stays when the output is lost besides", "[cli][output]") {
  const Surroundings nothing{};
  CHECK(run_cli({"jobs"}, with(nothing, write_to_full_disk)).code == kUsage);
  CHECK(run_cli({}, with(nothing, write_to_full_disk)).code == kUsage);
}

TEST_CASE("a watch whose reader has gone ends", "[cli][output][watch]") {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string job = "job_01J0000000000000000000000A";
  const std::string state = R"({"id":")" + job + R"(","state":"running"})";
  ScriptedRelay relay([&](const ScriptedRelay::Asked& asked, std::size_t) {
    if (asked.path == "/v1/jobs/" + job) return text_reply(200, state);
    return silent_reply({{.event = {"", "job", state}},
                         {.event = {"1", "step.started", R"({"seq":1,"kind":"step.started","path":"rows"})"}}});
  });
  const auto ran = run_cli({"jobs", "watch", job}, with(relay.surroundings(), write_to_nobody));
  CHECK(ran.code == kFailed);
  CHECK(ran.err.empty());
  CHECK(relay.asked("/v1/jobs/" + job + "/watch").size() == 1);
}

TEST_CASE("a secret that could not be shown is named, with the command that ends it", "[cli][output]") {
  std::signal(SIGPIPE, SIG_IGN);
  CliSite site;
  site.login(domain::Role::owner);
  struct Row {
    std::vector<std::string> make, list, revoke;
    std::string_view kind;
  };
  for (const auto& row : {Row{{"token", "create", "ci"}, {"token", "list"}, {"token", "revoke"}, "API token"},
                          Row{{"agent", "token", "create", "--group", "dc1"},
                              {"agent", "token", "list"},
                              {"agent", "token", "revoke"},
                              "enrolment token"}}) {
    for (auto* lose : {write_to_full_disk, write_to_nobody}) {
      const auto ran = run_cli(row.make, with(site.machine(), lose));
      CHECK(ran.code == kFailed);
      const auto undo = fmt::format("sallyport {} ", fmt::join(row.revoke, " "));
      const auto at = ran.err.find(undo);
      INFO(ran.err);
      REQUIRE(at != std::string::npos);
      const auto id = ran.err.substr(at + undo.size(), 30);
      CHECK_THAT(ran.err, Catch::StartsWith(fmt::format("sallyport: the {} {} exists", row.kind, id)));
      CHECK((ran.err.find(kNotWritten) != std::string::npos) == (lose == write_to_full_disk));
      CHECK_THAT(ran.err, !Catch::Contains("spt_") && !Catch::Contains("spe1"));
      const auto there = site.json(row.list).find("items")->as_list();
      CHECK(std::ranges::any_of(there, [&](const Value& one) { return text_of(one, "id") == id; }));
      auto revoke = row.revoke;
      revoke.push_back(id);
      CHECK(site.run(revoke).code == kDone);
    }
  }
}

TEST_CASE("a new organisation whose owner's token was lost says which", "[cli][output]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked&, std::size_t) {
    return text_reply(201, R"({"organisation":{"id":"org_1"},"token":{"id":"tok_1"},"secret":"spt_shown_once"})");
  });
  const std::vector<std::string> words{"organisation", "create", "acme", "--owner", "ada@acme.test"};
  CHECK_THAT(run_cli(words, relay.surroundings()).out, Catch::Contains("spt_shown_once"));
  const auto ran = run_cli(words, with(relay.surroundings(), write_to_full_disk));
  CHECK(ran.code == kFailed);
  CHECK_THAT(ran.err, Catch::Contains("organisation acme") && Catch::Contains("token tok_1 exists") &&
                          Catch::Contains("sallyport-relay token") && !Catch::Contains("spt_shown_once"));
}

TEST_CASE("the program with a standard output that is closed or full", "[cli][output][process]") {
  if (std::getenv("SALLYPORT_BIN") == nullptr) {
    WARN("no SALLYPORT_BIN: the program was not run");
    return;
  }
  CliSite site;
  site.login(domain::Role::viewer);
  const auto program = std::filesystem::absolute(std::getenv("SALLYPORT_BIN")).string() + "/sallyport";
  const auto run = [&](std::string_view what) {
    const auto file = site.folder.path("told");
    const auto command = fmt::format("XDG_CONFIG_HOME={} {} {} 2>{}", site.folder.path("config"), program, what, file);
    const int status = std::system(command.c_str());
    return std::pair(WEXITSTATUS(status), site.folder.read("told"));
  };
  CHECK(run("group list >/dev/null") == std::pair(0, std::string()));  // the control
  CHECK(run("group list >/dev/full") == std::pair(1, std::string(kNotWritten)));
  for (const auto* closed : {"group list >&-", "group list <&- >&-", "version >&-"}) {
    INFO(closed);
    const auto [code, told] = run(closed);
    CHECK(code == 1);
    CHECK(told == "sallyport: cannot write the answer: Bad file descriptor\n");
  }
  CHECK(run("version | true") == std::pair(0, std::string()));
}
