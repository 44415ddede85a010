#include "relay/store/archive.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kColumns = "job, place, object, hours, hour, size, archived_at";

ArchivedRecord read_record(Row row) {
  return {.job = row.id<JobId>(),
          .place = row.text(),
          .object = row.text(),
          .hours = row.u32(),
          .hour = row.integer(),
          .size = row.u64(),
          .archived_at = row.maybe_time()};
}

std::uint64_t read_count(Row row) { return row.u64(); }

Result<std::string> place_of(Database& db, const OrgId& org) {
  SP_TRY(auto place,
         db.prepare("select place from archive_places where org = ?", org).maybe([](Row row) { return row.text(); }));
  return std::move(place).value_or("");
}

Result<ChangedPlace> put_place(Database& db, const OrgId& org, const std::string& place, WallTime at) {
  SP_CHECK(db.prepare("select 1 from organisations where id = ?", org).one("organisation", [](Row) { return 0; }));
  SP_TRY(auto before, place_of(db, org));
  SP_CHECK(db.run("delete from archive_places where org = ?", org));
  if (!place.empty())
    SP_CHECK(db.run("insert into archive_places (org, place, set_at) values (?, ?, ?)", org, place, at));
  return ChangedPlace{std::move(before), place};
}

Result<void> take_out(Database& db, const OrgId& org, const JobId& job) {
  SP_CHECK(db.run("delete from archive_outbox where org = ? and job = ?", org, job));
  return {};
}

// The lane and the hour may be others than at the try before: what is put counts.
Result<std::string> intend_record(Database& db, const OrgId& org, const ArchivedRecord& record) {
  SP_CHECK(db.run(
      "insert into archive_records (org, job, place, object, hours, hour, size) values (?, ?, ?, ?, ?, ?, ?) on "
      "conflict (org, job, place) do update set hours = excluded.hours, hour = excluded.hour, size = excluded.size",
      org, record.job, record.place, record.object, record.hours, record.hour, record.size));
  return db
      .prepare("select object from archive_records where org = ? and job = ? and place = ?", org, record.job,
               record.place)
      .one("organisation", [](Row row) { return row.text(); });
}

Result<void> settle_record(Database& db, const OrgId& org, const ArchivedRecord& record) {
  SP_CHECK(take_out(db, org, record.job));
  return expect_row(db.run("update archive_records set archived_at = ? where org = ? and job = ? and place = ?",
                           record.archived_at, org, record.job, record.place),
                    "record of the job");
}

// What the organisation's erasure lists when the row goes is counted as that.
Result<void> remove_record(Database& db, const OrgId& org, const JobId& job, const std::string& place) {
  SP_TRY(const auto gone,
         db.run("delete from archive_records where org = ? and job = ? and place = ?", org, job, place));
  if (gone == 0) return {};
  SP_CHECK(db.run(
      "insert into erased_rows (erasure, table_name, amount) select id, 'archive_records', 1 from erasures where "
      "org = ? and subject = 'organisation' on conflict (erasure, table_name) do update set amount = amount + 1",
      org));
  return {};
}

class SqliteArchive final : public Archive {
 public:
  explicit SqliteArchive(Engine& engine) : engine_(engine) {}

  awaitable<Result<std::string>> place(OrgId org) override {
    return engine_.read([org](Database& db) { return place_of(db, org); });
  }
  awaitable<Result<ChangedPlace>> set_place(OrgId org, std::string place, WallTime at,
                                            AuditNote<ChangedPlace> note) override {
    return write_noted(
        engine_, [org, place, at](Database& db) { return put_place(db, org, place, at); }, std::move(note));
  }

  awaitable<Result<std::vector<WaitingRecord>>> due(WallTime now, WallTime latest, std::size_t limit) override {
    return engine_.read([now, latest, limit](Database& db) {
      return db
          .prepare(
              "select org, job, failures from archive_outbox where due_at <= ? or due_at > ? order by due_at "
              "limit ?",
              now, latest, std::uint64_t{limit})
          .all([](Row row) {
            return WaitingRecord{.org = row.id<OrgId>(), .job = row.id<JobId>(), .failures = row.u32()};
          });
    });
  }
  awaitable<Result<std::uint64_t>> count_waiting() override {
    return engine_.read(
        [](Database& db) { return db.prepare("select count(*) from archive_outbox").one("count", read_count); });
  }
  awaitable<Result<std::uint64_t>> count_waiting(OrgId org) override {
    return engine_.read([org](Database& db) {
      return db.prepare("select count(*) from archive_outbox where org = ?", org).one("count", read_count);
    });
  }
  awaitable<Result<void>> put_off(OrgId org, JobId job, WallTime until) override {
    return engine_.write([org, job, until](Database& db) -> Result<void> {
      SP_CHECK(db.run("update archive_outbox set due_at = ?, failures = failures + 1 where org = ? and job = ?", until,
                      org, job));
      return {};
    });
  }
  awaitable<Result<std::string>> intend(OrgId org, ArchivedRecord record) override {
    return engine_.write([org, record = std::move(record)](Database& db) { return intend_record(db, org, record); });
  }
  awaitable<Result<void>> settle(OrgId org, ArchivedRecord record) override {
    return engine_.write([org, record = std::move(record)](Database& db) { return settle_record(db, org, record); });
  }
  awaitable<Result<void>> give_up(OrgId org, JobId job, AuditNote<> note) override {
    return write_noted(engine_, [org, job](Database& db) { return take_out(db, org, job); }, std::move(note));
  }

  awaitable<Result<Page<ArchivedRecord>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const auto limit = page.bounded_limit();
      return page_of(
          db.prepare(
              select(kColumns,
                     "from archive_records where org = ? and job < ? and archived_at is not null order by job desc "
                     "limit ?"),
              org, or_end(page.after), one_more(limit)),
          limit, read_record, [](const ArchivedRecord& last) { return last.job.value; });
    });
  }
  awaitable<Result<ArchivedRecord>> find(OrgId org, JobId job) override {
    return engine_.read([org, job](Database& db) {
      return db
          .prepare(select(kColumns, "from archive_records where org = ? and job = ? and archived_at is not null"), org,
                   job)
          .one("archived job", read_record);
    });
  }
  awaitable<Result<std::vector<EndedObjects>>> ended(OrgId org, std::uint32_t hours, Hour before) override {
    return engine_.read([org, hours, before](Database& db) {
      return db
          .prepare(
              "select place, count(*) from archive_records where org = ? and hours = ? and hour < ? group by place",
              org, hours, before)
          .all([&](Row row) {
            auto place = row.text();
            return EndedObjects{org, hours, before, std::move(place), row.u64()};
          });
    });
  }
  awaitable<Result<std::vector<ArchivedRecord>>> objects_of(EndedObjects ended, std::uint64_t skip,
                                                            std::size_t limit) override {
    return engine_.read([ended = std::move(ended), skip, limit](Database& db) {
      return db
          .prepare(select(kColumns,
                          "from archive_records where org = ? and hours = ? and hour < ? and place = ? order by hour, "
                          "job limit ? offset ?"),
                   ended.org, ended.hours, ended.before, ended.place, std::uint64_t{limit}, skip)
          .all(read_record);
    });
  }
  awaitable<Result<void>> remove(OrgId org, JobId job, std::string place) override {
    return engine_.write([org, job, place](Database& db) { return remove_record(db, org, job, place); });
  }

  awaitable<Result<std::vector<std::string>>> places_to_clear() override {
    return engine_.read([](Database& db) {
      return db.prepare("select distinct place from archive_removals").all([](Row row) { return row.text(); });
    });
  }
  awaitable<Result<std::vector<ObjectToRemove>>> to_remove(std::string place, std::size_t limit) override {
    return engine_.read([place, limit](Database& db) {
      return db
          .prepare("select place, object from archive_removals where place = ? order by tries limit ?", place,
                   std::uint64_t{limit})
          .all([](Row row) { return ObjectToRemove{.place = row.text(), .object = row.text()}; });
    });
  }
  awaitable<Result<void>> not_removed(ObjectToRemove object) override {
    return engine_.write([object = std::move(object)](Database& db) -> Result<void> {
      SP_CHECK(db.run("update archive_removals set tries = tries + 1 where place = ? and object = ?", object.place,
                      object.object));
      return {};
    });
  }
  awaitable<Result<void>> removed(ObjectToRemove object) override {
    return engine_.write([object = std::move(object)](Database& db) -> Result<void> {
      SP_CHECK(db.run("delete from archive_removals where place = ? and object = ?", object.place, object.object));
      return {};
    });
  }
  awaitable<Result<std::uint64_t>> count_to_remove() override {
    return engine_.read(
        [](Database& db) { return db.prepare("select count(*) from archive_removals").one("count", read_count); });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Archive> make_archive(Engine& engine) { return std::make_unique<SqliteArchive>(engine); }

}  // namespace sallyport::store::sqlite
