#include "shared/base/json.h"
#include "tests/unit/relay/cli/cli_site.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// `keys`: what can be told of keys without one.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

TEST_CASE("an organisation's keys are shown and rotated, those of the platform by its admin", "[cli][keys]") {
  CliSite site;
  site.login(Role::owner);
  auto keys = site.json({"keys", "show"});
  const auto before = keys.find("versions")->as_list().size();
  keys = site.json({"keys", "rotate"});
  CHECK(keys.find("versions")->as_list().size() == before + 1);
  const auto table = site.run({"keys", "show"});
  CHECK_THAT(table.out, Catch::Contains("VERSION") && Catch::Contains("SHREDDED BEFORE"));

  CHECK(site.run({"keys", "platform", "show"}).code != kDone);
  auto machine = site.machine();
  machine.environment["SALLYPORT_TOKEN"] = site.on_loop(site.world.platform_token());
  const auto shown = run_cli({"keys", "platform", "show"}, machine);
  CHECK(shown.code == kDone);
  CHECK_THAT(shown.out, Catch::Contains("MASTER KEY") && Catch::Contains("file "));
  const auto rotated = run_cli({"keys", "platform", "rotate"}, machine);
  CHECK(rotated.code == kDone);
  CHECK_THAT(rotated.out, Catch::Contains("\n2 "));
}

TEST_CASE("an owner attaches and detaches the organisation's own key, and is told how it is", "[cli][keys]") {
  CliSite site;
  site.login(Role::owner);
  const auto before = site.json({"keys", "show"});
  CHECK(before.find("own")->is_null());
  CHECK_THAT(site.run({"keys", "show"}).out, !Catch::Contains("OWN KEY"));

  const auto attached = site.run({"keys", "attach", "file", "--name", "one"});
  CHECK(attached.code == kDone);
  CHECK_THAT(attached.out, Catch::Contains("OWN KEY") && Catch::Contains("in_use") && Catch::Contains("one"));
  CHECK_THAT(attached.out, !Catch::Contains("ENDPOINT") && !Catch::Contains("ADDRESS"));  // not of a file
  const auto own = site.json({"keys", "show"});
  CHECK(text_of(*own.find("own"), "kind") == "file");
  CHECK(text_of(*own.find("own")->find("place"), "name") == "one");

  const auto silent = site.run({"keys", "detach"});
  CHECK(silent.code == kUsage);
  CHECK_THAT(silent.err, Catch::Contains("--confirm"));
  CHECK(!site.json({"keys", "show"}).find("own")->is_null());
  const auto detached = site.run({"keys", "detach", "--confirm"});
  CHECK(detached.code == kDone);
  CHECK_THAT(detached.out, !Catch::Contains("OWN KEY"));
  const auto again = site.run({"keys", "detach", "--confirm"});
  CHECK(again.code == kNotFound);
  CHECK_THAT(again.err, Catch::Contains("has attached no key of its own"));
}

TEST_CASE("a key that is refused is shown with its reason, and one that cannot be attached changes nothing",
          "[cli][keys]") {
  CliSite site;
  site.login(Role::owner);
  site.on_loop([](World& world) -> asio::awaitable<void> {
    world.clock.freeze();
    world.key_places.kept.at("one").broken = Errc::forbidden;
    co_return;
  }(site.world));
  const auto failed = site.run({"keys", "attach", "file", "--name", "one"});
  CHECK(failed.code == kFailed);
  CHECK_THAT(failed.err, Catch::Contains("the key cannot be used") && Catch::Contains("nothing was changed"));
  CHECK(site.run({"keys", "attach", "file", "--name", "two"}).code == kDone);
  site.on_loop([](World& world) -> asio::awaitable<void> {
    world.key_places.kept.at("two").broken = Errc::forbidden;
    world.clock.advance(keys::kKeyLife);
    co_await world.own_keys.look();
  }(site.world));
  const auto shown = site.run({"keys", "show"});
  CHECK(shown.code == kDone);
  CHECK_THAT(shown.out, Catch::Contains("refused") && Catch::Contains("REASON") && Catch::Contains("planted"));
  const auto kept = site.run({"keys", "detach", "--confirm"});
  CHECK(kept.code == kUnreachable);
  CHECK_THAT(kept.err, Catch::Contains("must be there for this"));
  site.login(Role::viewer);
  const auto to_viewer = site.run({"keys", "show"});
  CHECK_THAT(to_viewer.out, Catch::Contains("refused") && Catch::Contains("SINCE"));
  CHECK_THAT(to_viewer.out, Catch::Contains("own key cannot be used") && !Catch::Contains("planted"));
  CHECK_THAT(to_viewer.out, !Catch::Contains("NAME"));
}

TEST_CASE("credentials of an own key come from a file or standard input, and are in no answer", "[cli][keys]") {
  CliSite site;
  site.login(Role::owner);
  const auto file = site.folder.write("aws", "canary-of-the-credentials\n");
  const std::vector<std::string> words{"keys", "attach", "aws_kms", "--region", "eu-central-1", "--key", "k"};
  for (const auto& [from, in] :
       {std::pair(file, std::string()), std::pair(std::string("-"), std::string("canary-of-"))}) {
    auto all = words;
    all.insert(all.end(), {"--credentials", from});
    const auto ran = site.run(all, in);  // no such place is in this world
    CHECK(ran.code == kFailed);
    CHECK_THAT(ran.out + ran.err, !Catch::Contains("canary-of-"));
    CHECK_THAT(ran.err, Catch::Contains("no key of this name"));
  }
  const auto absent = site.run({"keys", "attach", "vault", "--address", "https://v.test", "--key", "k", "--credentials",
                                site.folder.path("absent")});
  CHECK(absent.code != kDone);
  CHECK_THAT(absent.err, Catch::Contains("absent"));
  const auto none = site.run(words);
  CHECK(none.code == kFailed);
  CHECK_THAT(none.err, Catch::Contains("credentials"));
}

TEST_CASE("a receipt of what was shredded is JSON, whole", "[cli][keys]") {
  CliSite site;
  site.login(Role::owner);
  const auto ran = site.run({"keys", "receipt"});
  CHECK(ran.code == kDone);
  const auto receipt = parse_json(ran.out);
  REQUIRE(receipt);
  CHECK(receipt->find("signature") != nullptr);
}

TEST_CASE("wrong words about keys are told before anybody is asked", "[cli][keys][usage]") {
  const std::vector<std::vector<std::string>> rows{{"keys"},
                                                   {"keys", "attach"},
                                                   {"keys", "attach", "file", "--name"},
                                                   {"keys", "attach", "file", "--colour", "red"},
                                                   {"keys", "attach", "file", "two", "words"},
                                                   {"keys", "detach"},
                                                   {"keys", "detach", "--confirm", "yes"},
                                                   {"keys", "show", "me"},
                                                   {"keys", "rotate", "--all"},
                                                   {"keys", "platform"},
                                                   {"keys", "platform", "shred"}};
  for (const auto& words : rows) {
    INFO(fmt::format("{}", fmt::join(words, " ")));
    const auto ran = run_cli(words);
    CHECK(ran.code == kUsage);
    CHECK(ran.out.empty());
    CHECK(!ran.err.empty());
  }
}

TEST_CASE("keys that cannot be had are shown so, with the reason", "[cli][keys]") {
  const auto shown = [](std::vector<std::string> words, std::string_view answer) {
    ScriptedRelay relay([&](const ScriptedRelay::Asked&, std::size_t) { return text_reply(200, std::string(answer)); });
    const auto ran = run_cli(words, relay.surroundings());
    CHECK(ran.code == kDone);
    return ran.out;
  };
  constexpr std::string_view kKeys =
      R"({{"state":"{}","reason":{},"versions":[{}],"lanes":[],"records_to_reseal":0,"own":null}})";
  constexpr std::string_view kVersion = R"({"version":1,"created_at":"2026-01-31T09:30:00Z"})";
  for (const auto versions : {kVersion, std::string_view()}) {
    const auto away = shown({"keys", "show"}, fmt::format(kKeys, "unavailable", R"("it is away")", versions));
    CHECK_THAT(away, Catch::Contains("unavailable") && Catch::Contains("REASON") && Catch::Contains("it is away"));
    CHECK_THAT(away, !Catch::Contains("was sealed yet"));
  }
  CHECK_THAT(shown({"keys", "show"}, fmt::format(kKeys, "in_use", "null", kVersion)), !Catch::Contains("REASON"));
  constexpr std::string_view kPlatform =
      R"({{"provider":"vault","state":"{}","reason":{},"versions":[],"shreddings":0,"versions_to_rewrap":0,"organisations_to_reseal":0}})";
  CHECK_THAT(shown({"keys", "platform", "show"}, fmt::format(kPlatform, "unavailable", "\"no route\"")),
             Catch::Contains("unavailable") && Catch::Contains("REASON") && Catch::Contains("no route"));
  CHECK_THAT(shown({"keys", "platform", "show"}, fmt::format(kPlatform, "in_use", "null")), !Catch::Contains("REASON"));
}
