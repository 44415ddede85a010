#include "relay/store/key_witnesses.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/key_witness_rows.h"

namespace sallyport::store::sqlite {
namespace {

Result<void> put_attached(Database& db, const OrgId& org, const WitnessedAttachment& attachment) {
  SP_CHECK(
      db.run("insert into key_witnesses (org, attached, kind, attached_at, last_attached) values (?1, ?2, ?3, ?4, ?2) "
             "on conflict (org) do update set attached = ?2, kind = ?3, attached_at = ?4, missing_since = null, "
             "last_attached = max(last_attached, ?2)",
             org, attachment.version, attachment.kind, attachment.attached_at));
  return {};
}

class SqliteKeyWitnesses final : public KeyWitnesses {
 public:
  explicit SqliteKeyWitnesses(Engine& engine) : engine_(engine) {}

  awaitable<Result<KeyWitness>> find(OrgId org) override {
    return engine_.read([org](Database& db) -> Result<KeyWitness> {
      SP_TRY(auto found, db.prepare(witness_query("where org = ?"), org).maybe(read_witness));
      return found ? std::move(found->witness) : KeyWitness{};
    });
  }

  awaitable<Result<std::vector<WitnessedKeys>>> attached() override {
    return engine_.read(
        [](Database& db) { return db.prepare(witness_query("where attached > 0 order by org")).all(read_witness); });
  }

  awaitable<Result<void>> use_version(OrgId org, std::uint32_t version) override {
    return engine_.write([org, version](Database& db) -> Result<void> {
      SP_CHECK(
          db.run("insert into key_witnesses (org, version) values (?, ?) on conflict (org) do update set version = "
                 "max(version, excluded.version)",
                 org, version));
      return {};
    });
  }

  awaitable<Result<void>> set_attached(OrgId org, WitnessedAttachment attachment) override {
    return engine_.write(
        [org, attachment = std::move(attachment)](Database& db) { return put_attached(db, org, attachment); });
  }

  awaitable<Result<void>> note_missing(OrgId org, std::uint32_t attachment, WallTime since) override {
    return engine_.write([org, attachment, since](Database& db) -> Result<void> {
      SP_CHECK(
          db.run("update key_witnesses set missing_since = ? where org = ? and attached = ?", since, org, attachment));
      return {};
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<KeyWitnesses> make_key_witnesses(Engine& engine) {
  return std::make_unique<SqliteKeyWitnesses>(engine);
}

}  // namespace sallyport::store::sqlite
