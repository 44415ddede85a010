#include "relay/cli/completion.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/relay/cli/cli_run.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

std::vector<std::string> offered(std::vector<std::string> words) {
  std::vector<std::string> names;
  for (const auto& candidate : complete(all_commands(), std::move(words)).words) names.push_back(candidate.word);
  return names;
}

using Words = std::vector<std::string>;

// What a shell prints for a script, with the built program in front of PATH and an empty home.
std::string output_of(std::string_view shell, std::string_view arguments, std::string_view script) {
  const TempDir folder;
  const auto file = folder.write("try", script);
  const auto command =
      fmt::format("cd {} && HOME={} PATH={}:$PATH {} {} {} 2>&1", folder.path(), folder.path(),
                  std::filesystem::absolute(std::getenv("SALLYPORT_BIN")).string(), shell, arguments, file);
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  char chunk[4096];
  while (const auto size = std::fread(chunk, 1, sizeof chunk, pipe)) text.append(chunk, size);
  CHECK(::pclose(pipe) == 0);
  return text;
}

// ctest names the folder of the programs; the packages of the shells are among those that ./dev test installs.
bool can_run(std::string_view shell) {
  const bool found = std::getenv("SALLYPORT_BIN") != nullptr &&
                     std::system(fmt::format("command -v {} >/dev/null", shell).c_str()) == 0;
  if (!found) WARN("no " << shell << " or no SALLYPORT_BIN: its script was not run");
  return found;
}

}  // namespace

TEST_CASE("completion goes word by word", "[cli][completion]") {
  CHECK(offered({"agent", ""}) == Words{"list", "show", "rename", "move", "revoke", "reenrol", "token"});
  CHECK(offered({"agent", "token", ""}) == Words{"create", "list", "revoke"});
  CHECK(offered({"agents", "to"}) == Words{"token"});
  CHECK(offered({"age"}) == Words{"agent"});
  CHECK(offered({"agent", "create", ""}).empty());  // no such verb
  CHECK(offered({"nowhere", ""}).empty());
  CHECK(offered({"completion", ""}) == Words{"bash", "zsh", "fish"});
  CHECK(offered({"user", "role", "ada@x.test", "e"}) == Words{"editor"});
}

TEST_CASE("options are offered until they are given", "[cli][completion]") {
  const Words all{"--group", "--max-uses", "--expires-in", "--output", "--relay", "--help"};
  CHECK(offered({"agent", "token", "create", "-"}) == all);
  CHECK(offered({"agent", "token", "create", ""}) == all);  // nothing else fits there
  const Words rest{"--max-uses", "--expires-in", "--relay", "--help"};
  CHECK(offered({"agent", "token", "create", "--group", "dc1", "-o", "json", "-"}) == rest);
  CHECK(offered({"jobs", "start", "orders", "--pr"}) == Words{"--priority"});
  CHECK(offered({"login", "--rel"}) == Words{"--relay"});  // once, though it is a common one too
}

TEST_CASE("values are offered where they are known", "[cli][completion]") {
  const Words formats{"table", "json", "yaml"};
  CHECK(offered({"jobs", "list", "-o", ""}) == formats);
  CHECK(offered({"jobs", "list", "--output", "="}) == formats);  // as bash cuts it
  CHECK(offered({"jobs", "list", "--output", "=", "j"}) == Words{"json"});
  CHECK(offered({"jobs", "list", "--output=j"}) == Words{"--output=json"});
  CHECK(offered({"jobs", "list", "--state", "d"}) == Words{"dispatched", "dead"});
  CHECK(offered({"jobs", "list", "--recipe", ""}).empty());
  CHECK(complete(all_commands(), {"recipes", "apply", "-f", ""}).files);
  CHECK(complete(all_commands(), {"recipes", "validate", ""}).files);
  CHECK_FALSE(complete(all_commands(), {"recipes", "activate", ""}).files);
}

TEST_CASE("every word that completion offers leads to a command", "[cli][completion]") {
  for (const auto& noun : offered({""})) {
    INFO(noun);
    for (const auto& verb : offered({noun, ""})) {
      INFO(verb);
      if (verb.starts_with("-") || noun == "completion" || noun == "expression") continue;
      CHECK(run_cli({noun, verb, "--help"}).code == kDone);
    }
  }
}

TEST_CASE("the program answers its scripts", "[cli][completion]") {
  const auto ran = run_cli({"__complete", "--", "recipes", "apply", "-f", ""});
  CHECK(ran.code == kDone);
  CHECK(ran.out == ":files\n");
  CHECK_THAT(run_cli({"__complete", "--", "group", ""}).out, Catch::Contains("create\tmake an agent group\n"));
  CHECK(run_cli({"__complete"}).code == kDone);
}

TEST_CASE("bash completes with its script", "[cli][completion]") {
  if (!can_run("bash")) return;
  const auto out = output_of("bash", "--norc", R"(set -u
source <(sallyport completion bash)
complete -p sallyport
try() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _sallyport; printf '%s|' "${COMPREPLY[@]}"; echo; }
touch "a file" afile
try sallyport agent token ""
try sallyport agent ""
try sallyport jobs list --output = j
try sallyport user rem
try sallyport recipes apply -f a
try "sallyport" "it's" ""
)");
  CHECK_THAT(out, Catch::Contains("-F _sallyport sallyport"));
  CHECK_THAT(out,
             Catch::Contains("create|list|revoke|\nlist|show|rename|move|revoke|reenrol|token|\njson|\nremove|\n"));
  CHECK_THAT(out, Catch::Contains("a file|afile|\n") || Catch::Contains("afile|a file|\n"));
  CHECK_THAT(out, Catch::EndsWith("\n|\n"));
}

TEST_CASE("zsh completes with its script", "[cli][completion]") {
  if (!can_run("zsh")) return;
  const auto out = output_of("zsh", "-f", R"(
compdef() { print "compdef $*" }
compadd() { print -r -- "${(j:|:)found} ${(j:|:)shown}" }
_files() { print "files" }
source <(sallyport completion zsh)
try() { words=("$@") CURRENT=$#; _sallyport || true; }
try sallyport agent token ""
try sallyport recipes apply -f ""
try sallyport agents "li"
try sallyport user rem
try sallyport nowhere ""
)");
  CHECK_THAT(out,
             Catch::StartsWith("compdef _sallyport sallyport\ncreate|list|revoke create  -- make an enrolment token"));
  CHECK_THAT(out, Catch::Contains("\nfiles\nlist list  -- agents"));
  CHECK_THAT(out, Catch::EndsWith("remove remove  -- remove a user, by e-mail address or id, and their tokens\n"));
}

TEST_CASE("fish completes with its script", "[cli][completion]") {
  if (!can_run("fish")) return;
  const auto out = output_of("fish", "--no-config", R"(
sallyport completion fish | source
touch "a file"
complete -C "sallyport agent token "
complete -C "sallyport jobs list --output="
complete -C "sallyport user ro"
complete -C "sallyport recipes apply -f a"
)");
  CHECK_THAT(out, Catch::StartsWith("create\tmake an enrolment token: one string, shown once\nlist\t"));
  CHECK_THAT(out, Catch::Contains("--output=json\n"));
  CHECK_THAT(out, Catch::Contains("role\tchange the role of a user, by e-mail address or id\n"));  // no quote breaks it
  CHECK_THAT(out, Catch::Contains("a file") || Catch::Contains("a\\ file"));
}
