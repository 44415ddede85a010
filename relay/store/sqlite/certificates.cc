#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

Result<Certificate> add_renewal(Database& db, const OrgId& org, const AgentId& agent, const NewCertificate& fresh) {
  SP_TRY(bool active, db.prepare("select status = 'active' from agents where org = ? and id = ?", org, agent)
                          .one("agent", [](Row row) { return row.integer() != 0; }));
  if (!active) return fail(Errc::forbidden, "the agent is revoked");
  SP_TRY(const std::uint32_t newest, newest_generation(db, org, agent));
  Certificate certificate{.serial = fresh.serial,
                          .org = org,
                          .agent = agent,
                          .generation = newest + 1,
                          .issued_at = fresh.issued_at,
                          .not_after = fresh.not_after,
                          .revoked_at = {},
                          .root_pin = fresh.root_pin};
  SP_CHECK(insert_certificate(db, certificate));
  return certificate;
}

class SqliteCertificates final : public Certificates {
 public:
  explicit SqliteCertificates(Engine& engine) : engine_(engine) {}

  awaitable<Result<Certificate>> add(OrgId org, AgentId agent, NewCertificate certificate, AuditNote<> note) override {
    return write_noted(
        engine_, [org, agent, certificate](Database& db) { return add_renewal(db, org, agent, certificate); },
        std::move(note));
  }

  awaitable<Result<Certificate>> find(OrgId org, Serial serial) override {
    return engine_.read([org, serial](Database& db) {
      return db.prepare(select(kCertificateColumns, "from certificates where org = ? and serial = ?"), org, serial)
          .one("certificate", read_certificate);
    });
  }

  awaitable<Result<std::vector<Certificate>>> of_agent(OrgId org, AgentId agent) override {
    return engine_.read([org, agent](Database& db) {
      return db
          .prepare(select(kCertificateColumns,
                          "from certificates where org = ? and agent = ? order by generation desc limit 200"),
                   org, agent)
          .all(read_certificate);
    });
  }

  awaitable<Result<void>> revoke(OrgId org, Serial serial, WallTime now) override {
    return engine_.write([org, serial, now](Database& db) {
      return expect_row(db.run("update certificates set revoked_at = coalesce(revoked_at, ?) "
                               "where org = ? and serial = ?",
                               now, org, serial),
                        "certificate");
    });
  }

  awaitable<Result<std::vector<RevokedSerial>>> revoked_serials(WallTime now) override {
    return engine_.read([now](Database& db) {
      return db.prepare("select org, serial from certificates where revoked_at is not null and not_after > ?", now)
          .all([](Row row) { return RevokedSerial{.org = row.id<OrgId>(), .serial = row.id<Serial>()}; });
    });
  }

 private:
  Engine& engine_;
};

Result<void> replace_issuing_ca(Database& db, const OrgId& org, const Bytes& present_der, const IssuingCa& ca) {
  SP_TRY(const std::int64_t changed,
         db.run("update issuing_cas set certificate_der = ?, sealed_private_key = ?, created_at = ?, not_after = ? "
                "where org = ? and certificate_der = ?",
                ca.certificate_der, ca.sealed_private_key, ca.created_at, ca.not_after, org, present_der));
  if (changed == 0) return fail(Errc::conflict, "another issuing certificate authority has taken its place");
  return {};
}

class SqliteIssuingCas final : public IssuingCas {
 public:
  explicit SqliteIssuingCas(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, IssuingCa ca) override {
    return engine_.write([org, ca = std::move(ca)](Database& db) {
      return explain(db.run("insert into issuing_cas (org, certificate_der, sealed_private_key, created_at, not_after) "
                            "values (?, ?, ?, ?, ?)",
                            org, ca.certificate_der, ca.sealed_private_key, ca.created_at, ca.not_after),
                     "the organisation has an issuing certificate authority", "no such organisation");
    });
  }

  awaitable<Result<void>> replace(OrgId org, Bytes present_der, IssuingCa ca, AuditNote<> note) override {
    return write_noted(
        engine_,
        [org, present = std::move(present_der), ca = std::move(ca)](Database& db) {
          return replace_issuing_ca(db, org, present, ca);
        },
        std::move(note));
  }

  awaitable<Result<IssuingCa>> find(OrgId org) override {
    return engine_.read([org](Database& db) {
      return db
          .prepare(
              "select org, certificate_der, sealed_private_key, created_at, not_after from issuing_cas where org = ?",
              org)
          .one("issuing certificate authority", [](Row row) {
            return IssuingCa{.org = row.id<OrgId>(),
                             .certificate_der = row.bytes(),
                             .sealed_private_key = row.bytes(),
                             .created_at = row.time(),
                             .not_after = row.time()};
          });
    });
  }

  awaitable<Result<std::vector<IssuingCaCertificate>>> load_all() override {
    return engine_.read([](Database& db) {
      return db.prepare("select org, certificate_der from issuing_cas order by org").all([](Row row) {
        return IssuingCaCertificate{.org = row.id<OrgId>(), .certificate_der = row.bytes()};
      });
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

Certificate read_certificate(Row row) {
  return {.serial = row.id<Serial>(),
          .org = row.id<OrgId>(),
          .agent = row.id<AgentId>(),
          .generation = row.u32(),
          .issued_at = row.time(),
          .not_after = row.time(),
          .revoked_at = row.maybe_time(),
          .root_pin = row.bytes()};
}

Result<std::uint32_t> newest_generation(Database& db, const OrgId& org, const AgentId& agent) {
  return db.prepare("select coalesce(max(generation), 0) from certificates where org = ? and agent = ?", org, agent)
      .one("agent", [](Row row) { return row.u32(); });
}

Result<void> insert_certificate(Database& db, const Certificate& certificate) {
  return explain(db.run("insert into certificates (org, serial, agent, generation, issued_at, not_after, root_pin) "
                        "values (?, ?, ?, ?, ?, ?, ?)",
                        certificate.org, certificate.serial, certificate.agent, certificate.generation,
                        certificate.issued_at, certificate.not_after, certificate.root_pin),
                 "a certificate with this serial number exists", "no such agent");
}

std::unique_ptr<Certificates> make_certificates(Engine& engine) { return std::make_unique<SqliteCertificates>(engine); }
std::unique_ptr<IssuingCas> make_issuing_cas(Engine& engine) { return std::make_unique<SqliteIssuingCas>(engine); }

}  // namespace sallyport::store::sqlite
