#include "tests/unit/relay/cli/cli_run.h"

#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "relay/cli/usage.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

// What is wrong with the words alone: exit code 2, said before anything else is looked at.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

std::vector<std::string> words_of(const Command& command) {
  const auto name = name_words(command);
  return {name.begin(), name.end()};
}

// "agent list" of "see: sallyport agent list; or ...".
std::vector<std::string> command_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const bool part = (c >= 'a' && c <= 'z') || c == '-';
    if (!part && (c != ' ' || words.back().empty())) break;
    if (part) words.back() += c;
    if (!part) words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

}  // namespace

TEST_CASE("every command that an error tells people to see is there", "[cli][usage]") {
  const auto commands = all_commands();
  const auto is_there = [&](const std::vector<std::string>& words) {
    const auto found = find_command(commands, words);
    return found.command != nullptr && found.used == words.size();
  };
  CHECK_FALSE(is_there({"erasure", "list"}));  // positive control
  for (const auto noun : listed_nouns()) {
    INFO(noun << " -> " << listing_of(noun));
    CHECK(is_there(command_words(listing_of(noun))));
    CHECK_THAT(about(Error{Errc::not_found, ""}, noun, "x").message, Catch::EndsWith(std::string(listing_of(noun))));
  }
  CHECK(about(Error{Errc::not_found, ""}, "erasure", "x").message == "there is no erasure \"x\"");

  constexpr std::string_view kSee = "see: sallyport ";
  std::size_t told = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator("relay/cli")) {
    if (!file.is_regular_file()) continue;
    std::ifstream in(file.path());
    const std::string source{std::istreambuf_iterator<char>(in), {}};
    for (auto at = source.find(kSee); at != std::string::npos; at = source.find(kSee, at + 1)) {
      const auto words = command_words(std::string_view(source).substr(at + kSee.size()));
      if (words.empty()) continue;  // from the table
      INFO(file.path() << ": " << fmt::format("{}", fmt::join(words, " ")));
      CHECK(is_there(words));
      ++told;
    }
  }
  CHECK(told >= 5);
}

TEST_CASE("wrong usage is told before the login is looked for", "[cli][usage]") {
  struct Row {
    std::vector<std::string> words;
    std::string_view says;
  };
  const auto row = GENERATE(
      Row{{"agent", "token", "create"}, "--group GROUP is needed"},
      Row{{"agent", "token", "create", "--group", "dc1", "--max-uses", "many"},
          "--max-uses takes a whole number from 1"},
      Row{{"agent", "token", "create", "--group", "dc1", "--max-uses", "0"}, "--max-uses takes a whole number from 1"},
      Row{{"agent", "token", "create", "--group", "dc1", "--expires-in", "soon"}, "--expires-in takes a duration"},
      Row{{"keys", "detach"}, "--confirm is needed: "}, Row{{"jobs", "rerun"}, "give a JOB, or --failed RECIPE"},
      Row{{"jobs", "rerun", "job_1", "--failed", "r"}, "give a JOB, or --failed RECIPE"},
      Row{{"jobs", "rerun", "job_1", "--since", "2026-01-31T09:30:00Z"}, "--since goes with --failed"},
      Row{{"jobs", "rerun", "--failed", "r", "--watch"}, "--watch follows one JOB"},
      Row{{"jobs", "list", "--limit", "0"}, "--limit takes a whole number from 1"},
      Row{{"jobs", "list", "--since", "yesterday"}, "--since takes a time such as"},
      Row{{"jobs", "list", "--state", "runing"}, "(did you mean running?)"},
      Row{{"jobs", "list", "-o", "xml"}, "--output takes table, json, yaml, not 'xml'"},
      Row{{"jobs", "start", "r", "--version", "first"}, "--version takes a whole number from 1"},
      Row{{"jobs", "start", "r", "--priority", "10"}, "--priority takes a whole number from 0 to 9, not '10'"},
      Row{{"jobs", "start", "r", "--priority=-1"}, "--priority takes a whole number from 0 to 9, not '-1'"},
      Row{{"jobs", "start", "r", "--priority", "high"}, "--priority takes a whole number from 0 to 9, not 'high'"},
      Row{{"jobs", "show"}, "JOB is missing"}, Row{{"jobs", "list", "-x"}, "unknown option -x"},
      Row{{"recipes", "apply"}, "give one FILE or more"},
      Row{{"recipes", "diff"}, "give -f FILE, or RECIPE --from N --to N"},
      Row{{"recipes", "diff", "r", "--from", "1"}, "give -f FILE, or RECIPE --from N --to N"},
      Row{{"recipes", "validate"}, "give one FILE, or -f FILE"},
      Row{{"recipes", "activate", "r", "--version", "-1"}, "--version takes a whole number from 1"},
      Row{{"tunnel", "create", "t", "--target", "a:1"}, "--group GROUP is needed"},
      Row{{"tunnel", "create", "t", "--group", "g"}, "--target HOST:PORT is needed"},
      Row{{"tunnel", "create", "t", "--group", "g", "--target", "a:1", "--connections", "0"},
          "--connections takes a whole number from 1 to 1000"},
      Row{{"tunnel", "create", "t", "--group", "g", "--target", "a:1", "--rate", "fast"},
          "--rate takes a whole number from 1"},
      Row{{"tunnel", "create", "t", "--group", "g", "--target", "a:1", "--idle", "999ms"}, "at least 1s"},
      Row{{"tunnel", "create", "t", "--group", "g", "--target", "a:1", "--expires", "soon"},
          "--expires takes a duration up to 366d, such as 8h, or a time"},
      Row{{"tunnel", "create", "t", "--group", "g", "--target", "a:1", "--expires", "100000000d"}, "not '100000000d'"},
      Row{{"tunnel", "show"}, "TUNNEL is missing"},
      Row{{"tunnel", "open", "t", "--"}, "nothing follows --: COMMAND goes there"},
      Row{{"tunnel", "open", "t", "curl", "-s", "x"}, "unknown option -s; if it is the COMMAND's, that goes behind --"},
      Row{{"tunnel", "open", "t", "psql", "--host=x"}, "unknown option --host; if it is the COMMAND's"},
      Row{{"tunnel", "open", "t", "curl", "-o"}, "--output needs table|json|yaml; if it is the COMMAND's"},
      Row{{"tunnel", "open", "t", "curl", "-o", "page"}, "not 'page'; if it is the COMMAND's"},
      Row{{"tunnel", "open", "t", "curl", "--help=x"}, "--help takes no value; if it is the COMMAND's"},
      Row{{"tunnel", "open", "t", "--lisen", "1"}, "(did you mean --listen?)"},
      Row{{"user", "role", "ada@x.test", "boss"}, "takes owner, editor, viewer, not 'boss'"},
      Row{{"organisation", "create", "acme"}, "--owner EMAIL is needed"},
      Row{{"login", "--root", "root.pem"}, "--relay URL is needed"},
      Row{{"login", "--relay", "https://x"}, "--root FILE is needed"},
      Row{{"login", "--relay", "http://x", "--root", "root.pem"}, "--relay takes https://HOST:PORT"},
      Row{{"audit", "list", "--limit", "0"}, "--limit takes a whole number from 1"},
      Row{{"audit", "list", "--since", "yesterday"}, "--since takes a time such as"},
      Row{{"completion", "tcsh"}, "takes bash, zsh, fish, not 'tcsh'"},
      Row{{"agent", "token"}, "agent token: a verb is missing"},
      Row{{"agent", "crate"}, "unknown command 'agent crate'"},
      Row{{"expresion", "eval", "1"}, "did you mean 'expression eval'?"});
  INFO(fmt::format("{}", fmt::join(row.words, " ")));
  const auto ran = run_cli(row.words, {.in = "", .environment = {{"HOME", "/nonexistent"}}, .tune = {}});
  CHECK(ran.code == kUsage);
  CHECK(ran.out.empty());
  CHECK_THAT(ran.err, Catch::Contains(std::string(row.says)));
}

TEST_CASE("a right command without a login is another matter", "[cli][usage]") {
  const auto ran = run_cli({"jobs", "list"}, {.in = "", .environment = {{"HOME", "/nonexistent"}}, .tune = {}});
  CHECK(ran.code == kNotAllowed);
  CHECK_THAT(ran.err, Catch::Contains("not logged in; run: sallyport login"));
}

TEST_CASE("every command explains itself, however it is asked", "[cli][usage]") {
  for (const auto& command : all_commands()) {
    const auto name = name_of(command);
    INFO(name);
    auto ask = [&](std::string_view help) {
      auto words = words_of(command);
      words.emplace_back(help);
      return run_cli(words);
    };
    const auto ran = ask("--help");
    CHECK(ran.code == kDone);
    CHECK(ran.err.empty());
    CHECK_THAT(ran.out, Catch::StartsWith("usage: sallyport " + name));
    CHECK_THAT(ran.out, Catch::Contains(std::string(command.help)) && Catch::Contains("Exit codes:"));
    for (const auto& option : command.options)
      CHECK_THAT(ran.out,
                 Catch::Contains(fmt::format("--{}", option.name)) && Catch::Contains(std::string(option.help)));
    CHECK(ask("-h").out == ran.out);
    auto words = words_of(command);
    words.insert(words.begin(), "help");
    CHECK(run_cli(words).out == ran.out);
  }
}

TEST_CASE("help comes before every other check, and not from a value", "[cli][usage]") {
  CHECK(run_cli({"jobs", "list", "--limit", "x", "-h"}).code == kDone);
  CHECK(run_cli({"jobs", "show", "--help"}).code == kDone);
  CHECK(run_cli({"recipes", "validate", "--", "-h"}).code == kFailed);  // a file of that name
}

TEST_CASE("the version, as people ask for it", "[cli][usage]") {
  const auto version = run_cli({"--version"});
  CHECK(version.code == kDone);
  CHECK(version.out == run_cli({"version"}).out);
  CHECK_THAT(version.out, Catch::StartsWith("sallyport "));
  const auto json = parse_json(run_cli({"version", "-o", "json"}).out);
  REQUIRE(json);
  CHECK(text_of(*json, "name") + " " + text_of(*json, "version") + "\n" == version.out);
  CHECK_THAT(run_cli({"--version", "-o", "yaml"}).out, Catch::StartsWith("name: sallyport\nversion: "));
}

TEST_CASE("nouns list their verbs", "[cli][usage]") {
  const auto agents = run_cli({"agents", "--help"});
  CHECK(agents.code == kDone);
  CHECK_THAT(agents.out, Catch::Contains("agent token create --group GROUP") && !Catch::Contains("jobs"));
  const auto all = run_cli({"help"});
  CHECK(all.code == kDone);
  for (const auto& command : all_commands()) CHECK_THAT(all.out, Catch::Contains("  " + name_of(command)));
  CHECK(run_cli({}).code == kUsage);
}

TEST_CASE("what looks like an option may still be an expression", "[cli][usage]") {
  CHECK(run_cli({"expression", "eval", "-1 + 3"}).out == "int  2\n");
  CHECK(run_cli({"expression", "eval", "-1"}).out == "int  -1\n");
}
