#include "relay/cli/job_watch.h"
#include "relay/cli/client.h"
#include "shared/base/json.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// Watching a job at a relay that falls silent, breaks off, restarts.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

const std::string kJob = "job_01J0000000000000000000000A";
const std::string kJobPath = "/v1/jobs/" + kJob;
const std::string kWatchPath = kJobPath + "/watch";

std::string job_json(std::string_view state) { return fmt::format(R"({{"id":"{}","state":"{}"}})", kJob, state); }
Beat job_is(std::string_view state) { return {.event = {"", "job", job_json(state)}}; }
Beat step(int seq, std::string_view path) {
  return {.event = {std::to_string(seq), "step.started",
                    fmt::format(R"({{"seq":{},"at":"2026-01-31T09:30:00.000Z","kind":"step.started","path":"{}"}})",
                                seq, path)}};
}
const Beat kEnd{.event = {"", "end", R"({"reason":"succeeded"})"}};

struct Watched {
  Ran ran;
  std::vector<std::chrono::milliseconds> waits;
};

Watched watch(const ScriptedRelay& relay, std::vector<std::string> more = {},
              const std::function<void(Context&)>& tune = {}) {
  Watched watched;
  auto around = relay.surroundings();
  around.tune = [&](Context& context) {
    context.pause = [&](std::chrono::milliseconds wait) { watched.waits.push_back(wait); };
    if (tune) tune(context);
  };
  std::vector<std::string> words{"jobs", "watch", kJob};
  words.insert(words.end(), more.begin(), more.end());
  watched.ran = run_cli(words, around);
  return watched;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a watch outlives a relay that is away for a while, with waits between its tries", "[cli][watch]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked& asked, std::size_t turn) {
    if (asked.path == kJobPath) return text_reply(200, job_json("running"));
    if (turn == 0) return events_reply({job_is("running"), step(1, "rows")});
    if (turn < 16) return text_reply(503, R"({"title":"Unavailable"})");
    return events_reply({job_is("succeeded"), step(2, "done"), kEnd});
  });
  const auto [ran, waits] = watch(relay);
  INFO(ran.err);
  CHECK(ran.code == kDone);
  CHECK_THAT(ran.out, Catch::EndsWith(kJob + " succeeded\n"));
  CHECK(count_of(ran.err, "; trying again\n") == 1);
  REQUIRE(waits.size() == 16);
  for (const auto wait : waits) CHECK(wait >= 250ms);
  CHECK(waits[15] >= 5s);
  CHECK(relay.asked(kWatchPath).back().last_event_id == "1");
}

TEST_CASE("after a lost connection no event is told twice", "[cli][watch]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked& asked, std::size_t turn) {
    if (asked.path == kJobPath) return text_reply(200, job_json("running"));
    if (turn == 0) return events_reply({job_is("running"), step(1, "rows")});
    if (turn == 1)
      return events_reply({job_is("running"), {.event = {"", "closed", R"({"reason":"the relay stops"})"}}});
    return events_reply({job_is("running"), step(1, "rows"), step(2, "done"), job_is("succeeded"), kEnd});
  });
  const auto [ran, waits] = watch(relay, {"-o", "json"});
  CHECK(ran.code == kDone);
  CHECK(count_of(ran.out, R"("event":"job")") == 2);  // running, succeeded
  CHECK(count_of(ran.out, R"("path":"rows")") == 1);
  CHECK(count_of(ran.out, R"("path":"done")") == 1);
  CHECK(count_of(ran.out, "\n") == 4);
  CHECK(waits.size() == 2);
}

TEST_CASE("a stream without a byte is lost and asked for again", "[cli][watch]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked& asked, std::size_t turn) {
    if (asked.path == kJobPath) return text_reply(200, job_json("running"));
    if (turn == 0) return silent_reply({job_is("running"), step(7, "rows")});
    return events_reply({job_is("succeeded"), kEnd});
  });
  const auto [ran, waits] = watch(relay, {}, [](Context& context) { context.silence = 500ms; });
  CHECK(ran.code == kDone);
  CHECK(waits.size() == 1);
  CHECK(relay.asked(kWatchPath).back().last_event_id == "7");
}

TEST_CASE("signs of life keep a quiet stream, however few bytes they are", "[cli][watch]") {
  const Beat beat{.after = 800ms, .event = {}};
  ScriptedRelay relay([&](const ScriptedRelay::Asked& asked, std::size_t turn) {
    if (asked.path == kJobPath) return text_reply(200, job_json("running"));
    if (turn > 0) return text_reply(500);
    return events_reply({job_is("running"), beat, beat, beat, beat, job_is("succeeded"), kEnd});
  });
  const auto [ran, waits] = watch(relay, {}, [](Context& context) { context.silence = 1500ms; });
  CHECK(ran.code == kDone);
  CHECK(waits.empty());
  CHECK(relay.asked(kWatchPath).size() == 1);
}

TEST_CASE("a watch gives up when patience ends, and says that the job goes on", "[cli][watch]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked& asked, std::size_t) {
    return asked.path == kJobPath ? text_reply(200, job_json("running"))
                                  : text_reply(503, R"({"title":"Unavailable"})");
  });
  const auto [ran, waits] =
      watch(relay, {}, [](Context& context) { context.patience = {.first = 1ms, .longest = 1ms, .give_up = 300ms}; });
  CHECK(ran.code == kUnreachable);
  CHECK_FALSE(waits.empty());
  CHECK_THAT(ran.err, Catch::Contains("gave up; the job goes on, see: sallyport jobs show " + kJob));
}

TEST_CASE("what waiting cannot mend ends a watch at once", "[cli][watch]") {
  struct Row {
    int status;
    int code;
  };
  const auto row = GENERATE(Row{401, kNotAllowed}, Row{403, kNotAllowed}, Row{404, kNotFound}, Row{500, kFailed});
  ScriptedRelay relay([&](const ScriptedRelay::Asked& asked, std::size_t turn) {
    if (asked.path == kJobPath) return text_reply(200, job_json("running"));
    return turn == 0 ? events_reply({job_is("running")}) : text_reply(row.status, R"({"title":"No"})");
  });
  const auto [ran, waits] = watch(relay);
  CHECK(ran.code == row.code);
  CHECK(waits.size() == 1);
}

TEST_CASE("a step that failed is told with its class and message", "[cli][watch]") {
  const std::string begin =
      R"({"seq":7,"at":"2026-01-31T09:30:00.000Z","kind":"step.finished","path":"rows","attempt":2,"status":"failed",)";
  struct Row {
    std::string why;
    std::string line;
  };
  const auto row = GENERATE(
      Row{R"("error_class":"connection","message":"no\u001b route")", "  attempt 2  (connection) no\\x1b route"},
      Row{R"("error_class":"timeout","message":"")", "  attempt 2  (timeout)"},
      Row{R"("error_class":"sqlstate:23505","message":{"$unreadable":"its key is gone"})",
          R"(  attempt 2  (sqlstate:23505) {"$unreadable":"its key is gone"})"},
      Row{R"("error_class":"","message":"","text":{"$unreadable":"its key is gone"})",
          R"(  attempt 2  {"$unreadable":"its key is gone"})"},
      Row{R"("error_class":"","message":"","text":"went\u001b well")", "  attempt 2  went\\x1b well"},
      Row{R"("error_class":"","message":"","text":"")", "  attempt 2"});
  const auto event = parse_json(begin + row.why + "}");
  REQUIRE(event);
  CHECK(history_line(*event) ==
        "2026-01-31T09:30:00.000Z  step.finished  rows                     failed" + row.line + "\n");
}

TEST_CASE("a job that failed is exit code 1, with its reason", "[cli][watch]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked& asked, std::size_t) {
    if (asked.path == kJobPath) return text_reply(200, job_json("running"));
    const auto failed = fmt::format(
        R"({{"id":"{}","state":"failed","error":{{"class":"connection","message":"no route\u001b[31m"}}}})", kJob);
    return events_reply({{.event = {"", "job", failed}}, kEnd});
  });
  const auto ran = watch(relay).ran;
  CHECK(ran.code == kFailed);
  CHECK(ran.out == kJob + " failed (connection) no route\\x1b[31m\n");
}

TEST_CASE("a relay with another certificate is not talked to", "[cli][client]") {
  const ScriptedRelay relay([](const ScriptedRelay::Asked&, std::size_t) { return text_reply(200, "{}"); });
  const ScriptedRelay other([](const ScriptedRelay::Asked&, std::size_t) { return text_reply(200, "{}"); });
  auto around = relay.surroundings();
  around.environment["SALLYPORT_ROOT"] = other.root();
  const auto ran = run_cli({"whoami"}, around);
  CHECK(ran.code == kUnreachable);
  CHECK(relay.asked("/v1/whoami").empty());
}
