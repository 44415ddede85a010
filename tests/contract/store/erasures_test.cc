#include "relay/domain/fields.h"
#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "relay/store/sqlite/tables.h"
#include "shared/base/json.h"
#include "shared/crypto/random.h"
#include "tests/contract/store/tunnels.h"
#include "tests/contract/store/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

using namespace sallyport;
using namespace sallyport::test;
using store::ErasedSubject;
using store::Erasure;

namespace {

Erasure of_person(World& world, const Tenant& tenant, const UserId& person) {
  return {.id = world.id<ErasureId>("era_"),
          .subject = ErasedSubject::person,
          .org = tenant.org,
          .person = person,
          .asked_by = "token:tok_x",
          .asked_at = at_ms(1)};
}

Erasure of_organisation(World& world, const Tenant& tenant) {
  auto erasure = of_person(world, tenant, {});
  erasure.subject = ErasedSubject::organisation;
  return erasure;
}

store::AuditEvent call_of(World& world, const UserId& person, std::string from) {
  store::AuditEvent event{.id = world.id<EventId>("evt_"), .at = at_ms(world.made), .json = {}};
  event.texts.push_back({.member = "from",
                         .person = person,
                         .salt = crypto::random_bytes(32),
                         .json = canonical_json(Value(std::move(from)))});
  event.json = canonical_json(
      Value(ValueMap{{Value("action"), Value("job.start")},
                     {Value("actor"), Value("token:tok_x")},
                     {Value("apart"), Value(ValueMap{{Value("from"), Value(store::commitment_of(event.texts[0]))}})},
                     {Value("outcome"), Value("done")},
                     {Value("target"), Value("")}}));
  return event;
}

// The name has a dot, so that no digest spells it by chance.
awaitable<UserId> add_person(World& world, const Tenant& tenant, std::string name) {
  const auto id = world.id<UserId>("usr_");
  must(co_await world.stores.users.add(
      tenant.org, {.id = id, .org = tenant.org, .name = name, .email = name + "@x.test", .created_at = at_ms(1)}));
  must(co_await world.stores.api_tokens.add(tenant.org, {.id = world.id<ApiTokenId>("tok_"),
                                                         .org = tenant.org,
                                                         .user = id,
                                                         .name = "of " + name,
                                                         .secret_hash = Bytes(32),
                                                         .created_at = at_ms(1)}));
  co_return id;
}

awaitable<void> erase_all(World& world, Erasure erasure, std::size_t at_once = 3) {
  for (std::size_t gone = 1; gone > 0;) {
    gone = must(co_await world.stores.erasures.erase_some(erasure, at_once));
    CHECK(gone <= at_once);
  }
}

awaitable<std::uint64_t> rows_of(World& world, Erasure erasure, std::string table) {
  const auto rows = must(co_await world.stores.erasures.rows(erasure.id));
  const auto found = std::ranges::find(rows, table, &store::ErasedRows::table);
  co_return found == rows.end() ? 0 : found->amount;
}

awaitable<std::string> everything(World& world, OrgId org, std::optional<UserId> person = std::nullopt,
                                  std::size_t limit = 200) {
  std::string all;
  store::PageQuery query{.limit = limit};
  do {
    auto page = must(co_await world.stores.extracts.rows(org, person, query));
    for (const auto& row : page.items) all += row.table + to_json(Value(row.cells)) + "\n";
    query.after = page.next;
  } while (!query.after.empty());
  co_return all;
}

}  // namespace

STORE_TEST_CASE("erasure: a person goes with their tokens and addresses; who made something stays as an id",
                "[store][erasure]") {
  auto& stores = world.stores;
  const auto ada = co_await add_person(world, world.ours, "ada.ours");
  const auto bob = co_await add_person(world, world.ours, "bob.ours");
  auto tunnel = new_tunnel(world, world.ours);
  tunnel.created_by = ada;
  must(co_await stores.tunnels.add(world.ours.org, tunnel));
  for (const auto& user : {ada, bob}) {
    must(co_await stores.tunnels.note_connections(world.ours.org, {{.id = world.id<TunnelConnectionId>("tcn_"),
                                                                    .tunnel = tunnel.id,
                                                                    .source = "192.0.2." + user.value.substr(28),
                                                                    .user = user,
                                                                    .opened_at = at_ms(1),
                                                                    .closed_at = at_ms(2)}}));
    for (int i = 0; i < 5; ++i)
      must(co_await stores.audit_log.append(world.ours.org, call_of(world, user, "192.0.2.9")));
  }
  must(co_await stores.audit_log.append(store::system_ledger(), call_of(world, ada, "192.0.2.9")));
  const auto erasure = of_person(world, world.ours, ada);
  const auto change = must(co_await stores.erasures.begin_person(erasure));
  CHECK(change.user.name == "ada.ours");
  CHECK(refusal(co_await stores.users.find(world.ours.org, ada)) == Errc::not_found);
  co_await erase_all(world, erasure);
  const auto left = co_await everything(world, world.ours.org);
  CHECK(left.find("ada.ours") == std::string::npos);
  CHECK(left.find("bob.ours@x.test") != std::string::npos);  // control: others are still there
  CHECK(must(co_await stores.tunnels.find(world.ours.org, tunnel.id)).created_by == ada);
  const auto connections = must(co_await stores.tunnels.list_connections(world.ours.org, tunnel.id, {}));
  REQUIRE(connections.items.size() == 2);
  for (const auto& one : connections.items) CHECK(one.source.empty() == (one.user == ada));
  CHECK(co_await rows_of(world, erasure, "audit_texts") == 6);
  CHECK(co_await rows_of(world, erasure, "users") == 1);
  CHECK(co_await rows_of(world, erasure, "api_tokens") == 1);
  const auto verdict = must(co_await stores.audit_log.verify(world.ours.org));
  CHECK(!verdict.bad_seq);
  CHECK(verdict.erased == 5);
  CHECK(must(co_await stores.audit_log.verify(store::system_ledger())).erased == 1);
}

STORE_TEST_CASE("erasure: what is told of an erased person later is not kept", "[store][erasure]") {
  auto& stores = world.stores;
  const auto ada = co_await add_person(world, world.ours, "ada.ours");
  const auto tunnel = new_tunnel(world, world.ours);
  must(co_await stores.tunnels.add(world.ours.org, tunnel));
  store::TunnelConnection open{.id = world.id<TunnelConnectionId>("tcn_"),
                               .tunnel = tunnel.id,
                               .source = "192.0.2.9",
                               .user = ada,
                               .opened_at = at_ms(1)};
  must(co_await stores.tunnels.note_connections(world.ours.org, {open}));
  const auto erasure = of_person(world, world.ours, ada);
  must(co_await stores.erasures.begin_person(erasure));
  co_await erase_all(world, erasure);
  open.closed_at = at_ms(3);
  must(co_await stores.tunnels.note_connections(world.ours.org, {open}));
  auto late = open;
  late.id = world.id<TunnelConnectionId>("tcn_");
  must(co_await stores.tunnels.note_connections(world.ours.org, {late}));
  must(co_await stores.audit_log.append(world.ours.org, call_of(world, ada, "192.0.2.9")));
  const auto left = co_await everything(world, world.ours.org);
  CHECK(left.find("192.0.2.9") == std::string::npos);
  const auto connections = must(co_await stores.tunnels.list_connections(world.ours.org, tunnel.id, {}));
  CHECK(connections.items.size() == 2);
  CHECK(std::ranges::all_of(connections.items, [](const auto& one) { return one.closed_at.has_value(); }));
  CHECK(!must(co_await stores.audit_log.verify(world.ours.org)).bad_seq);
}

STORE_TEST_CASE("erasure: the last owner stays, strangers are not found, one who was removed before can be erased",
                "[store][erasure][tenancy]") {
  auto& stores = world.stores;
  CHECK(refusal(co_await stores.erasures.begin_person(of_person(world, world.ours, world.ours.owner))) ==
        Errc::conflict);
  must(co_await stores.users.find(world.ours.org, world.ours.owner));
  const auto ada = co_await add_person(world, world.ours, "ada.ours");
  CHECK(refusal(co_await stores.erasures.begin_person(of_person(world, world.theirs, ada))) == Errc::not_found);
  must(co_await stores.audit_log.append(world.ours.org, call_of(world, ada, "192.0.2.9")));
  must(co_await stores.audit_log.append(store::system_ledger(), call_of(world, world.theirs.owner, "192.0.2.9")));
  CHECK(refusal(co_await stores.erasures.begin_person(of_person(world, world.ours, world.theirs.owner))) ==
        Errc::not_found);
  must(co_await stores.users.remove(world.ours.org, ada, at_ms(2)));
  const auto erasure = of_person(world, world.ours, ada);
  must(co_await stores.erasures.begin_person(erasure));
  co_await erase_all(world, erasure);
  CHECK(co_await rows_of(world, erasure, "audit_texts") == 1);
}

// An organisation with a row in every table that can have one of it.
static awaitable<void> fill(World& world, Tenant tenant) {
  auto& stores = world.stores;
  co_await world.running_job(tenant);
  co_await world.queue_job(tenant, "event");
  const auto ada = co_await add_person(world, tenant, "ada.ours");
  const auto tunnel = new_tunnel(world, tenant);
  must(co_await stores.tunnels.add(tenant.org, tunnel));
  must(co_await stores.tunnels.note_connections(tenant.org, {{.id = world.id<TunnelConnectionId>("tcn_"),
                                                              .tunnel = tunnel.id,
                                                              .source = "192.0.2.9",
                                                              .user = ada,
                                                              .opened_at = at_ms(1)}}));
  must(co_await stores.audit_log.append(tenant.org, call_of(world, ada, "192.0.2.9")));
}

STORE_TEST_CASE("erasure: an organisation goes to the last row, in small steps, and no other one is touched",
                "[store][erasure][tenancy]") {
  auto& stores = world.stores;
  co_await fill(world, world.ours);
  co_await fill(world, world.theirs);
  const auto theirs = co_await everything(world, world.theirs.org);
  const auto erasure = of_organisation(world, world.ours);
  must(co_await stores.erasures.begin_organisation(erasure));
  CHECK(refusal(co_await stores.erasures.begin_organisation(of_organisation(world, world.ours))) == Errc::conflict);
  CHECK(must(co_await stores.agents.find(world.ours.org, world.ours.agent)).status == store::AgentStatus::revoked);
  CHECK(must(co_await stores.api_tokens.list(world.ours.org, {})).items.empty());
  CHECK(must(co_await stores.erasures.unfinished()).size() == 1);
  co_await erase_all(world, erasure);
  CHECK(refusal(co_await stores.organisations.find(world.ours.org)) == Errc::not_found);
  must(co_await stores.audit_log.append(world.ours.org, call_of(world, world.ours.owner, "192.0.2.9")));
  const auto left = co_await everything(world, world.ours.org);
  CHECK(left.find("192.0.2.9") == std::string::npos);
  const auto verdict = must(co_await stores.audit_log.verify(world.ours.org));
  CHECK(!verdict.bad_seq);
  CHECK(verdict.erased == 2);
  CHECK(co_await everything(world, world.theirs.org) == theirs);
  must(co_await stores.erasures.finish(erasure.id, at_ms(9), "{}"));
  CHECK(must(co_await stores.erasures.unfinished()).empty());
  CHECK(must(co_await stores.erasures.find(erasure.id)).receipt == "{}");
}

STORE_TEST_CASE("erasure: objects in archives are listed as their rows go, and counted until they are removed",
                "[store][erasure][archive][tenancy]") {
  auto& stores = world.stores;
  const auto archived = [&](int number, std::string place) {
    return store::ArchivedRecord{.job = JobId("job_" + std::to_string(number)),
                                 .place = std::move(place),
                                 .object = "o/" + std::to_string(number),
                                 .hours = 48,
                                 .hour = 10,
                                 .archived_at = at_ms(5)};
  };
  for (int i = 0; i < 5; ++i) {
    for (const auto& org : {world.ours.org, world.theirs.org})
      must(co_await stores.archive.intend(org, archived(i, i == 4 ? "offsite" : "local")));
    if (i < 3) must(co_await stores.archive.settle(world.ours.org, archived(i, "local")));
  }
  must(co_await stores.archive.remove(world.theirs.org, JobId("job_0"), "local"));
  CHECK(must(co_await stores.archive.count_to_remove()) == 0);  // of who is there nothing is listed
  const auto erasure = of_organisation(world, world.ours);
  must(co_await stores.erasures.begin_organisation(erasure));
  CHECK(refusal(co_await stores.archive.intend(world.ours.org, archived(9, "local"))) == Errc::not_found);
  co_await erase_all(world, erasure);
  CHECK(must(co_await stores.archive.places_to_clear()) == std::vector<std::string>{"local", "offsite"});
  auto listed = must(co_await stores.archive.to_remove("local", 10));
  REQUIRE(listed.size() == 4);
  CHECK(must(co_await stores.archive.to_remove("local", 2)).size() == 2);
  must(co_await stores.archive.not_removed(listed[0]));
  CHECK(must(co_await stores.archive.to_remove("local", 10)).back().object == listed[0].object);
  must(co_await stores.archive.removed(listed[1]));
  must(co_await stores.archive.removed(listed[1]));
  const auto objects = must(co_await stores.erasures.objects(erasure.id));
  CHECK(objects.all == 5);
  CHECK(objects.left == 4);
  const auto theirs = must(co_await stores.archive.ended(world.theirs.org, 48, 99));
  REQUIRE(theirs.size() == 2);
  CHECK(theirs[0].count + theirs[1].count == 4);
}

STORE_TEST_CASE("erasure: an organisation with a platform admin is refused", "[store][erasure]") {
  must(co_await world.stores.users.add(world.ours.org, {.id = world.id<UserId>("usr_"),
                                                        .org = world.ours.org,
                                                        .name = "admin",
                                                        .email = "admin@x.test",
                                                        .platform = domain::PlatformRights::admin,
                                                        .created_at = at_ms(1)}));
  CHECK(refusal(co_await world.stores.erasures.begin_organisation(of_organisation(world, world.ours))) ==
        Errc::conflict);
  must(co_await world.stores.users.find(world.ours.org, world.ours.owner));
}

STORE_TEST_CASE("export: an organisation in pages of any size is the same, and of one organisation",
                "[store][export][tenancy]") {
  co_await fill(world, world.ours);
  co_await fill(world, world.theirs);
  const auto whole = co_await everything(world, world.ours.org);
  for (const std::size_t limit : {1u, 2u, 7u})
    CHECK(co_await everything(world, world.ours.org, std::nullopt, limit) == whole);
  CHECK(whole.find("ada.ours@x.test") != std::string::npos);
  CHECK(whole.find("192.0.2.9") != std::string::npos);
  for (const auto& foreign : {world.theirs.org.value, world.theirs.owner.value, world.theirs.agent.value})
    CHECK(whole.find(foreign) == std::string::npos);
  for (const char* cursor : {"x", "users/x", "nothing/W10", "users/WzFd.", "users/W1tdXQ"})
    CHECK(refusal(co_await world.stores.extracts.rows(world.ours.org, std::nullopt, {.after = cursor})) ==
          Errc::invalid);
}

STORE_TEST_CASE("export: a person's is theirs alone", "[store][export]") {
  co_await fill(world, world.ours);
  const auto bob = co_await add_person(world, world.ours, "bob.ours");
  must(co_await world.stores.audit_log.append(world.ours.org, call_of(world, bob, "192.0.2.44")));
  const auto of_bob = co_await everything(world, world.ours.org, bob, 1);
  CHECK(of_bob.find("bob.ours@x.test") != std::string::npos);
  CHECK(of_bob.find("192.0.2.44") != std::string::npos);
  CHECK(of_bob.find("of bob") != std::string::npos);
  for (const char* other : {"ada.ours", "192.0.2.9"}) CHECK(of_bob.find(other) == std::string::npos);
  CHECK((co_await everything(world, world.theirs.org, bob)).empty());
}

// What no organisation's or person's export holds, of columns about people. `extra` is a planted one.
static std::set<std::string> not_covered(const std::vector<store::ExtractTable>& tables,
                                         std::optional<domain::Field> extra = std::nullopt) {
  std::vector<domain::Field> fields(domain::fields().begin(), domain::fields().end());
  if (extra) fields.push_back(*extra);
  std::set<std::string> missing;
  for (const auto& field : fields) {
    if (field.about != domain::About::person || field.kept != domain::Kept::clear) continue;
    const auto table = std::ranges::find(tables, field.table, &store::ExtractTable::table);
    if (table == tables.end() || std::ranges::find(table->columns, field.column) == table->columns.end())
      missing.insert(fmt::format("{}.{}", field.table, field.column));
  }
  return missing;
}

TEST_CASE("every column about a person is in the export of a person and of an organisation",
          "[store][export][fields]") {
  CHECK(not_covered(store::extract_of_person()) == std::set<std::string>{});
  CHECK(not_covered(store::extract_of_organisation()) == std::set<std::string>{});
  const domain::Field diary{"agents",
                            "keeper",
                            FieldClass::sensitive,
                            domain::About::person,
                            domain::Kept::clear,
                            domain::Retention::standing};
  CHECK(not_covered(store::extract_of_person(), diary) == std::set<std::string>{"agents.keeper"});
}

TEST_CASE("no export gives a key, a hash or what nobody has classified", "[store][export][fields]") {
  for (const auto& tables : {store::extract_of_person(), store::extract_of_organisation()}) {
    CHECK(tables.size() > 5);
    for (const auto& table : tables) {
      for (const auto& column : table.columns) {
        INFO(table.table << "." << column);
        const auto* field = domain::find_field(table.table, column);
        REQUIRE(field != nullptr);
        CHECK(field->about != domain::About::key_material);
        CHECK((field->kept == domain::Kept::clear || field->kept == domain::Kept::sealed));
      }
    }
  }
}

namespace {

class Borrowed final : public StoreEngine {
 public:
  explicit Borrowed(store::SqliteStore& store) : store_(store) {}
  store::Stores stores() override { return store_.stores(); }

 private:
  store::SqliteStore& store_;
};

// `tables`: all that have an organisation's rows, with how many there were of this one before.
awaitable<void> fill_and_erase(store::SqliteStore& store, OrgId& erased, std::map<std::string, std::int64_t>& tables,
                               std::filesystem::path file) {
  World world(std::make_unique<Borrowed>(store));
  co_await world.furnish();
  co_await fill(world, world.ours);
  erased = world.ours.org;
  auto database = must(store::sqlite::Database::open(file, store::sqlite::Access::read_write));
  for (const auto& table : must(store::sqlite::tables_children_first(database))) {
    if (!table.has_column("org") || table.name == "erasures") continue;
    tables[table.name] = must(database.prepare(fmt::format("select count(*) from {} where org = ?", table.name), erased)
                                  .one("count", [](store::sqlite::Row row) { return row.integer(); }));
  }
  const auto erasure = of_organisation(world, world.ours);
  must(co_await world.stores.erasures.begin_organisation(erasure));
  co_await erase_all(world, erasure, 50);
}

}  // namespace

TEST_CASE("after its erasure no table has a row of an organisation, but those that are said to", "[store][erasure]") {
  TempFolder folder;
  OrgId erased;
  std::map<std::string, std::int64_t> tables;
  run(fill_and_erase(*must(store::SqliteStore::open({.file = folder / "relay.db"})), erased, tables,
                     folder / "relay.db"));
  auto database = must(store::sqlite::Database::open(folder / "relay.db", store::sqlite::Access::read_write));
  std::set<std::string> with_rows, left;
  const auto count = [&](const std::string& table) {
    return must(database.prepare(fmt::format("select count(*) from {} where org = ?", table), erased)
                    .one("count", [](store::sqlite::Row row) { return row.integer(); }));
  };
  for (const auto& [table, before] : tables) {
    if (count(table) > 0) with_rows.insert(table);
  }
  for (const auto& one : store::tables_left()) {
    if (one.table != "erasures") left.insert(std::string(one.table));
  }
  CHECK(tables.size() > 20);
  CHECK(std::ranges::count_if(tables, [](const auto& one) { return one.second > 0; }) > 12);
  CHECK(with_rows == left);
  must(
      database.script(fmt::format("insert into job_events (org, recipe, event_key, job, created_at) values ('{}', 'r', "
                                  "'e', 'j', 0)",
                                  erased.value)));
  CHECK(count("job_events") == 1);  // control: a row that was left would be seen
}

namespace {

std::size_t times_in(const std::filesystem::path& folder, std::string_view text) {
  std::size_t times = 0;
  for (const auto* name : {"relay.db", "relay.db-wal"}) {
    std::ifstream file(folder / name, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    for (auto at = content.find(text); at != content.npos; at = content.find(text, at + 1)) ++times;
  }
  return times;
}

// What the ledger says of a removal.
store::AuditNote<store::UserChange> removal_of(World& world, const Tenant& tenant, const UserId& person,
                                               std::string outcome) {
  store::AuditEntry entry{tenant.org, {.id = world.id<EventId>("evt_"), .at = at_ms(world.made), .json = {}}};
  entry.event.json = canonical_json(Value(ValueMap{{Value("action"), Value("user.remove")},
                                                   {Value("actor"), Value("token:tok_x")},
                                                   {Value("outcome"), Value(std::move(outcome))},
                                                   {Value("target"), Value("user:" + person.value)}}));
  return {[entry](const store::UserChange&) -> Result<store::AuditEntry> { return entry; }, nullptr};
}

// Among many others, so that pages are split and merged over their row.
awaitable<void> remove_and_erase(store::SqliteStore& store, std::filesystem::path folder) {
  World world(std::make_unique<Borrowed>(store));
  co_await world.furnish();
  auto& stores = world.stores;
  std::vector<UserId> people;
  for (int i = 0; i < 300; ++i) people.push_back(co_await add_person(world, world.ours, fmt::format("p{}.person", i)));
  const auto gone = people[150];
  const std::string mail = "p150.person@x.test";
  CHECK(times_in(folder, mail) > 0);  // control
  for (int i = 100; i < 200; ++i)
    must(co_await stores.users.remove(world.ours.org, people[i], at_ms(5),
                                      removal_of(world, world.ours, people[i], "done")));
  CHECK(times_in(folder, mail) > 0);  // control: removing alone leaves it in the log
  const auto erasure = of_person(world, world.ours, gone);
  CHECK(refusal(co_await stores.erasures.begin_person(of_person(world, world.theirs, gone))) == Errc::not_found);
  const auto nobody = world.id<UserId>("usr_");
  must(co_await stores.audit_log.append(
      world.ours.org, must(removal_of(world, world.ours, nobody, "failed").entry(store::UserChange())).event));
  CHECK(refusal(co_await stores.erasures.begin_person(of_person(world, world.ours, nobody))) == Errc::not_found);
  must(co_await stores.erasures.begin_person(erasure));
  co_await erase_all(world, erasure);
  for (bool more = true; more;) more = must(co_await stores.job_keys.reclaim());
  CHECK(times_in(folder, mail) == 0);
  CHECK(times_in(folder, "p99.person@x.test") > 0);  // control
  CHECK(refusal(co_await stores.erasures.begin_person(of_person(world, world.ours, gone))) == Errc::not_found);
}

}  // namespace

TEST_CASE("somebody who was removed before is erased, and their address is in no file", "[store][sqlite][erasure]") {
  TempFolder folder;
  run(remove_and_erase(*must(store::SqliteStore::open({.file = folder / "relay.db"})), folder / ""));
}

TEST_CASE("an edited row, and an edited text, are found after an erasure", "[store][sqlite][audit][erasure]") {
  TempFolder folder;
  OrgId erased;
  std::map<std::string, std::int64_t> tables;
  run(fill_and_erase(*must(store::SqliteStore::open({.file = folder / "relay.db"})), erased, tables,
                     folder / "relay.db"));
  const auto verdict_after = [&](const std::string& sql) {
    {
      auto database = must(store::sqlite::Database::open(folder / "relay.db", store::sqlite::Access::read_write));
      must(
          database.script("drop trigger if exists audit_rows_are_not_edited;"
                          "drop trigger if exists nothing_is_told_of_the_erased;"));
      must(database.script(sql));
    }
    auto store = must(store::SqliteStore::open({.file = folder / "relay.db"}));
    store::AuditVerdict verdict;
    const auto ask = [&]() -> awaitable<void> { verdict = must(co_await store->stores().audit_log.verify(erased)); };
    run(ask());
    return verdict;
  };
  CHECK(!verdict_after("select 1").bad_seq);
  const auto put = fmt::format(
      "insert into audit_texts (org, seq, member, salt, json) select org, seq, 'from', "
      "zeroblob(32), '\"192.0.2.1\"' from audit_rows where org = '{}' limit 1",
      erased.value);
  const auto planted = verdict_after(put);
  CHECK(planted.bad_seq == 1u);
  CHECK(planted.reason == "a text beside it was changed");
  CHECK(!verdict_after("delete from audit_texts").bad_seq);
  CHECK(verdict_after("update audit_rows set json = replace(json, 'done', 'lost')").bad_seq == 1u);
}
