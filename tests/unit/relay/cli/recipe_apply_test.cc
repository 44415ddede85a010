#include "relay/cli/commands.h"
#include "relay/cli/completion.h"
#include "shared/base/json.h"
#include "tests/unit/relay/cli/cli_site.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// Several recipes at once, by hand or from a folder: `sallyport recipes apply recipes/*.yaml`.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

namespace {

std::string write_recipe(CliSite& site, const std::string& name) {
  return site.folder.write(name + ".yaml", recipe_yaml(name));
}

std::vector<Value> documents_of(const std::string& text) {
  std::vector<Value> documents;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    auto document = parse_json(text.substr(at, end - at));
    REQUIRE(document);
    documents.push_back(*std::move(document));
    at = end + 1;
  }
  return documents;
}

}  // namespace

TEST_CASE("files are applied one after the other, whichever way each is named", "[cli][recipes-apply]") {
  CliSite site;
  site.login(Role::editor);
  const auto a = write_recipe(site, "a"), b = write_recipe(site, "b"), c = write_recipe(site, "c");
  const auto ran = site.run({"recipes", "apply", a, "-f", b, "-", "--file=" + c, "--activate"}, recipe_yaml("d"));
  INFO(ran.err);
  CHECK(ran.code == kDone);
  CHECK(ran.out ==
        "b: created version 1\nb: version 1 is active\nc: created version 1\nc: version 1 is active\n"
        "a: created version 1\na: version 1 is active\nd: created version 1\nd: version 1 is active\n");
  CHECK(site.run({"recipes", "apply", a}).out == "a: unchanged, the same as version 1\n");
  CHECK(site.run({"recipes", "apply", "-"}, recipe_yaml("d")).out == "d: unchanged, the same as version 1\n");
}

TEST_CASE("a file that fails is named, and keeps no other from being applied", "[cli][recipes-apply]") {
  CliSite site;
  site.login(Role::editor);
  const auto a = write_recipe(site, "a"), d = write_recipe(site, "d");
  const auto wrong = site.folder.write("wrong.yaml", "recipe: wrong\nrun_onn: dc1\n");
  const auto nowhere = site.folder.write("nowhere.yaml", recipe_yaml("nowhere", "dc9"));
  const auto absent = site.folder.path("absent.yaml"), folder = site.folder.path("");
  const auto ran = site.run({"recipes", "apply", a, wrong, absent, folder, nowhere, d, "--activate"});
  CHECK(ran.code == kFailed);
  CHECK(ran.out ==
        "a: created version 1\na: version 1 is active\nnowhere: created version 1\n"
        "d: created version 1\nd: version 1 is active\n");
  CHECK_THAT(ran.err, Catch::Contains(wrong + ":2:1") && !Catch::Contains(wrong + ": " + wrong));
  CHECK_THAT(ran.err, Catch::Contains(absent + ": No such file or directory\n"));
  CHECK_THAT(ran.err, Catch::Contains(folder + ": cannot read it to its end: Is a directory\n"));
  CHECK_THAT(ran.err, Catch::Contains(nowhere + ": version 1 is not active: ") && Catch::Contains("\"dc9\""));
  CHECK_THAT(ran.err, Catch::EndsWith("4 of 6 files failed\n"));
}

TEST_CASE("what every file would meet ends it, with the exit code that says so", "[cli][recipes-apply]") {
  CliSite site;
  const auto a = write_recipe(site, "a"), b = write_recipe(site, "b");
  site.login(Role::viewer);
  CHECK(site.run({"recipes", "apply", a}).code == kNotAllowed);
  const auto several = site.run({"recipes", "apply", a, b});
  CHECK(several.code == kNotAllowed);
  CHECK_THAT(several.err, Catch::Contains(a + " (file 1 of 2)") && !Catch::Contains(b));
  auto away = site.machine();
  away.environment.insert({{"SALLYPORT_RELAY", "https://127.0.0.1:1"}, {"SALLYPORT_TOKEN", "spt_x"}});
  const auto gone = run_cli({"recipes", "apply", a, b}, away);
  CHECK(gone.code == kUnreachable);
  CHECK_THAT(gone.err, !Catch::Contains(b));
}

TEST_CASE("a recipe that two files hold is refused before it makes versions for ever", "[cli][recipes-apply]") {
  CliSite site;
  site.login(Role::editor);
  const auto a = write_recipe(site, "a"), again = site.folder.write("again.yaml", recipe_yaml("a", "dc1", "other"));
  const auto ran = site.run({"recipes", "apply", a, again});
  CHECK(ran.code == kFailed);
  CHECK(ran.out == "a: created version 1\n");
  CHECK_THAT(ran.err, Catch::Contains(fmt::format("{}: the recipe a is in {} already\n", again, a)));
}

TEST_CASE("programs get one document for each file that was applied", "[cli][recipes-apply]") {
  CliSite site;
  site.login(Role::editor);
  const auto a = write_recipe(site, "a"), b = write_recipe(site, "b");
  const auto wrong = site.folder.write("wrong.yaml", "recipe: wrong\n");
  const auto ran = site.run({"recipes", "apply", a, wrong, b, "-o", "json"});
  CHECK(ran.code == kFailed);
  const auto told = documents_of(ran.out);
  REQUIRE(told.size() == 2);
  CHECK(text_of(told[0], "file") == a);
  CHECK(text_of(told[1], "file") == b);
  CHECK(text_of(told[1], "outcome") == "recipe_created");
  const auto alone = site.json({"recipes", "apply", a});
  CHECK(text_of(alone, "outcome") == "unchanged");
  CHECK(alone.find("file") == nullptr);
}

TEST_CASE("wrong usage of apply is told before anything is asked", "[cli][recipes-apply]") {
  const auto none = run_cli({"recipes", "apply", "--activate"});
  CHECK(none.code == kUsage);
  CHECK_THAT(none.err, Catch::Contains("give one FILE or more (- reads standard input)"));
  const auto twice = run_cli({"recipes", "apply", "-", "-f", "-"});
  CHECK(twice.code == kUsage);
  CHECK_THAT(twice.err, Catch::Contains("standard input can be read once only"));
  CHECK(run_cli({"recipes", "apply", "a.yaml", "-f"}).code == kUsage);
  const auto help = run_cli({"recipes", "apply", "--help"});
  CHECK_THAT(help.out, Catch::Contains("usage: sallyport recipes apply [FILE...] [options]") &&
                           Catch::Contains("--file FILE...") && Catch::Contains("exit code is 0 only when all"));
}

TEST_CASE("completion offers files for apply, one after the other", "[cli][recipes-apply][completion]") {
  const auto commands = all_commands();
  for (const auto& words : std::vector<std::vector<std::string>>{{"recipes", "apply", ""},
                                                                 {"recipes", "apply", "a.yaml", ""},
                                                                 {"recipes", "apply", "-f", ""},
                                                                 {"recipes", "apply", "-f", "a.yaml", "-f", ""}}) {
    INFO(fmt::format("{}", fmt::join(words, " ")));
    CHECK(complete(commands, words).files);
  }
  const auto options = to_text(complete(commands, {"recipes", "apply", "-f", "a.yaml", "--activate", "--"}));
  CHECK_THAT(options, Catch::Contains("--file\t") && !Catch::Contains("--activate\t"));
}
