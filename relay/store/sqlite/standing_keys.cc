#include "relay/store/sqlite/standing_keys.h"

#include "relay/store/sqlite/rows.h"

#include <fmt/format.h>

namespace sallyport::store::sqlite {

// No number that was given up, and no hour, ever comes again.
Result<void> give_up_version(Database& db, const OrgId& org, std::uint32_t version) {
  SP_CHECK(
      db.run("insert into given_up_keys (org, version) values (?, ?) on conflict (org) do update set version = "
             "max(version, excluded.version)",
             org, version));
  return {};
}

Result<void> give_up_hour(Database& db, const OrgId& org, const RetentionLane& lane, Hour hour) {
  SP_CHECK(db.run("insert or ignore into given_up_hours (org, kind, hours, hour) values (?, ?, ?, ?)", org, lane.kind,
                  lane.hours, hour));
  return {};
}

Result<bool> is_given_up(Database& db, const OrgId& org, const RetentionLane& lane, Hour hour) {
  SP_TRY(const auto found,
         db.prepare("select 1 from given_up_hours where org = ? and kind = ? and hours = ? and hour = ?", org,
                    lane.kind, lane.hours, hour)
             .maybe([](Row) { return 0; }));
  return found.has_value();
}

Result<std::optional<ErasedKeys>> find_erased(Database& db, const OrgId& org) {
  return db
      .prepare("select versions, lanes, hours, epoch_before, epoch_after from erased_organisations where org = ?", org)
      .maybe([](Row row) {
        return ErasedKeys{.versions = row.u64(),
                          .lanes = row.u64(),
                          .hours = row.u64(),
                          .epoch_before = row.u64(),
                          .epoch_after = row.u64()};
      });
}

// The schema refuses it too; this says so.
Result<void> expect_not_erased(Database& db, const OrgId& org) {
  SP_TRY(const auto erased, find_erased(db, org));
  if (!erased) return {};
  return fail(Errc::forbidden, "the organisation is erased and gets no key any more");
}

Result<std::uint64_t> remove_all(Database& db, std::string_view table, const OrgId& org) {
  SP_TRY(const auto gone, db.run(fmt::format("delete from {} where org = ?", table), org));
  return static_cast<std::uint64_t>(gone);
}

Result<void> add_version(const Result<std::int64_t>& inserted) {
  return explain(inserted, "this version of the key is there already", "no such key");
}

Result<void> insert_tenant_key(Database& db, const OrgId& org, const KeyVersion& key) {
  return add_version(
      db.run("insert into tenant_keys (org, version, under, wrapped, created_at, own) values (?, ?, ?, ?, ?, ?)", org,
             key.version, key.under, key.wrapped, key.created_at, key.own));
}

OwnKey read_own_key(Row& row) {
  OwnKey key{.version = row.u32(),
             .kind = row.text(),
             .place = row.text(),
             .credentials = row.maybe_bytes().value_or(Bytes()),
             .wrapped = row.bytes(),
             .attached_at = row.time(),
             .refused_since = row.maybe_time()};
  key.reason = row.text();
  return key;
}

Result<std::optional<OwnKey>> find_own_key(Database& db, const OrgId& org) {
  return db.prepare("select " + std::string(kOwnKey) + " from own_keys where org = ? and kind is not null", org)
      .maybe([](Row row) { return read_own_key(row); });
}

Result<void> expect_attachment(Database& db, const OrgId& org, std::uint32_t version) {
  SP_TRY(const auto stands, find_own_key(db, org));
  if ((stands ? stands->version : 0) == version) return {};
  return fail(Errc::conflict, "the organisation's own key was attached or detached meanwhile");
}

namespace {

Result<void> write_own_key(Database& db, const OrgId& org, const std::optional<OwnKey>& key) {
  if (!key) {
    return expect_row(db.run("update own_keys set kind = null, place = null, credentials = null, wrapped = null, "
                             "attached_at = null, refused_since = null, reason = '' where org = ?",
                             org),
                      "attached key");
  }
  SP_CHECK(
      db.run("insert into own_keys (org, version, kind, place, credentials, wrapped, attached_at) "
             "values (?, ?, ?, ?, ?, ?, ?) on conflict (org) do update set version = excluded.version, kind = "
             "excluded.kind, place = excluded.place, credentials = excluded.credentials, wrapped = "
             "excluded.wrapped, attached_at = excluded.attached_at, refused_since = null, reason = ''",
             org, key->version, key->kind, key->place, key->credentials, key->wrapped, key->attached_at));
  return {};
}

// The keys of hours under them stay where they are: so nothing else is ever taken for them.
Result<void> give_up_all(Database& db, const OrgId& org) {
  SP_TRY(const auto version,
         db.prepare("select max(version) from tenant_keys where org = ?", org).one("keys", [](Row row) {
           return row.maybe_integer();
         }));
  if (version) SP_CHECK(give_up_version(db, org, static_cast<std::uint32_t>(*version)));
  SP_CHECK(remove_all(db, "tenant_keys", org));
  return {};
}

}  // namespace

Result<void> change_attachment(Database& db, const OrgId& org, const OwnKeyChange& change) {
  SP_CHECK(expect_not_erased(db, org));
  SP_CHECK(expect_attachment(db, org, change.from));
  SP_TRY(const auto known, db.prepare("select count(*) from tenant_keys where org = ?", org).one("keys", [](Row row) {
    return row.u64();
  }));
  if (known != change.known) return fail(Errc::conflict, "the organisation's key has a new version meanwhile");
  if (change.gives_up) SP_CHECK(give_up_all(db, org));
  const std::size_t there = change.gives_up ? 0 : change.known;
  for (std::size_t i = 0; i < change.keys.size(); ++i) {
    const auto& key = change.keys[i];
    if (i >= there) {
      SP_CHECK(insert_tenant_key(db, org, key));
      continue;
    }
    SP_CHECK(expect_row(db.run("update tenant_keys set under = ?, wrapped = ?, own = ? where org = ? and version = ?",
                               key.under, key.wrapped, key.own, org, key.version),
                        "organisation's key"));
  }
  return write_own_key(db, org, change.to);
}

}  // namespace sallyport::store::sqlite
