#include "relay/api/opened_row.h"
#include "relay/domain/fields.h"
#include "relay/jobs/sealing.h"
#include "relay/store/sqlite/database.h"
#include "shared/base/json.h"
#include "shared/crypto/signed_document.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

asio::awaitable<Value> erasure_of(World& world, std::string id) {
  const auto answer = co_await world.call({"GET", "/v1/erasures/" + id});
  CHECK(answer.status == 200);
  co_return json_of(answer);
}

// The document of a receipt that the deployment's public key verifies, as who keeps both would see it.
asio::awaitable<Value> genuine(World& world, Value receipt) {
  const auto key = json_of(co_await world.call({"GET", "/v1/receipt-key"}));
  const auto public_key = must(crypto::public_key_from_pem(text_of(key, "public_key")));
  co_return must(crypto::check_document(public_key, crypto::kReceiptKind, receipt));
}

std::string erase_body(std::string_view name) { return fmt::format(R"({{"confirm":"erase","name":"{}"}})", name); }

asio::awaitable<std::string> whole_export(World& world, std::string path, std::string token, int limit) {
  std::string all, cursor;
  do {
    const auto body = to_json(Value(ValueMap{{Value("cursor"), Value(cursor)}, {Value("limit"), Value(limit)}}));
    const auto answer = co_await world.call({"POST", path, token, body});
    REQUIRE(answer.status == 200);
    const auto page = json_of(answer);
    CHECK(misfit("ExportPage", page) == "");
    CHECK(page.find("manifest")->is_null() == !cursor.empty());
    for (const auto& item : page.find("items")->as_list()) all += to_json(item) + "\n";
    cursor = text_of(page, "next");
  } while (!cursor.empty());
  co_return all;
}

}  // namespace

ASYNC_TEST_CASE("a person is erased, and a receipt without their texts says so", "[api][erasure]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& owner = tenant.token(Role::owner);
  const auto editor = tenant.users.at(Role::editor);
  co_await world.call({"POST", "/v1/groups", tenant.token(Role::editor), R"({"name":"by-editor"})"});
  const auto path = "/v1/users/" + editor.value + "/erase";
  CHECK((co_await world.call({"POST", path, owner, "{}"})).status == 422);
  const auto begun = co_await world.call({"POST", path, owner, R"({"confirm":"erase"})"});
  REQUIRE(begun.status == 202);
  CHECK(text_of(json_of(begun), "state") == "erasing");
  CHECK(world.metrics.prometheus().find("\nsallyport_erasures_open 1\n") != std::string::npos);
  CHECK((co_await world.call({"GET", "/v1/whoami", tenant.token(Role::editor)})).status == 401);
  CHECK(co_await world.eraser.look());
  const auto erasure = co_await erasure_of(world, text_of(json_of(begun), "id"));
  CHECK(text_of(erasure, "state") == "erased");
  CHECK(world.metrics.prometheus().find("\nsallyport_erasures_open 0\n") != std::string::npos);
  const auto document = co_await genuine(world, *erasure.find("receipt"));
  CHECK(text_of(document, "person") == editor.value);
  CHECK(document.find("rows")->find("users")->as_int() == 1);
  CHECK(document.find("rows")->find("audit_texts")->as_int() == 1);
  CHECK(to_json(erasure).find("editor@a.test") == std::string::npos);
  CHECK((co_await world.call({"POST", path, owner, R"({"confirm":"erase"})"})).status == 404);
  const auto verdict = json_of(co_await world.call({"GET", "/v1/audit-events/verify", owner}));
  CHECK(verdict.find("intact")->as_bool());
  CHECK(verdict.find("erased_texts")->as_int() == 1);
  const auto group = json_of(co_await world.call({"GET", "/v1/audit-events?action=group.create", owner}));
  const auto& event = *group.find("items")->as_list().at(0).find("event");
  CHECK(event.find("detail")->find("from") == nullptr);
  CHECK(event.find("detail")->find("user")->as_string() == editor.value);
  CHECK((co_await world.call(
             {"POST", "/v1/users/" + tenant.users.at(Role::owner).value + "/erase", owner, R"({"confirm":"erase"})"}))
            .status == 409);
}

ASYNC_TEST_CASE("an organisation is erased by its owner who says its name, keys first, and nobody gets in any more",
                "[api][erasure]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("gone");
  const auto other = co_await world.settle("stays");
  const auto targets = co_await world.make_targets(tenant);
  co_await world.make_targets(other);
  const auto& owner = tenant.token(Role::owner);
  const std::string path = "/v1/organisation/erase";
  for (const auto role : {Role::viewer, Role::editor})
    CHECK((co_await world.call({"POST", path, tenant.token(role), erase_body("gone")})).status == 403);
  CHECK((co_await world.call({"POST", path, "", erase_body("gone")})).status == 401);
  CHECK((co_await world.call({"POST", path, owner, erase_body("stays")})).status == 422);
  CHECK((co_await world.call({"POST", path, owner, R"({"name":"gone"})"})).status == 422);
  CHECK((co_await world.call({"GET", "/v1/whoami", owner})).status == 200);
  world.news();
  const auto begun = co_await world.call({"POST", path, owner, erase_body("gone")});
  REQUIRE(begun.status == 202);
  const auto news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(text_of(news[0].event, "action") == "organisation.erase");
  CHECK(news[0].ledger == tenant.org);
  CHECK((co_await world.call({"GET", "/v1/whoami", owner})).status == 401);
  CHECK(co_await world.eraser.look());
  CHECK(world.quietened == std::vector<OrgId>{tenant.org});
  const auto erasure = co_await erasure_of(world, text_of(json_of(begun), "id"));
  const auto document = co_await genuine(world, *erasure.find("receipt"));
  CHECK(document.find("keys")->find("hours")->as_int() > 0);
  CHECK(document.find("rows")->find("jobs")->as_int() == 2);
  CHECK(text_of(document, "key_backups_until") > text_of(document, "finished_at"));
  CHECK(!co_await world.stores.organisations.find(tenant.org));
  CHECK(!must(co_await world.stores.audit_log.verify(tenant.org)).bad_seq);
  CHECK((co_await world.call({"GET", "/v1/whoami", other.token(Role::owner)})).status == 200);
  CHECK(items_of(co_await world.call({"GET", "/v1/jobs", other.token(Role::owner)})).size() == 2);
  CHECK(world.sink.text.find("erasure.done") != std::string::npos);
  CHECK(co_await world.eraser.look());
  CHECK(world.quietened.size() == 1);  // what is finished is left alone
}

ASYNC_TEST_CASE("the receipt of an organisation counts what was removed from its archive, and what could not be",
                "[api][erasure][archive]") {
  for (const bool broken : {false, true}) {
    World world(co_await asio::this_coro::executor);
    world.clock.freeze();
    world.archive_broken = broken;
    const auto tenant = co_await world.settle("gone");
    std::vector<JobId> jobs{crypto::new_id<JobId>(world.clock), crypto::new_id<JobId>(world.clock)};
    for (const auto& job : jobs) co_await world.archive_job(tenant.org, job, "{}\n");
    const auto begun =
        co_await world.call({"POST", "/v1/organisation/erase", tenant.token(Role::owner), erase_body("gone")});
    REQUIRE(begun.status == 202);
    CHECK(misfit("Erasure", json_of(begun)) == "");
    CHECK(co_await world.eraser.look());
    const auto id = text_of(json_of(begun), "id");
    auto erasure = co_await erasure_of(world, id);
    CHECK(misfit("Erasure", erasure) == "");
    const auto document = co_await genuine(world, *erasure.find("receipt"));
    const auto& objects = *document.find("archived_objects");
    CHECK(objects.find("removed")->as_int() == (broken ? 0 : 2));
    CHECK(objects.find("left")->as_int() == (broken ? 2 : 0));
    CHECK(document.find("rows")->find("archive_records")->as_int() == 2);
    CHECK(erasure.find("archived_objects_left")->as_int() == (broken ? 2 : 0));
    for (const auto& job : jobs) CHECK((co_await world.places.at("local")->get(job.value)).has_value() == broken);
    if (!broken) continue;
    world.archive_broken = false;
    world.clock.advance(archive::Archiver::kFirstDelay);
    must(co_await world.archiver.remove_erased());
    erasure = co_await erasure_of(world, id);
    CHECK(erasure.find("archived_objects_left")->as_int() == 0);
    for (const auto& job : jobs) CHECK(!co_await world.places.at("local")->get(job.value));
  }
}

ASYNC_TEST_CASE("an erasure has the id that was chosen for it, once", "[api][erasure]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& owner = tenant.token(Role::owner);
  const auto path_of = [&](Role role) { return "/v1/users/" + tenant.users.at(role).value + "/erase"; };
  const auto id = crypto::new_id<ErasureId>(world.clock).value;
  const auto body = fmt::format(R"({{"confirm":"erase","erasure":"{}"}})", id);
  CHECK((co_await world.call({"POST", path_of(Role::editor), owner, R"({"confirm":"erase","erasure":"era_1"})"}))
            .status == 422);
  const auto begun = co_await world.call({"POST", path_of(Role::editor), owner, body});
  REQUIRE(begun.status == 202);
  CHECK(text_of(json_of(begun), "id") == id);
  CHECK(text_of(co_await erasure_of(world, id), "state") == "erasing");
  CHECK((co_await world.call({"POST", path_of(Role::viewer), owner, body})).status == 409);
  world.news();
  for (const bool finished : {false, true}) {  // ordered again: it is the same one
    const auto again = co_await world.call({"POST", path_of(Role::editor), owner, body});
    CHECK(again.status == 202);
    CHECK(text_of(json_of(again), "id") == id);
    CHECK(text_of(json_of(again), "state") == (finished ? "erased" : "erasing"));
    CHECK(world.news().size() == 1);
    CHECK(co_await world.eraser.look());
    world.news();
  }
  CHECK(world.metrics.prometheus().find("\nsallyport_erasures_open 0\n") != std::string::npos);
  CHECK((co_await world.call({"GET", "/v1/whoami", tenant.token(Role::viewer)})).status == 200);

  const auto path = "/v1/organisations/" + tenant.org.value + "/erase";
  const auto platform = co_await world.platform_token();
  const auto whole = crypto::new_id<ErasureId>(world.clock).value;
  const auto order = fmt::format(R"({{"confirm":"erase","name":"a","erasure":"{}"}})", whole);
  REQUIRE((co_await world.call({"POST", path, platform, order})).status == 202);
  CHECK(co_await world.eraser.look());  // its name is gone
  const auto again = co_await world.call({"POST", path, platform, order});
  CHECK(again.status == 202);
  CHECK(text_of(json_of(again), "state") == "erased");
  const auto other = fmt::format(R"({{"confirm":"erase","name":"a","erasure":"{}"}})", id);
  CHECK((co_await world.call({"POST", path, platform, other})).status == 409);
}

ASYNC_TEST_CASE("somebody who was removed before is erased, and who never was is not there", "[api][erasure]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a"), other = co_await world.settle("b");
  const auto& owner = tenant.token(Role::owner);
  const auto path_of = [](const UserId& id) { return "/v1/users/" + id.value + "/erase"; };
  const std::string body = R"({"confirm":"erase"})";
  const auto added =
      co_await world.call({"POST", "/v1/users", owner, R"({"name":"Ada","email":"ada@canary.test","role":"viewer"})"});
  REQUIRE(added.status == 201);
  const UserId ada(text_of(json_of(added), "id"));
  CHECK((co_await world.call({"DELETE", "/v1/users/" + ada.value, owner})).status == 204);
  CHECK((co_await world.call({"POST", path_of(ada), other.token(Role::owner), body})).status == 404);
  const auto nobody = crypto::new_id<UserId>(world.clock);
  for (int i = 0; i < 2; ++i)  // the first call stands in the ledger, as one that was refused
    CHECK((co_await world.call({"POST", path_of(nobody), owner, body})).status == 404);
  const auto begun = co_await world.call({"POST", path_of(ada), owner, body});
  REQUIRE(begun.status == 202);
  CHECK(co_await world.eraser.look());
  const auto erasure = co_await erasure_of(world, text_of(json_of(begun), "id"));
  const auto document = co_await genuine(world, *erasure.find("receipt"));
  CHECK(text_of(document, "person") == ada.value);
  CHECK((co_await world.call({"POST", path_of(ada), owner, body})).status == 404);  // there is nothing left
}

ASYNC_TEST_CASE("keys of an erased organisation that an older keys.db brings back are destroyed again",
                "[api][erasure]") {
  const auto executor = co_await asio::this_coro::executor;
  World world(executor);
  const auto tenant = co_await world.settle("gone"), stays = co_await world.settle("stays");
  for (const auto& org : {tenant.org, stays.org}) must(co_await world.ring.hierarchy.tenant(org));
  TempDir old;
  for (const char* name : {"master.key", "keys.db", "keys.db-wal", "anchor"}) {
    const std::filesystem::path file = world.folder.path(name);
    if (std::filesystem::exists(file)) std::filesystem::copy_file(file, old.path(name));
  }
  co_await world.call({"POST", "/v1/organisation/erase", tenant.token(Role::owner), erase_body("gone")});
  CHECK(co_await world.eraser.look());
  CHECK(world.sink.text.find("erasure.repeated") == std::string::npos);
  KeyRing back(executor, old.path(), world.clock, world.stores.job_keys);
  must(co_await back.hierarchy.tenant(tenant.org));  // control: it is there again
  int backups = 0;
  std::uint64_t ended_before = 0;
  bool shelf_is_away = true;
  const auto end_backups = [&](std::uint64_t epoch) -> asio::awaitable<Result<void>> {
    ended_before = epoch;
    if (shelf_is_away) co_return fail(Errc::unavailable, "planted: the folder of backups is away");
    ++backups;
    co_return Result<void>();
  };
  std::vector<OrgId> left;
  const erasure::Eraser::Parts parts{.store = world.stores.erasures,
                                     .job_keys = world.stores.job_keys,
                                     .key_store = back.store->keys(),
                                     .keys = back.hierarchy,
                                     .receipts = world.receipts,
                                     .audit = world.audit,
                                     .clock = world.clock,
                                     .log = world.log,
                                     .metrics = world.metrics,
                                     .quieten = [&](OrgId org) -> asio::awaitable<Result<void>> {
                                       left.push_back(std::move(org));
                                       co_return Result<void>();
                                     },
                                     .end_key_backups_before = end_backups};
  {
    erasure::Eraser killed(executor, parts);
    CHECK_FALSE(co_await killed.look());
  }
  shelf_is_away = false;
  erasure::Eraser eraser(executor, parts);  // after a kill: what keys.db says already is not taken for all of it
  for (int i = 0; i < 2; ++i) CHECK(co_await eraser.look());
  CHECK(backups == 1);
  CHECK(ended_before == must(co_await back.store->keys().epoch()));
  CHECK(left == std::vector{tenant.org});
  CHECK(world.sink.text.find("erasure.repeated") != std::string::npos);
  const auto key = co_await back.hierarchy.tenant(tenant.org);
  CHECK(!key);
  CHECK(must(co_await back.store->keys().erased(tenant.org)));
  must(co_await back.hierarchy.tenant(stays.org));
}

ASYNC_TEST_CASE("the organisation of a platform admin cannot be erased", "[api][erasure]") {
  World world(co_await asio::this_coro::executor);
  const auto admin = co_await world.platform_token();
  const auto mine = json_of(co_await world.call({"GET", "/v1/organisation", admin}));
  const auto refused = co_await world.call(
      {"POST", "/v1/organisations/" + text_of(mine, "id") + "/erase", admin, erase_body("platform")});
  CHECK(refused.status == 409);
  CHECK((co_await world.call({"GET", "/v1/whoami", admin})).status == 200);
}

ASYNC_TEST_CASE("an export has all that the owner may see, in pages, each told to the ledger", "[api][export]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto other = co_await world.settle("b");
  const auto targets = co_await world.make_targets(tenant);
  co_await world.make_targets(other);
  const auto& owner = tenant.token(Role::owner);
  world.news();
  const auto whole = co_await whole_export(world, "/v1/organisation/export", owner, 200);
  CHECK(world.news().size() == 1);
  for (const auto& text : {targets.job.value, targets.tunnel.value, std::string("owner@a.test"),
                           std::string("db.internal"), std::string(R"("trigger":{"inputs":{})")})
    CHECK(whole.find(text) != std::string::npos);
  for (const auto& text : {other.org.value, std::string("@b.test"), std::string("secret_hash"), std::string("sealed_"),
                           std::string("$unreadable")})
    CHECK(whole.find(text) == std::string::npos);
  const auto of_editor =
      co_await whole_export(world, "/v1/users/" + tenant.users.at(Role::editor).value + "/export", owner, 1);
  CHECK(of_editor.find("editor@a.test") != std::string::npos);
  CHECK(of_editor.find("owner@a.test") == std::string::npos);
}

ASYNC_TEST_CASE("an export counts what did not open, and why; without the scope for them payloads are left out",
                "[api][export]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto& owner = tenant.token(Role::owner);
  const auto narrow = co_await world.call(
      {"POST", "/v1/tokens", owner, R"({"name":"narrow","scopes":["organisation:read","organisation:write"]})"});
  REQUIRE(narrow.status == 201);
  for (const auto& [token, has_payloads] :
       {std::pair(owner, true), std::pair(text_of(json_of(narrow), "secret"), false)}) {
    const auto page = json_of(co_await world.call({"POST", "/v1/organisation/export", token, "{}"}));
    CHECK(to_json(*page.find("unreadable")) == R"({"damaged":0,"expired":0,"given_up":0,"key_unavailable":0})");
    const auto& manifest = *page.find("manifest");
    CHECK(manifest.find("payloads")->as_bool() == has_payloads);
    const auto& left_out = manifest.find("left_out")->as_list();
    for (const auto* column : {"history.sealed_text", "job_triggers.sealed_trigger", "steps.sealed_input"})
      CHECK((std::ranges::find(left_out, Value(column)) != left_out.end()) == !has_payloads);
  }
  auto database = must(store::sqlite::Database::open(world.database(), store::sqlite::Access::read_write));
  must(database.script("update job_triggers set sealed_trigger = zeroblob(120)"));
  const auto page = json_of(co_await world.call({"POST", "/v1/organisation/export", owner, "{}"}));
  CHECK(page.find("unreadable")->find("damaged")->as_int() == 2);
}

ASYNC_TEST_CASE("what a recipe masks of its trigger is in no export", "[api][export][mask]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const std::string yaml =
      "recipe: masked\nrun_on: dc1\ntrigger: {uses: manual@1}\ninputs:\n  card: {type: text, mask: true}\n  name: "
      "{type: "
      "text}\nsteps:\n  - id: done\n    stop: {status: succeeded, message: done}\n";
  const auto recipe = co_await world.apply_recipe(tenant, "masked", yaml);
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
  const ValueMap inputs{{Value("card"), Value("4111-canary")}, {Value("name"), Value("shown-canary")}};
  must(co_await world.job_service.start(
      tenant.org, {.recipe = recipe, .version = std::nullopt, .inputs = Value(inputs), .event_key = ""}, {"test"}));
  const auto whole = co_await whole_export(world, "/v1/organisation/export", tenant.token(Role::owner), 200);
  CHECK(whole.find("shown-canary") != std::string::npos);
  CHECK(whole.find("4111-canary") == std::string::npos);
}

TEST_CASE("whatever is sealed in an export can be opened for it", "[api][export][fields]") {
  for (const auto& table : store::extract_of_organisation()) {
    for (const auto& column : table.columns) {
      const auto* field = domain::find_field(table.table, column);
      if (field->kept != domain::Kept::sealed) continue;
      INFO(field->record);
      CHECK(api::RowOpener::knows(field->record));
    }
  }
  CHECK_FALSE(api::RowOpener::knows("issuing_cas.private_key"));
}

ASYNC_TEST_CASE("a signed receipt tells what was shredded of an organisation", "[api][erasure]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  co_await world.make_targets(tenant);
  const auto receipt = json_of(co_await world.call({"GET", "/v1/keys/receipt", tenant.token(Role::viewer)}));
  const auto document = co_await genuine(world, receipt);
  CHECK(text_of(document, "organisation") == tenant.org.value);
  CHECK(document.find("lanes")->as_list().size() >= 2);
  const auto again = json_of(co_await world.call({"GET", "/v1/keys/receipt", tenant.token(Role::viewer)}));
  CHECK(text_of(again, "key") == text_of(receipt, "key"));
}

namespace {

// Nothing that was sealed before opens any more, for this reason.
class Closed final : public keys::Envelope {
 public:
  Closed(keys::Envelope& real, Errc why) : real_(real), why_(why) {}
  asio::awaitable<Result<keys::NewJobKeys>> make_job_keys(OrgId org, JobId job,
                                                          domain::JobRetention retention) override {
    co_return co_await real_.make_job_keys(std::move(org), std::move(job), retention);
  }
  asio::awaitable<Result<Bytes>> seal(keys::RecordIdentity identity, std::span<const std::byte> plaintext) override {
    opens_.insert(identity.record);
    co_return co_await real_.seal(std::move(identity), plaintext);
  }
  asio::awaitable<Result<Bytes>> seal_new(const keys::NewJobKeys& keys, keys::RecordIdentity identity,
                                          std::span<const std::byte> plaintext) override {
    co_return co_await real_.seal_new(keys, std::move(identity), plaintext);
  }
  asio::awaitable<Result<Secret>> open(keys::RecordIdentity identity, std::span<const std::byte> sealed) override {
    if (!opens_.contains(identity.record)) co_return fail(why_, "planted");
    co_return co_await real_.open(std::move(identity), sealed);
  }

 private:
  keys::Envelope& real_;
  Errc why_;
  std::set<std::string> opens_;
};

}  // namespace

ASYNC_TEST_CASE("a key of receipts that is gone for good is replaced, one that is away for now is not",
                "[api][erasure]") {
  World world(co_await asio::this_coro::executor);
  const auto first = must(co_await world.receipts.public_key());
  for (const auto away : {Errc::unavailable, Errc::invalid}) {
    Closed envelope(world.envelope, away);
    erasure::Receipts receipts({world.stores.erasures, envelope, world.clock, world.audit, world.log});
    const auto refused = co_await receipts.sign(Value(ValueMap()));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == away);
    CHECK(must(co_await receipts.public_key()) == first);
  }
  Closed envelope(world.envelope, Errc::not_found);
  erasure::Receipts receipts({world.stores.erasures, envelope, world.clock, world.audit, world.log});
  world.news();
  const auto receipt = must(co_await receipts.sign(Value(ValueMap())));
  const auto second = must(co_await receipts.public_key());
  CHECK(second != first);
  CHECK(crypto::check_document(second, crypto::kReceiptKind, receipt));
  must(co_await receipts.sign(Value(ValueMap())));
  CHECK(must(co_await receipts.public_key()) == second);
  CHECK(world.news().size() == 1);
  CHECK(world.sink.text.find("receipt_key.renewed") != std::string::npos);
  const auto path = "/v1/receipt-key?id=";
  const auto earlier = json_of(co_await world.call({"GET", path + crypto::key_id(first)}));
  CHECK(must(crypto::public_key_from_pem(text_of(earlier, "public_key"))) == first);
  CHECK((co_await world.call({"GET", std::string(path) + "0123456789abcdef"})).status == 404);
}
