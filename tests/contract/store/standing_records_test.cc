#include "relay/domain/fields.h"
#include "relay/store/audit_log.h"
#include "tests/contract/store/world.h"

#include <set>

using namespace sallyport;
using namespace sallyport::test;

namespace {

const Bytes kNewest = bytes_of("new");

store::EnrolmentToken token_of(World& world, const Tenant& tenant, std::string_view sealed) {
  return {.id = world.id<EnrolmentId>("enr_"),
          .org = tenant.org,
          .group = tenant.group,
          .sealed_secret = bytes_of(sealed),
          .created_by = tenant.owner,
          .created_at = at_ms(0),
          .expires_at = at_ms(1'000)};
}

// One field in each column, and one that is empty. All begin with `head`.
awaitable<void> furnish(World& world, Tenant tenant, std::string head) {
  must(co_await world.stores.issuing_cas.add(tenant.org, {.org = tenant.org,
                                                          .certificate_der = bytes_of("der"),
                                                          .sealed_private_key = bytes_of(head + " ca"),
                                                          .created_at = at_ms(0),
                                                          .not_after = at_ms(9)}));
  must(co_await world.stores.enrolment_tokens.add(tenant.org, token_of(world, tenant, head + " secret")));
  std::vector<store::Connection> connections(2, {.org = tenant.org, .agent = tenant.agent, .name = "a", .kind = "sql"});
  connections[1].name = "b";
  connections[1].sealed_detail = bytes_of(head + " detail");
  must(co_await world.stores.connections.replace(tenant.org, tenant.agent, std::move(connections)));
  const store::SystemKey key{.org = tenant.org,
                             .name = "erp-db",
                             .group = tenant.group,
                             .version = 1,
                             .values = {"password"},
                             .set_by = tenant.owner,
                             .set_at = at_ms(0)};
  must(co_await world.stores.system_keys.put(
      tenant.org, key, {{.agent = tenant.agent, .generation = 1, .sealed_copy = bytes_of(head + " copy")}}));
  store::Webhook webhook;
  webhook.id = world.id<WebhookId>("whk_");
  webhook.recipe = tenant.recipe;
  webhook.proof = "standard-webhooks";
  webhook.sealed_secrets = bytes_of(head + " hook");
  webhook.created_by = tenant.owner;
  must(co_await world.stores.webhooks.add(tenant.org, std::move(webhook)));
}

std::vector<std::string> texts_of(const std::vector<store::StandingRecord>& records) {
  std::vector<std::string> texts;
  for (const auto& one : records)
    texts.emplace_back(reinterpret_cast<const char*>(one.sealed.data()), one.sealed.size());
  return texts;
}

using Texts = std::vector<std::string>;
using Columns = std::set<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("every sealed column that is standing is sealed anew, and nothing else is", "[store][standing]") {
  Columns listed, classified;
  for (const auto& one : store::standing_columns()) listed.emplace(one.table, one.column);
  for (const auto& field : domain::fields()) {
    if (field.kept == domain::Kept::sealed && field.retention == domain::Retention::standing) {
      classified.emplace(field.table, field.column);
    }
  }
  CHECK(listed == classified);
}

STORE_TEST_CASE("standing records: what is under other keys is found, of one organisation, in order and by pages",
                "[store][standing][tenancy]") {
  auto& records = world.stores.standing_records;
  const auto& ours = world.ours;
  co_await furnish(world, ours, "old");
  co_await furnish(world, world.theirs, "new");
  CHECK(must(co_await records.not_under(world.theirs.org, kNewest, {}, 10)).empty());
  CHECK(must(co_await records.count_not_under(world.theirs.org, kNewest, 10)) == 0);
  CHECK(must(co_await records.count_not_under(ours.org, kNewest, 10)) == 5);
  CHECK(must(co_await records.count_not_under(ours.org, kNewest, 3)) == 3);
  const auto all = must(co_await records.not_under(ours.org, kNewest, {}, 10));
  CHECK(texts_of(all) == Texts{"old ca", "old secret", "old detail", "old copy", "old hook"});
  REQUIRE(all.size() == 5);
  CHECK(all[0].record == ours.org.value);
  CHECK(all[2].record == store::connection_record(ours.agent, "b"));
  CHECK(all[3].record == store::copy_record("erp-db", 1, ours.agent));

  Texts read;
  store::StandingPlace after;
  for (;;) {
    const auto page = must(co_await records.not_under(ours.org, kNewest, after, 1));
    if (page.empty()) break;
    REQUIRE(page.size() == 1);
    read.push_back(texts_of(page)[0]);
    after = page[0].at;
  }
  CHECK(read == texts_of(all));
}

STORE_TEST_CASE("standing records: many rows of a column are read to the last", "[store][standing]") {
  std::set<std::string> made, read;
  for (int i = 0; i < 7; ++i) {
    auto token = token_of(world, world.ours, "old " + std::to_string(i));
    made.insert(token.id.value);
    must(co_await world.stores.enrolment_tokens.add(world.ours.org, std::move(token)));
  }
  store::StandingPlace after;
  for (int page = 0; page < 4; ++page) {
    const auto found = must(co_await world.stores.standing_records.not_under(world.ours.org, kNewest, after, 2));
    for (const auto& one : found) read.insert(one.record);
    if (!found.empty()) after = found.back().at;
  }
  CHECK(read == made);
}

STORE_TEST_CASE("standing records: sealed anew as they were read; whoever wrote meanwhile keeps the word",
                "[store][standing]") {
  auto& records = world.stores.standing_records;
  const auto& ours = world.ours;
  co_await furnish(world, ours, "old");
  co_await furnish(world, world.theirs, "old");
  std::vector<store::ResealedRecord> anew;
  for (auto& one : must(co_await records.not_under(ours.org, kNewest, {}, 10))) {
    auto sealed = one.sealed;
    std::ranges::copy(kNewest, sealed.begin());
    anew.push_back({std::move(one), std::move(sealed)});
  }
  must(co_await world.stores.connections.note_uses(ours.org, ours.agent,
                                                   {{.name = "b",
                                                     .health = store::ConnectionHealth::failing,
                                                     .sealed_detail = bytes_of("old later"),
                                                     .at = at_ms(5)}}));
  must(co_await world.stores.system_keys.remove(ours.org, "erp-db"));
  CHECK(must(co_await records.reseal(ours.org, anew)) == 3);
  CHECK(must(co_await records.reseal(ours.org, anew)) == 0);
  CHECK(texts_of(must(co_await records.not_under(ours.org, kNewest, {}, 10))) == Texts{"old later"});
  CHECK(must(co_await world.stores.issuing_cas.find(ours.org)).sealed_private_key == bytes_of("new ca"));
  CHECK(must(co_await records.count_not_under(world.theirs.org, kNewest, 10)) == 5);
  // What is theirs is not to be had in our name.
  auto stolen = must(co_await records.not_under(world.theirs.org, kNewest, {}, 10));
  std::vector<store::ResealedRecord> foreign;
  for (auto& one : stolen) foreign.push_back({std::move(one), bytes_of("new")});
  const auto changed = must(co_await records.reseal(ours.org, std::move(foreign)));
  CHECK(changed == 0);
}

STORE_TEST_CASE("standing records: the deployment's own are the system's, not an organisation's", "[store][standing]") {
  auto& records = world.stores.standing_records;
  must(co_await world.stores.erasures.add_receipt_key(
      {.id = "key", .public_key = Bytes(32), .sealed_private_key = bytes_of("old receipts"), .created_at = at_ms(0)}));
  CHECK(must(co_await records.not_under(world.ours.org, kNewest, {}, 10)).empty());
  CHECK(must(co_await records.count_not_under(world.ours.org, kNewest, 10)) == 0);
  auto found = must(co_await records.not_under(store::system_ledger(), kNewest, {}, 10));
  CHECK(must(co_await records.count_not_under(store::system_ledger(), kNewest, 10)) == 1);
  REQUIRE(found.size() == 1);
  CHECK(found[0].record == "key");
  CHECK(must(co_await records.reseal(world.ours.org, {{found[0], bytes_of("new")}})) == 0);
  CHECK(must(co_await records.reseal(store::system_ledger(), {{found[0], bytes_of("new")}})) == 1);
  CHECK(must(co_await world.stores.erasures.receipt_key()).value().sealed_private_key == bytes_of("new"));
}
