#include "relay/jobs/sealing.h"
#include "relay/keys/system_key_identity.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/running_job.h"

using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("an organisation sees its keys' versions and hours, and makes a new version", "[api][keys]") {
  World world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle("a"), theirs = co_await world.settle("b");
  co_await run_job(world, ours);
  auto keys = json_of(co_await world.call({"GET", "/v1/keys", ours.token(Role::viewer)}));
  REQUIRE(keys.find("versions")->as_list().size() == 1);
  const auto lanes = keys.find("lanes")->as_list();
  REQUIRE(lanes.size() == 3);
  CHECK(text_of(lanes[0], "class") == "archive");
  CHECK(text_of(lanes[1], "class") == "logs");
  CHECK(lanes[1].find("keys")->as_int() == 1);
  CHECK(lanes[2].find("retention_hours")->as_int() == 45 * 24);

  const auto rotated = co_await world.call({"POST", "/v1/keys/rotate", ours.token(Role::owner), "{}"});
  CHECK(rotated.status == 200);
  CHECK(json_of(rotated).find("versions")->as_list().size() == 2);
  const auto other = json_of(co_await world.call({"GET", "/v1/keys", theirs.token(Role::viewer)}));
  CHECK(other.find("versions")->as_list().empty());
  const auto refused = co_await world.call({"POST", "/v1/keys/rotate", ours.token(Role::editor), "{}"});
  CHECK(refused.status == 403);
}

ASYNC_TEST_CASE("after a rotation whoever reads standing records finds them, under the new keys",
                "[api][keys][rotate][standing]") {
  World world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle("a");
  const auto targets = co_await world.make_targets(ours);
  const auto agent = targets.agent;
  const auto pair = must(crypto::PrivateKey::generate());
  auto request = must(crypto::SigningRequest::from_der(must(crypto::make_signing_request(pair))));
  must(co_await world.authority.issue(ours.org, agent, std::move(request)));
  auto detail =
      must(co_await jobs::seal_any(world.envelope, jobs::connection_identity(ours.org, agent, "erp-db"), "refused"));
  must(co_await world.stores.connections.replace(
      ours.org, agent,
      {{.org = ours.org, .agent = agent, .name = "erp-db", .kind = "sql", .sealed_detail = std::move(detail)}}));
  auto copy =
      must(co_await world.envelope.seal(keys::copy_identity(ours.org, "erp", 1, agent), as_bytes("ciphertext")));
  must(co_await world.stores.system_keys.put(ours.org,
                                             {.org = ours.org,
                                              .name = "erp",
                                              .group = ours.group,
                                              .version = 1,
                                              .values = {"password"},
                                              .set_by = targets.user},
                                             {{.agent = agent, .generation = 1, .sealed_copy = std::move(copy)}}));
  const auto receipt_key = must(co_await world.receipts.public_key());

  const auto rotated = co_await world.call({"POST", "/v1/keys/rotate", ours.token(Role::owner), "{}"});
  CHECK(json_of(rotated).find("records_to_reseal")->as_int() >= 3);
  const auto platform = co_await world.platform_token();
  auto all = json_of(co_await world.call({"POST", "/v1/platform/keys/rotate", platform, "{}"}));
  CHECK(all.find("organisations_to_reseal")->as_int() == 2);
  while (must(co_await world.custodian.look())) {
  }
  all = json_of(co_await world.call({"GET", "/v1/platform/keys", platform}));
  CHECK(all.find("organisations_to_reseal")->as_int() == 0);
  const auto keys = json_of(co_await world.call({"GET", "/v1/keys", ours.token(Role::viewer)}));
  CHECK(keys.find("records_to_reseal")->as_int() == 0);

  const auto proven = must(co_await world.authority.prove_keys());
  CHECK(proven);
  const auto listed = json_of(co_await world.call({"GET", "/v1/connections", ours.token(Role::viewer)}));
  CHECK(text_of(listed.find("items")->as_list().at(0), "detail") == "refused");
  const auto held = must(co_await world.stores.system_keys.of_agent(ours.org, agent));
  const auto& sealed = held.at(0).copy.sealed_copy;
  const auto opened = must(co_await world.envelope.open(keys::copy_identity(ours.org, "erp", 1, agent), sealed));
  CHECK(opened.reveal() == "ciphertext");
  CHECK(sealed[5] == std::byte{2});  // version of the global key
  CHECK(sealed[9] == std::byte{2});  // version of the organisation's
  must(co_await world.receipts.sign(Value(ValueMap())));
  const auto same_key = must(co_await world.receipts.public_key());
  CHECK(same_key == receipt_key);
}

ASYNC_TEST_CASE("an owner attaches the organisation's own key; no answer and no log has its credentials",
                "[api][keys][own]") {
  World world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle("a");
  co_await run_job(world, ours);
  const auto put = [&](std::string body, Role role = Role::owner) {
    return world.call({"PUT", "/v1/keys/own", ours.token(role), std::move(body)});
  };
  auto answer = co_await put(R"({"kind":"file","name":"one"})", Role::editor);
  CHECK(answer.status == 403);
  answer = co_await put(R"({"kind":"file"})");
  CHECK(answer.status == 422);
  CHECK(answer.body.find("/name") != std::string::npos);
  answer = co_await put(R"({"kind":"file","name":"one","region":"eu-central-1"})");
  CHECK(answer.status == 422);
  answer = co_await put(R"({"kind":"vault","address":"https://127.0.0.1:8200","key":"k"})");
  CHECK(answer.status == 422);
  CHECK(answer.body.find("/credentials") != std::string::npos);
  world.key_places.kept.at("one").broken = Errc::forbidden;
  answer = co_await put(R"({"kind":"file","name":"one"})");
  CHECK(answer.status == 422);
  CHECK(answer.body.find("nothing was changed") != std::string::npos);
  auto keys = json_of(co_await world.call({"GET", "/v1/keys", ours.token(Role::viewer)}));
  CHECK(keys.find("own")->is_null());
  auto news = world.news();
  REQUIRE(!news.empty());
  CHECK(text_of(news.back().event, "action") == "keys.attach");
  CHECK(text_of(news.back().event, "outcome") == "failed");

  world.key_places.kept.at("one").broken.reset();
  world.key_places.kept["https://kms.test"] = {};
  answer = co_await put(R"({"kind":"file","name":"one"})");
  CHECK(answer.status == 200);
  keys = json_of(answer);
  CHECK(text_of(*keys.find("own"), "state") == "in_use");
  CHECK(text_of(*keys.find("own")->find("place"), "name") == "one");
  CHECK(keys.find("versions")->as_list().size() == 2);
  news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(text_of(news.back().event, "outcome") == "done");

  answer = co_await world.call({"DELETE", "/v1/keys/own", ours.token(Role::owner)});
  CHECK(answer.status == 400);
  const auto unsure = co_await world.call({"DELETE", "/v1/keys/own?confirm=yes", ours.token(Role::owner)});
  CHECK(unsure.status == 400);
  CHECK_THAT(unsure.body, Catch::Contains("must be one of: confirmed") && !Catch::Contains("is missing"));
  answer = co_await world.call({"DELETE", "/v1/keys/own?confirm=confirmed", ours.token(Role::owner)});
  CHECK(answer.status == 200);
  CHECK(json_of(answer).find("own")->is_null());
  static_cast<void>(world.news());
  answer = co_await world.call({"DELETE", "/v1/keys/own?confirm=confirmed", ours.token(Role::owner)});
  CHECK(answer.status == 404);
  news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(text_of(news.back().event, "action") == "keys.detach");
  CHECK(text_of(news.back().event, "outcome") == "failed");
}

ASYNC_TEST_CASE("while its own key is refused an organisation is told so, and another one is served",
                "[api][keys][own]") {
  World world(co_await asio::this_coro::executor);
  world.clock.freeze();
  const auto ours = co_await world.settle("a"), theirs = co_await world.settle("b");
  const auto recipe = co_await world.apply_recipe(ours, "orders", recipe_yaml("orders"));
  const auto other = co_await world.apply_recipe(theirs, "orders", recipe_yaml("orders"));
  must(co_await world.stores.recipes.activate(ours.org, recipe, {std::nullopt, 1}));
  must(co_await world.stores.recipes.activate(theirs.org, other, {std::nullopt, 1}));
  const auto start = [&](const Tenant& tenant, const RecipeId& id) {
    return world.call({"POST", "/v1/jobs", tenant.token(Role::owner), R"({"recipe":")" + id.value + R"("})"});
  };
  must(co_await world.own_keys.attach(ours.org, {"file", {{Value("name"), Value("one")}}, {}}));
  auto started = co_await start(ours, recipe);
  CHECK(started.status < 300);
  world.key_places.kept.at("one").broken = Errc::forbidden;
  world.clock.advance(keys::kKeyLife);
  co_await world.own_keys.look();
  started = co_await start(ours, recipe);
  CHECK(started.status == 503);
  CHECK(text_of(json_of(started), "code") == "organisation_key_unavailable");
  CHECK(started.body.find("nothing of the organisation is read or written") != std::string::npos);
  CHECK(started.body.find("planted") == std::string::npos);  // why is its owners'
  started = co_await start(theirs, other);
  CHECK(started.status < 300);
  for (const auto role : {Role::viewer, Role::editor, Role::owner}) {
    const auto shown = json_of(co_await world.call({"GET", "/v1/keys", ours.token(role)}));
    const auto& own = *shown.find("own");
    CHECK(text_of(own, "state") == "refused");
    CHECK(!own.find("refused_since")->is_null());
    const bool is_owner = role == Role::owner;
    CHECK(own.find("place")->is_null() != is_owner);
    CHECK(own.find("reason")->is_null() != is_owner);
    if (is_owner) CHECK(text_of(own, "reason") == "planted");
  }
  const auto kept = co_await world.call({"DELETE", "/v1/keys/own?confirm=confirmed", ours.token(Role::owner)});
  CHECK(kept.status == 503);
  // The ledger hears of a rotation before it is made, and of it again when it could not be.
  world.news();
  const auto rotated = co_await world.call({"POST", "/v1/keys/rotate", ours.token(Role::owner), "{}"});
  CHECK(rotated.status == 503);
  const auto news = world.news();
  REQUIRE(news.size() == 2);
  CHECK(text_of(news[0].event, "outcome") == "done");
  CHECK(text_of(news[1].event, "outcome") == "failed");
  world.key_places.kept.at("one").broken.reset();
  world.clock.advance(keys::kRefusedAgain);
  co_await world.own_keys.look();
  started = co_await start(ours, recipe);
  CHECK(started.status < 300);
}
