#include "relay/store/sqlite/sqlite_key_store.h"

#include "relay/store/sqlite/engine.h"
#include "relay/store/sqlite/key_copies.h"
#include "relay/store/sqlite/opening.h"
#include "relay/store/sqlite/rows.h"
#include "relay/store/sqlite/standing_keys.h"

namespace sallyport::store {

using sqlite::add_version;
using sqlite::change_attachment;
using sqlite::Database;
using sqlite::Engine;
using sqlite::expect_attachment;
using sqlite::expect_not_erased;
using sqlite::expect_row;
using sqlite::explain;
using sqlite::find_erased;
using sqlite::find_own_key;
using sqlite::give_up_hour;
using sqlite::give_up_version;
using sqlite::insert_tenant_key;
using sqlite::is_given_up;
using sqlite::kOwnKey;
using sqlite::read_own_key;
using sqlite::remove_all;
using sqlite::Row;

namespace {

KeyVersion read_version(Row row) {
  const auto version = row.u32();
  const auto under = row.u32();
  auto wrapped = row.bytes();
  const auto created_at = row.time();
  return {version, under, std::move(wrapped), created_at, row.u32()};
}

Ratchet read_ratchet(Row row) {
  auto org = row.id<OrgId>();
  auto kind = row.text();
  const auto hours = row.u32();
  const Hour position = row.integer();
  return {std::move(org), {std::move(kind), hours}, position, row.bytes()};
}

Result<std::uint64_t> read_epoch(Database& db) {
  return db.prepare("select epoch from anchor").one("anchor", [](Row row) { return row.u64(); });
}

Result<void> expect_epoch(Database& db, std::uint64_t expected) {
  SP_TRY(const auto epoch, read_epoch(db));
  if (epoch == expected) return {};
  return fail(Errc::conflict, "the anchor of the keys has turned meanwhile");
}

Result<std::optional<HourKey>> find_hour_key(Database& db, const OrgId& org, const RetentionLane& lane, Hour hour) {
  return db
      .prepare("select under, wrapped from hour_keys where org = ? and kind = ? and hours = ? and hour = ?", org,
               lane.kind, lane.hours, hour)
      .maybe([](Row row) {
        const auto under = row.u32();
        return HourKey{under, row.bytes()};
      });
}

Result<std::optional<Ratchet>> find_ratchet(Database& db, const OrgId& org, const RetentionLane& lane) {
  return db
      .prepare("select org, kind, hours, position, sealed from ratchets where org = ? and kind = ? and hours = ?", org,
               lane.kind, lane.hours)
      .maybe(read_ratchet);
}

Result<void> erase_keys(Database& db, const OrgId& org, const Turn& turn) {
  SP_TRY(const auto hours, remove_all(db, "hour_keys", org));
  SP_TRY(const auto lanes, remove_all(db, "ratchets", org));
  SP_TRY(const auto versions, remove_all(db, "tenant_keys", org));
  SP_CHECK(remove_all(db, "own_keys", org));
  SP_CHECK(remove_all(db, "given_up_keys", org));
  SP_CHECK(remove_all(db, "given_up_hours", org));
  SP_CHECK(remove_all(db, "restore_notes", org));
  return explain(db.run("insert into erased_organisations (org, versions, lanes, hours, epoch_before, epoch_after) "
                        "values (?, ?, ?, ?, ?, ?)",
                        org, versions, lanes, hours, turn.from, turn.to),
                 "the keys of this organisation are destroyed already", "no such organisation");
}

Result<void> insert_ratchet(Database& db, const Ratchet& ratchet, std::uint64_t epoch) {
  SP_CHECK(expect_epoch(db, epoch));
  SP_CHECK(expect_not_erased(db, ratchet.org));
  return explain(db.run("insert into ratchets (org, kind, hours, position, sealed) values (?, ?, ?, ?, ?)", ratchet.org,
                        ratchet.lane.kind, ratchet.lane.hours, ratchet.position, ratchet.sealed),
                 "the lane has a ratchet already", "no such lane");
}

Result<HourKey> add_hour(Database& db, const OrgId& org, const NewHourKey& key) {
  SP_TRY(auto there, find_hour_key(db, org, key.lane, key.hour));
  if (there) return *std::move(there);
  SP_TRY(const bool given_up, is_given_up(db, org, key.lane, key.hour));
  if (given_up) return fail(Errc::not_found, "the key of that hour was lost and given up");
  if (key.first) SP_CHECK(insert_ratchet(db, *key.first, key.epoch));
  SP_TRY(const auto ratchet, find_ratchet(db, org, key.lane));
  if (!ratchet || key.hour < ratchet->position) return fail(Errc::conflict, "the keys of that hour are shredded");
  SP_CHECK(db.run("insert into hour_keys (org, kind, hours, hour, under, wrapped) values (?, ?, ?, ?, ?, ?)", org,
                  key.lane.kind, key.lane.hours, key.hour, key.key.under, key.key.wrapped));
  return key.key;
}

Result<std::size_t> put_ratchet(Database& db, const Ratchet& ratchet) {
  SP_CHECK(expect_row(db.run("update ratchets set position = ?, sealed = ? where org = ? and kind = ? and hours = ?",
                             ratchet.position, ratchet.sealed, ratchet.org, ratchet.lane.kind, ratchet.lane.hours),
                      "ratchet"));
  SP_CHECK(db.run("delete from given_up_hours where org = ? and kind = ? and hours = ? and hour < ?", ratchet.org,
                  ratchet.lane.kind, ratchet.lane.hours, ratchet.position));
  SP_TRY(const auto gone, db.run("delete from hour_keys where org = ? and kind = ? and hours = ? and hour < ?",
                                 ratchet.org, ratchet.lane.kind, ratchet.lane.hours, ratchet.position));
  return static_cast<std::size_t>(gone);
}

Result<void> forget_lane(Database& db, const OrgId& org, const RetentionLane& lane) {
  SP_TRY(const auto keys, db.prepare("select count(*) from hour_keys where org = ? and kind = ? and hours = ?", org,
                                     lane.kind, lane.hours)
                              .one("keys", [](Row row) { return row.u64(); }));
  if (keys > 0) return fail(Errc::conflict, "the lane has keys by now");
  SP_CHECK(db.run("delete from ratchets where org = ? and kind = ? and hours = ?", org, lane.kind, lane.hours));
  return {};
}

Result<std::size_t> turn_to(Database& db, const Turn& turn) {
  SP_CHECK(expect_epoch(db, turn.from));
  std::size_t gone = 0;
  if (turn.erased) SP_CHECK(erase_keys(db, *turn.erased, turn));
  for (const auto& ratchet : turn.ratchets) {
    SP_TRY(const auto hours, put_ratchet(db, ratchet));
    gone += hours;
  }
  for (const auto& [org, lane] : turn.ended) {
    SP_CHECK(forget_lane(db, org, lane));
  }
  SP_TRY(const auto known,
         db.prepare("select count(*) from ratchets").one("ratchets", [](Row row) { return row.u64(); }));
  if (known != turn.ratchets.size()) return fail(Errc::conflict, "a lane came in meanwhile");
  SP_CHECK(db.run("update anchor set epoch = ?", turn.to));
  return gone;
}

LaneState read_lane(Row& row) {
  auto org = row.id<OrgId>();
  auto kind = row.text();
  const auto hours = row.u32();
  const Hour position = row.integer();
  return {std::move(org), {std::move(kind), hours}, position, row.maybe_integer()};
}

Result<std::vector<LaneState>> all_lanes(Database& db) {
  return db
      .prepare(
          "select org, kind, hours, position, (select min(h.hour) from (select org, kind, hours, hour from hour_keys "
          "union all select org, kind, hours, hour from given_up_hours) h where h.org = r.org and h.kind = r.kind and "
          "h.hours = r.hours) from ratchets r")
      .all([](Row row) { return read_lane(row); });
}

Result<std::vector<CountedLane>> counted_lanes(Database& db, const OrgId& org) {
  return db
      .prepare(
          "select r.org, r.kind, r.hours, position, min(h.hour), count(h.hour) from ratchets r left join hour_keys h "
          "on h.org = r.org and h.kind = r.kind and h.hours = r.hours where r.org = ? group by r.kind, r.hours "
          "order by r.kind, r.hours",
          org)
      .all([](Row row) {
        auto lane = read_lane(row);
        return CountedLane{std::move(lane), row.u64()};
      });
}

TenantKey read_tenant_key(Row row) {
  auto org = row.id<OrgId>();
  return {std::move(org), read_version(row)};
}

Result<std::uint64_t> remove_lanes(Database& db, std::uint64_t epoch) {
  SP_CHECK(db.run("insert or ignore into given_up_hours select org, kind, hours, hour from hour_keys"));
  SP_TRY(const auto hours, db.run("delete from hour_keys"));
  SP_CHECK(db.run("delete from ratchets"));
  SP_CHECK(db.run("update anchor set epoch = ?", epoch));
  return static_cast<std::uint64_t>(hours);
}

Result<void> find_damage(Database& db) {
  SP_TRY(const auto found, db.prepare("pragma integrity_check(1)").one("check", [](Row row) { return row.text(); }));
  if (found == "ok") return {};
  return fail(Errc::internal, "it is damaged (" + found + ")");
}

}  // namespace

struct SqliteKeyStore::Impl final : KeyStore {
  Impl(Database writer, Database reader, Database copied, sqlite::LaneLimits limits)
      : engine(std::move(writer), std::move(reader), limits), copies(sqlite::make_key_copies(std::move(copied))) {}

  awaitable<Result<std::vector<KeyVersion>>> global_keys() override {
    return engine.read([](Database& db) {
      return db.prepare("select version, 0, wrapped, created_at, 0 from global_keys order by version")
          .all(read_version);
    });
  }

  awaitable<Result<void>> add_global_key(KeyVersion key) override {
    return engine.write([key = std::move(key)](Database& db) {
      return add_version(db.run("insert into global_keys (version, wrapped, created_at) values (?, ?, ?)", key.version,
                                key.wrapped, key.created_at));
    });
  }

  awaitable<Result<std::vector<KeyVersion>>> tenant_keys(OrgId org) override {
    return engine.read([org](Database& db) {
      return db
          .prepare("select version, under, wrapped, created_at, own from tenant_keys where org = ? order by version",
                   org)
          .all(read_version);
    });
  }

  awaitable<Result<void>> add_tenant_key(OrgId org, KeyVersion key) override {
    return engine.write([org, key = std::move(key)](Database& db) -> Result<void> {
      SP_CHECK(expect_not_erased(db, org));
      SP_CHECK(expect_attachment(db, org, key.own));
      return insert_tenant_key(db, org, key);
    });
  }

  awaitable<Result<std::uint32_t>> given_up(OrgId org) override {
    return engine.read([org](Database& db) -> Result<std::uint32_t> {
      SP_TRY(const auto version, db.prepare("select version from given_up_keys where org = ?", org).maybe([](Row row) {
        return row.u32();
      }));
      return version.value_or(0);
    });
  }

  awaitable<Result<std::vector<RestoreNote>>> restore_notes() override {
    return engine.read([](Database& db) {
      return db.prepare("select id, org, detail from restore_notes order by id").all([](Row row) {
        const auto id = row.integer();
        auto org = row.id<OrgId>();
        return RestoreNote{id, std::move(org), row.text()};
      });
    });
  }

  awaitable<Result<void>> drop_restore_note(std::int64_t id) override {
    return engine.write([id](Database& db) -> Result<void> {
      SP_CHECK(db.run("delete from restore_notes where id = ?", id));
      return {};
    });
  }

  awaitable<Result<void>> rewrap_global_key(std::uint32_t version, Bytes wrapped) override {
    return engine.write([version, wrapped = std::move(wrapped)](Database& db) {
      return expect_row(db.run("update global_keys set wrapped = ? where version = ?", wrapped, version), "global key");
    });
  }

  awaitable<Result<std::vector<TenantKey>>> tenant_keys_before(std::uint32_t version, std::size_t limit,
                                                               TenantKeyPlace after) override {
    return engine.read([version, limit, after = std::move(after)](Database& db) {
      return db
          .prepare(
              "select org, version, under, wrapped, created_at, own from tenant_keys where under < ? and "
              "(org, version) > (?, ?) order by org, version limit ?",
              version, after.org, after.version, std::uint64_t{limit})
          .all(read_tenant_key);
    });
  }

  awaitable<Result<std::vector<TenantKeyPlace>>> newest_tenant_keys(OrgId after, std::size_t limit) override {
    return engine.read([after = std::move(after), limit](Database& db) {
      return db
          .prepare("select org, max(version) from tenant_keys where org > ? group by org order by org limit ?", after,
                   std::uint64_t{limit})
          .all([](Row row) {
            auto org = row.id<OrgId>();
            return TenantKeyPlace{std::move(org), row.u32()};
          });
    });
  }

  awaitable<Result<void>> rewrap_tenant_key(TenantKey key, std::uint32_t from) override {
    return engine.write([key = std::move(key), from](Database& db) -> Result<void> {
      SP_TRY(const auto changed,
             db.run("update tenant_keys set under = ?, wrapped = ? where org = ? and version = ? and under = ? and "
                    "own = ?",
                    key.key.under, key.key.wrapped, key.org, key.key.version, from, key.key.own));
      if (changed == 0) return fail(Errc::conflict, "the key is wrapped otherwise meanwhile");
      return {};
    });
  }

  awaitable<Result<std::vector<AttachedKey>>> own_keys() override {
    return engine.read([](Database& db) {
      return db.prepare("select org, " + std::string(kOwnKey) + " from own_keys where kind is not null")
          .all([](Row row) {
            auto org = row.id<OrgId>();
            return AttachedKey{std::move(org), read_own_key(row)};
          });
    });
  }

  awaitable<Result<std::optional<OwnKey>>> own_key(OrgId org) override {
    return engine.read([org](Database& db) { return find_own_key(db, org); });
  }

  awaitable<Result<std::uint32_t>> last_own_key(OrgId org) override {
    return engine.read([org](Database& db) -> Result<std::uint32_t> {
      SP_TRY(const auto last,
             db.prepare("select version from own_keys where org = ?", org).maybe([](Row row) { return row.u32(); }));
      return last.value_or(0);
    });
  }

  awaitable<Result<void>> change_own_key(OrgId org, OwnKeyChange change) override {
    SP_CO_CHECK(co_await engine.write(
        [org, change = std::move(change)](Database& db) { return change_attachment(db, org, change); }));
    [[maybe_unused]] const auto emptied = co_await engine.empty_log();  // of how the keys were wrapped before
    co_return Result<void>();
  }

  awaitable<Result<void>> note_own_key(OrgId org, std::uint32_t version, std::optional<WallTime> refused_since,
                                       std::string reason) override {
    return engine.write([org, version, refused_since, reason = std::move(reason)](Database& db) -> Result<void> {
      SP_CHECK(db.run("update own_keys set refused_since = ?, reason = ? where org = ? and version = ?", refused_since,
                      reason, org, version));
      return {};
    });
  }

  awaitable<Result<void>> reseal_credentials(OrgId org, Bytes from, Bytes to) override {
    return engine.write([org, from = std::move(from), to = std::move(to)](Database& db) -> Result<void> {
      SP_TRY(const auto changed,
             db.run("update own_keys set credentials = ? where org = ? and credentials = ?", to, org, from));
      if (changed == 0) return fail(Errc::conflict, "the organisation's own key was attached or detached meanwhile");
      return {};
    });
  }

  awaitable<Result<std::optional<Ratchet>>> ratchet(OrgId org, RetentionLane lane) override {
    return engine.read([org, lane](Database& db) { return find_ratchet(db, org, lane); });
  }

  awaitable<Result<std::optional<HourKey>>> hour_key(OrgId org, RetentionLane lane, Hour hour) override {
    return engine.read([org, lane, hour](Database& db) { return find_hour_key(db, org, lane, hour); });
  }

  awaitable<Result<HourKey>> add_hour_key(OrgId org, NewHourKey key) override {
    return engine.write([org, key = std::move(key)](Database& db) { return add_hour(db, org, key); });
  }

  awaitable<Result<std::uint64_t>> epoch() override { return engine.read(read_epoch); }

  awaitable<Result<std::vector<Ratchet>>> ratchets() override {
    return engine.read([](Database& db) {
      return db.prepare("select org, kind, hours, position, sealed from ratchets").all(read_ratchet);
    });
  }

  awaitable<Result<std::vector<LaneState>>> lanes() override { return engine.read(all_lanes); }

  awaitable<Result<std::vector<CountedLane>>> lanes_of(OrgId org) override {
    return engine.read([org](Database& db) { return counted_lanes(db, org); });
  }

  awaitable<Result<std::optional<ErasedKeys>>> erased(OrgId org) override {
    return engine.read([org](Database& db) { return find_erased(db, org); });
  }

  awaitable<Result<std::size_t>> turn(Turn turn) override {
    SP_CO_TRY(const auto gone,
              co_await engine.write([turn = std::move(turn)](Database& db) { return turn_to(db, turn); }));
    // The turn stands whatever comes of these.
    [[maybe_unused]] const auto smaller =
        co_await engine.write([](Database& db) { return db.script("pragma incremental_vacuum(1000)"); });
    [[maybe_unused]] const auto emptied = co_await engine.empty_log();
    co_return gone;
  }

  Engine engine;
  std::unique_ptr<KeyCopies> copies;
};

Result<std::unique_ptr<SqliteKeyStore>> SqliteKeyStore::open(const SqliteOptions& options) {
  SP_TRY(auto writer, sqlite::open_writer(options, sqlite_key_migrations()));
  SP_TRY(auto reader, sqlite::open_reader(options));
  SP_TRY(auto copied, sqlite::open_reader(options));
  SP_TRY(const auto epoch, read_epoch(reader));
  const sqlite::LaneLimits limits{
      .max_queued = options.max_queued, .max_batch = options.max_batch, .read_time = options.read_time};
  return std::unique_ptr<SqliteKeyStore>(new SqliteKeyStore(
      std::make_unique<Impl>(std::move(writer), std::move(reader), std::move(copied), limits), epoch));
}

SqliteKeyStore::SqliteKeyStore(std::unique_ptr<Impl> impl, std::uint64_t epoch)
    : impl_(std::move(impl)), epoch_(epoch) {}
SqliteKeyStore::~SqliteKeyStore() = default;
KeyStore& SqliteKeyStore::keys() { return *impl_; }
KeyCopies& SqliteKeyStore::copies() { return *impl_->copies; }

awaitable<Result<std::uint64_t>> SqliteKeyStore::begin_lanes_anew(std::uint64_t epoch) {
  return impl_->engine.write([epoch](Database& db) { return remove_lanes(db, epoch); });
}

awaitable<Result<void>> SqliteKeyStore::give_up(std::vector<TenantKeyPlace> versions, std::vector<GivenUpHour> hours) {
  return impl_->engine.write([versions = std::move(versions), hours = std::move(hours)](Database& db) -> Result<void> {
    for (const auto& [org, version] : versions) SP_CHECK(give_up_version(db, org, version));
    for (const auto& [org, lane, hour] : hours) SP_CHECK(give_up_hour(db, org, lane, hour));
    return {};
  });
}

awaitable<Result<void>> SqliteKeyStore::add_restore_notes(std::vector<RestoreNote> notes) {
  return impl_->engine.write([notes = std::move(notes)](Database& db) -> Result<void> {
    for (const auto& note : notes)
      SP_CHECK(db.run("insert into restore_notes (org, detail) values (?, ?)", note.org, note.detail));
    return {};
  });
}

awaitable<Result<void>> SqliteKeyStore::check() { return impl_->engine.read(find_damage); }

}  // namespace sallyport::store
