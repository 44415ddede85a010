#include "relay/store/erasures.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"
#include "relay/store/sqlite/tables.h"

#include <algorithm>

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kColumns = "id, subject, org, person, asked_by, asked_at, keys, finished_at, receipt";

Erasure read_erasure(Row row) {
  return {.id = row.id<ErasureId>(),
          .subject = row.text() == "person" ? ErasedSubject::person : ErasedSubject::organisation,
          .org = row.id<OrgId>(),
          .person = row.id<UserId>(),
          .asked_by = row.text(),
          .asked_at = row.time(),
          .keys = row.text(),
          .finished_at = row.maybe_time(),
          .receipt = row.text()};
}

Result<void> insert_erasure(Database& db, const Erasure& erasure) {
  return explain(
      db.run("insert into erasures (id, subject, org, person, asked_by, asked_at) values (?, ?, ?, ?, ?, ?)",
             erasure.id, to_string(erasure.subject), erasure.org, erasure.person, erasure.asked_by, erasure.asked_at),
      "the organisation is being erased, or was; or there is an erasure with this id", "no such organisation");
}

Result<void> add_count(Database& db, const ErasureId& id, std::string_view table, std::int64_t amount) {
  if (amount == 0) return {};
  SP_CHECK(
      db.run("insert into erased_rows (erasure, table_name, amount) values (?, ?, ?) on conflict (erasure, "
             "table_name) do update set amount = amount + excluded.amount",
             id, table, amount));
  return {};
}

Result<bool> has_trace(Database& db, const Erasure& erasure) {
  for (const auto& trace : person_traces()) {
    if (trace.fate == Fate::named) continue;
    SP_TRY(const auto found, db.prepare(fmt::format("select 1 from {} where {} limit 1", trace.table, trace.where),
                                        erasure.org, erasure.person)
                                 .maybe([](Row) { return 0; }));
    if (found) return true;
  }
  return false;
}

// Who was removed, and whom nothing else tells of: bytes of their row may still be in the log or in free pages. Calls
// that were refused tell of whoever was named in them.
Result<bool> was_here(Database& db, const Erasure& erasure) {
  SP_TRY(const auto found,
         db.prepare("select 1 from audit_rows where org = ?1 and action in ('user.remove', 'user.add') and json ->> "
                    "'$.target' = 'user:' || ?2 and json ->> '$.outcome' = 'done' and not exists (select 1 from "
                    "erasures where org = ?1 and person = ?2) limit 1",
                    erasure.org, erasure.person)
             .maybe([](Row) { return 0; }));
  return found.has_value();
}

// Rows that are found by the user's row, or by their tokens, go with them in one transaction.
Result<UserChange> begin_with_person(Database& db, const Erasure& erasure) {
  SP_TRY(bool found, has_trace(db, erasure));
  if (!found) {
    SP_TRY(found, was_here(db, erasure));
  }
  if (!found) return fail(Errc::not_found, "no such user");
  SP_CHECK(insert_erasure(db, erasure));
  for (const auto& trace : person_traces()) {
    if (trace.table == "users") break;
    SP_TRY(const auto gone,
           db.run(fmt::format("delete from {} where {}", trace.table, trace.where), erasure.org, erasure.person));
    SP_CHECK(add_count(db, erasure.id, trace.table, gone));
  }
  SP_TRY(auto removed, remove_user_if_any(db, erasure.org, erasure.person, erasure.asked_at));
  SP_CHECK(add_count(db, erasure.id, "users", removed ? 1 : 0));
  return std::move(removed).value_or(UserChange());
}

Result<void> keep_platform_admins(Database& db, const OrgId& org) {
  SP_TRY(const auto admins,
         db.prepare("select count(*) from users where org = ? and platform = 'admin'", org).one("users", [](Row row) {
           return row.integer();
         }));
  if (admins == 0) return {};
  return fail(Errc::conflict,
              "a platform admin is of this organisation: it is the deployment's own, or they must leave it first");
}

Result<void> begin_with_organisation(Database& db, const Erasure& erasure) {
  SP_CHECK(
      db.prepare("select 1 from organisations where id = ?", erasure.org).one("organisation", [](Row) { return 0; }));
  SP_CHECK(keep_platform_admins(db, erasure.org));
  SP_CHECK(insert_erasure(db, erasure));
  for (const std::string_view table : {"api_tokens", "enrolment_tokens", "webhooks"}) {
    SP_TRY(const auto gone, db.run(fmt::format("delete from {} where org = ?", table), erasure.org));
    SP_CHECK(add_count(db, erasure.id, table, gone));
  }
  SP_CHECK(db.run("update certificates set revoked_at = ? where org = ? and revoked_at is null", erasure.asked_at,
                  erasure.org));
  SP_CHECK(db.run("update agents set status = 'revoked' where org = ?", erasure.org));
  return {};
}

bool is_left(std::string_view table) {
  return std::ranges::any_of(tables_left(), [&](const LeftTable& left) { return left.table == table; });
}

// Of a table with rows of the organisation, the first one that nothing else of it refers to.
Result<std::size_t> erase_of_organisation(Database& db, const Erasure& erasure, std::size_t limit) {
  SP_TRY(const auto tables, tables_children_first(db));
  std::size_t all = 0;
  for (const auto& table : tables) {
    const bool organisations = table.name == "organisations";
    if (is_left(table.name) || !(organisations || table.has_column("org"))) continue;
    const std::string_view by = organisations ? "id" : "org";
    SP_TRY(
        const auto gone,
        db.run(fmt::format("delete from {0} where {1} = ?1 and ({2}) in (select {2} from {0} where {1} = ?1 limit ?2)",
                           table.name, by, fmt::join(table.key, ", ")),
               erasure.org, std::uint64_t{limit - all}));
    SP_CHECK(add_count(db, erasure.id, table.name, gone));
    all += static_cast<std::size_t>(gone);
    if (all >= limit) return all;
  }
  return all;
}

Result<std::int64_t> erase_trace(Database& db, const Table& table, const PersonTrace& trace, const Erasure& erasure,
                                 std::size_t limit) {
  const auto key = fmt::format("{}", fmt::join(table.key, ", "));
  const auto still = trace.fate == Fate::blanked ? fmt::format(" and {} <> ''", trace.blanked) : std::string();
  const auto some =
      fmt::format("where ({0}) in (select {0} from {1} where {2}{3} limit ?3)", key, trace.table, trace.where, still);
  return db.run(trace.fate == Fate::blanked ? fmt::format("update {} set {} = '' {}", trace.table, trace.blanked, some)
                                            : fmt::format("delete from {} {}", trace.table, some),
                erasure.org, erasure.person, std::uint64_t{limit});
}

Result<std::size_t> erase_of_person(Database& db, const Erasure& erasure, std::size_t limit) {
  SP_TRY(const auto tables, tables_children_first(db));
  std::size_t all = 0;
  for (const auto& trace : person_traces()) {
    const auto table = std::ranges::find(tables, trace.table, &Table::name);
    if (trace.fate == Fate::named || table == tables.end()) continue;
    SP_TRY(const auto gone, erase_trace(db, *table, trace, erasure, limit - all));
    SP_CHECK(add_count(db, erasure.id, trace.table, gone));
    all += static_cast<std::size_t>(gone);
    if (all >= limit) return all;
  }
  return all;
}

ReceiptKey read_receipt_key(Row row) {
  return {.id = row.text(), .public_key = row.bytes(), .sealed_private_key = row.bytes(), .created_at = row.time()};
}

class SqliteErasures final : public Erasures {
 public:
  explicit SqliteErasures(Engine& engine) : engine_(engine) {}

  awaitable<Result<UserChange>> begin_person(Erasure erasure, AuditNote<UserChange> note) override {
    return write_noted(
        engine_, [erasure = std::move(erasure)](Database& db) { return begin_with_person(db, erasure); },
        std::move(note));
  }

  awaitable<Result<void>> begin_organisation(Erasure erasure, AuditNote<> note) override {
    return write_noted(
        engine_, [erasure = std::move(erasure)](Database& db) { return begin_with_organisation(db, erasure); },
        std::move(note));
  }

  awaitable<Result<Erasure>> find(ErasureId id) override {
    return engine_.read([id](Database& db) {
      return db.prepare(select(kColumns, "from erasures where id = ?"), id).one("erasure", read_erasure);
    });
  }

  awaitable<Result<std::vector<Erasure>>> unfinished() override {
    return engine_.read([](Database& db) {
      return db.prepare(select(kColumns, "from erasures where finished_at is null order by id")).all(read_erasure);
    });
  }

  awaitable<Result<std::vector<ErasedOrganisation>>> without_keys() override {
    return engine_.read([](Database& db) {
      return db
          .prepare(
              "select id, org from erasures where subject = 'organisation' and finished_at is not null order by id")
          .all([](Row row) {
            auto erasure = row.id<ErasureId>();
            return ErasedOrganisation{.erasure = std::move(erasure), .org = row.id<OrgId>()};
          });
    });
  }

  awaitable<Result<void>> note_keys(ErasureId id, std::string keys) override {
    return engine_.write([id, keys](Database& db) {
      return expect_row(db.run("update erasures set keys = ? where id = ?", keys, id), "erasure");
    });
  }

  awaitable<Result<std::size_t>> erase_some(Erasure erasure, std::size_t limit) override {
    return engine_.write([erasure = std::move(erasure), limit](Database& db) {
      return erasure.subject == ErasedSubject::person ? erase_of_person(db, erasure, limit)
                                                      : erase_of_organisation(db, erasure, limit);
    });
  }

  awaitable<Result<std::vector<ErasedRows>>> rows(ErasureId id) override {
    return engine_.read([id](Database& db) {
      return db.prepare("select table_name, amount from erased_rows where erasure = ? order by table_name", id)
          .all([](Row row) { return ErasedRows{.table = row.text(), .amount = row.u64()}; });
    });
  }

  awaitable<Result<ErasedObjects>> objects(ErasureId id) override {
    return engine_.read([id](Database& db) {
      return db
          .prepare(
              "select coalesce((select amount from erased_rows where erasure = ?1 and table_name = 'archive_records'), "
              "0), (select count(*) from archive_removals where erasure = ?1)",
              id)
          .one("count", [](Row row) {
            const auto counted = row.u64(), left = row.u64();
            return ErasedObjects{.all = std::max(counted, left), .left = left};  // older relays did not count all
          });
    });
  }

  awaitable<Result<void>> finish(ErasureId id, WallTime at, std::string receipt) override {
    return engine_.write([id, at, receipt](Database& db) {
      return expect_row(db.run("update erasures set finished_at = ?, receipt = ? where id = ?", at, receipt, id),
                        "erasure");
    });
  }

  awaitable<Result<LedgerHead>> head(OrgId ledger) override {
    return engine_.read([ledger](Database& db) -> Result<LedgerHead> {
      SP_TRY(auto head, db.prepare("select seq, hash from audit_heads where org = ?", ledger).maybe([](Row row) {
        return LedgerHead{.seq = row.u64(), .hash = row.bytes()};
      }));
      return head.value_or(LedgerHead{.seq = 0, .hash = Bytes(32)});
    });
  }

  awaitable<Result<std::optional<ReceiptKey>>> receipt_key(std::string id) override {
    return engine_.read([id = std::move(id)](Database& db) {
      return db
          .prepare(
              "select id, public_key, sealed_private_key, created_at from receipt_keys where ?1 in ('', id) "
              "order by created_at desc limit 1",
              id)
          .maybe(read_receipt_key);
    });
  }

  awaitable<Result<void>> add_receipt_key(ReceiptKey key, std::string after) override {
    return engine_.write([key = std::move(key), after = std::move(after)](Database& db) -> Result<void> {
      SP_CHECK(
          db.run("insert into receipt_keys (id, public_key, sealed_private_key, created_at) select ?, ?, ?, ? where "
                 "coalesce((select id from receipt_keys order by created_at desc limit 1), '') = ?",
                 key.id, key.public_key, key.sealed_private_key, key.created_at, after));
      return {};
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Erasures> make_erasures(Engine& engine) { return std::make_unique<SqliteErasures>(engine); }

}  // namespace sallyport::store::sqlite
