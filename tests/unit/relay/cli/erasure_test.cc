#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "tests/unit/relay/cli/cli_site.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <fstream>
#include <set>
#include <sstream>

// `export`, `erase` and `history`.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// A machine on which somebody erases while the command waits.
Surroundings erasing(CliSite& site) {
  auto machine = site.machine();
  machine.tune = [&site](Context& context) {
    context.pause = [&site](std::chrono::milliseconds) { site.on_loop(site.world.eraser.look()); };
  };
  return machine;
}

// Whose time passes while they wait.
void impatient(Context& context) {
  const auto clock = std::make_shared<MovableClock>();
  clock->freeze();
  context.clock = clock;
  context.pause = [clock](std::chrono::milliseconds wait) { clock->advance(wait); };
}

std::string id_in(std::string_view text) {
  const auto at = text.find("era_");
  return at == text.npos ? "" : std::string(text.substr(at, 30));
}

void write(const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; }

}  // namespace

TEST_CASE("an export is lines of JSON, the last of which fits all before it", "[cli][export]") {
  CliSite site;
  site.login(Role::owner);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"export", "organisation"}, {"export", "person", "editor@acme.test"}}) {
    const auto ran = site.run(words);
    REQUIRE(ran.code == kDone);
    auto lines = lines_of(ran.out);
    REQUIRE(lines.size() > 3);
    const auto end = *must(parse_json(lines.back())).find("end");
    lines.pop_back();
    CHECK(end.find("lines")->as_int() == static_cast<std::int64_t>(lines.size()));
    std::string before;
    for (const auto& line : lines) before += line + "\n";
    CHECK(text_of(end, "sha256") == hex(crypto::sha256(before)));
    CHECK(must(parse_json(lines.front())).find("manifest") != nullptr);
    CHECK_THAT(before, Catch::Contains("editor@acme.test"));
  }
  CHECK(site.run({"export", "person", "nobody@acme.test"}).code == kNotFound);
  site.login(Role::editor);
  CHECK(site.run({"export", "organisation"}).code == kNotAllowed);
}

TEST_CASE("an export that misses what should be there fails, and says so; what has expired is not missing",
          "[cli][export]") {
  const auto exported = [](std::string_view manifest, std::string_view unreadable) {
    ScriptedRelay relay([&](const ScriptedRelay::Asked&, std::size_t turn) {
      return text_reply(200, fmt::format(R"({{"items":[],"next":{},"manifest":{},"unreadable":{}}})",
                                         turn == 0 ? R"("more")" : "null", turn == 0 ? manifest : "null", unreadable));
    });
    return run_cli({"export", "organisation"}, relay.surroundings());
  };
  const std::string_view granted = R"({"payloads":true})";
  const auto expired = exported(granted, R"({"damaged":0,"expired":3,"key_unavailable":0})");
  CHECK(expired.code == kDone);
  CHECK(expired.err.empty());
  const auto end = *must(parse_json(lines_of(expired.out).back())).find("end");
  CHECK(end.find("unreadable")->find("expired")->as_int() == 6);
  const auto locked = exported(granted, R"({"damaged":1,"expired":0,"key_unavailable":2})");
  CHECK(locked.code == kFailed);
  CHECK_THAT(locked.err,
             Catch::Contains("not whole") && Catch::Contains("of 4 fields") && Catch::Contains("2 are damaged"));
  CHECK(must(parse_json(lines_of(locked.out).back())).find("end") != nullptr);
  const auto narrow = exported(R"({"payloads":false})", R"({"damaged":0,"expired":0,"key_unavailable":0})");
  CHECK(narrow.code == kDone);
  CHECK_THAT(narrow.err, Catch::Contains("payloads:read"));
}

TEST_CASE("a person is erased with a word that confirms it, and the receipt is verified offline", "[cli][erasure]") {
  CliSite site;
  site.login(Role::owner);
  CHECK(site.run({"erase", "person", "editor@acme.test"}).code == kUsage);
  CHECK(site.run({"erase", "person", "editor@acme.test", "--confirm", "yes"}).code != kDone);
  const auto erased =
      run_cli({"erase", "person", "editor@acme.test", "--confirm", "erase", "-o", "json"}, erasing(site));
  REQUIRE(erased.code == kDone);
  const auto erasure = must(parse_json(erased.out));
  CHECK(text_of(erasure, "state") == "erased");
  CHECK(id_in(erased.err) == text_of(erasure, "id"));
  const auto receipt = site.folder.path("receipt.json"), key = site.folder.path("key.pem");
  write(receipt, erased.out);
  write(key, site.run({"erase", "key"}).out);
  const auto verified = run_cli({"erase", "verify", receipt, "--key", key});
  CHECK(verified.code == kDone);
  CHECK_THAT(verified.out, Catch::Contains("genuine: signed with"));
  auto edited = erased.out;
  edited.replace(edited.find("\"users\": 1"), 10, "\"users\": 2");
  write(receipt, edited);
  CHECK(run_cli({"erase", "verify", receipt, "--key", key}).code == kFailed);
  const auto shown = site.run({"erase", "show", text_of(erasure, "id")});
  CHECK_THAT(shown.out, Catch::Contains("erased") && Catch::Contains("signature"));
  CHECK(site.run({"user", "list"}).out.find("editor@acme.test") == std::string::npos);
}

TEST_CASE("an owner erases the organisation by its name, and gets the receipt without a token", "[cli][erasure]") {
  CliSite site;
  site.login(Role::owner);
  CHECK(site.run({"erase", "organisation", "another", "--confirm", "erase"}).code == kFailed);
  const auto erased = run_cli({"erase", "organisation", "acme", "--confirm", "erase"}, erasing(site));
  CHECK(erased.code == kDone);
  CHECK_THAT(erased.out, Catch::Contains("erased") && Catch::Contains("anchor_after"));
  CHECK(site.run({"jobs", "list"}).code == kNotAllowed);
}

TEST_CASE("a job's export and log that miss what should be there fail, and say so", "[cli][history][log]") {
  const auto asked = [](std::string_view command, std::string_view verb, std::string_view code) {
    const auto unreadable = fmt::format(R"({{"$unreadable":"why\u001b","code":"{}"}})", code);
    ScriptedRelay relay([&](const ScriptedRelay::Asked& call, std::size_t turn) {
      const bool again = turn > 0;
      if (call.path.find("/events") != std::string::npos) {
        return text_reply(200, again
                                   ? R"({"items":[],"after":null})"
                                   : fmt::format(R"({{"items":[{{"kind":"log","text":{}}}],"after":1}})", unreadable));
      }
      if (call.path.find("/steps") != std::string::npos) {
        return text_reply(
            200,
            fmt::format(R"({{"items":[{{"path":"a","input":{{"x":[{0}]}},"output":{0}}}],"next":null}})", unreadable));
      }
      return text_reply(200, R"({"id":"job_01J9Z3ZZZZZZZZZZZZZZZZZZZZ"})");
    });
    return run_cli({std::string(command), std::string(verb), "job_01J9Z3ZZZZZZZZZZZZZZZZZZZZ"}, relay.surroundings());
  };
  const auto log = asked("jobs", "log", "key_unavailable");
  CHECK(log.code == kFailed);
  CHECK_THAT(log.out, Catch::Contains("$unreadable") && !Catch::Contains("\x1b["));
  CHECK_THAT(log.err, Catch::Contains("the log is not whole: of 1 fields") && Catch::Contains("sallyport keys show"));
  const auto exported = asked("history", "export", "key_unavailable");
  CHECK(exported.code == kFailed);
  CHECK_THAT(exported.err, Catch::Contains("the export is not whole: of 2 fields"));
  CHECK_THAT(asked("history", "export", "damaged").err, Catch::Contains("2 are damaged"));
  const auto lost = asked("history", "export", "given_up");
  CHECK(lost.code == kFailed);
  CHECK_THAT(lost.err, Catch::Contains("of 2 it was given up"));
  for (const std::string_view command : {"jobs", "history"}) {
    const auto expired = asked(command, command == "jobs" ? "log" : "export", "expired");
    CHECK(expired.code == kDone);
    CHECK(expired.err.empty());
  }
}

TEST_CASE("an erasure that goes on is told with the command that asks for it", "[cli][erasure]") {
  CliSite site;
  site.login(Role::owner);
  auto machine = site.machine();
  machine.tune = impatient;
  const auto ran = run_cli({"erase", "person", "editor@acme.test", "--confirm", "erase"}, machine);
  CHECK(ran.code == kFailed);
  CHECK_THAT(ran.err, Catch::Contains("sallyport erase show era_"));
}

TEST_CASE("an erasure's id is told before it is ordered, and the command outlives a relay that is away",
          "[cli][erasure]") {
  for (const bool answered : {true, false}) {
    ScriptedRelay relay([&](const ScriptedRelay::Asked& asked, std::size_t turn) {
      if (asked.path == "/v1/organisation/erase")
        return answered ? text_reply(202, R"({"id":"x","state":"erasing"})") : text_reply(503);
      if (turn == 0) return text_reply(200, R"({"state":"erasing"})");
      return turn < 6 ? text_reply(503, R"({"title":"Unavailable"})") : text_reply(200, R"({"state":"erased"})");
    });
    auto machine = relay.surroundings();
    machine.tune = impatient;
    const auto ran = run_cli({"erase", "organisation", "acme", "--confirm", "erase"}, machine);
    INFO(ran.err);
    CHECK(ran.code == kDone);
    const auto id = id_in(ran.err);
    CHECK(relay.asked("/v1/erasures/" + id).size() == 7);
    CHECK_THAT(ran.err, Catch::Contains("sallyport erase show " + id) && Catch::Contains("; trying again"));
  }
}

TEST_CASE("whatever goes wrong after the order names the command that finds the erasure", "[cli][erasure]") {
  for (const int status : {404, 500, 503}) {
    for (const int ordered : {202, 500, 503}) {
      ScriptedRelay relay([&](const ScriptedRelay::Asked& asked, std::size_t) {
        return text_reply(asked.path == "/v1/organisation/erase" ? ordered : status, R"({"state":"erasing"})");
      });
      auto machine = relay.surroundings();
      machine.tune = impatient;
      const auto ran = run_cli({"erase", "organisation", "acme", "--confirm", "erase"}, machine);
      INFO(ran.err);
      CHECK(ran.code != kDone);
      const auto last = ran.err.substr(ran.err.rfind("sallyport: "));
      CHECK_THAT(last, Catch::Contains("sallyport erase show era_"));
      CHECK(relay.asked("/v1/erasures/" + id_in(ran.err)).size() <= 605);
    }
  }
}

TEST_CASE("an order that is refused is not waited for", "[cli][erasure]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked&, std::size_t) { return text_reply(409, R"({"title":"No"})"); });
  const auto ran = run_cli({"erase", "organisation", "acme", "--confirm", "erase"}, relay.surroundings());
  CHECK(ran.code == kFailed);
  CHECK(relay.asked("/v1/erasures/" + id_in(ran.err)).empty());
}

TEST_CASE("the history is of jobs that have ended, with where their time went and until when they are kept",
          "[cli][history]") {
  CliSite site;
  site.login(Role::owner);
  site.settle_recipe("orders");
  const auto ended = site.start("orders");
  site.finish(ended, domain::JobState::failed);
  const auto waiting = site.start("orders");
  const auto last = site.start("orders");
  site.finish(last, domain::JobState::succeeded);
  const auto cut = site.run({"history", "list", "--limit", "1"});
  CHECK_THAT(cut.err, Catch::Contains("there are more"));
  const auto part = site.json({"history", "list", "--limit", "1"});
  const auto rest = site.json({"history", "list", "--limit", "1", "--cursor", text_of(part, "next")});
  CHECK(std::set{text_of(first_of(part), "id"), text_of(first_of(rest), "id")} == std::set{last.value, ended.value});
  CHECK(count_of(rest) == 1);
  const auto list = site.json({"history", "list", "--state", "failed"});
  REQUIRE(count_of(list) == 1);
  CHECK(text_of(first_of(list), "id") == ended.value);
  CHECK(count_of(site.json({"history", "list"})) == 2);
  CHECK(count_of(site.json({"history", "list", "--state", "timed_out"})) == 0);
  CHECK(count_of(site.json({"history", "list", "--recipe", "orders", "--until", "2100-01-01T00:00:00Z"})) == 2);
  CHECK(count_of(site.json({"history", "list", "--until", "2001-01-01T00:00:00Z"})) == 0);
  CHECK(count_of(site.json({"history", "list", "--since", "2100-01-01T00:00:00Z"})) == 0);
  const auto shown = site.run({"history", "show", ended.value});
  CHECK(shown.code == kDone);
  CHECK_THAT(shown.out, Catch::Contains("WAITED") && Catch::Contains("UNTIL") && Catch::Contains("rows"));
  const auto lines = lines_of(site.run({"history", "export", ended.value}).out);
  REQUIRE(lines.size() == 6);  // the job, its step and four events
  CHECK(must(parse_json(lines[0])).find("job") != nullptr);
  CHECK(must(parse_json(lines[1])).find("step") != nullptr);
  CHECK(must(parse_json(lines[5])).find("event") != nullptr);
}

TEST_CASE("what was shredded is told in a signed receipt", "[cli][keys]") {
  CliSite site;
  site.login(Role::viewer);
  const auto receipt = site.json({"keys", "receipt"});
  CHECK(text_of(*receipt.find("document"), "organisation") == site.tenant.org.value);
}
