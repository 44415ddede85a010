#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kColumns =
    "id, org, group_id, sealed_secret, max_uses, uses, created_by, created_at, expires_at, revoked_at, agent";

EnrolmentToken read_token(Row row) {
  return {.id = row.id<EnrolmentId>(),
          .org = row.id<OrgId>(),
          .group = row.id<GroupId>(),
          .sealed_secret = row.bytes(),
          .max_uses = row.u32(),
          .uses = row.u32(),
          .created_by = row.id<UserId>(),
          .created_at = row.time(),
          .expires_at = row.time(),
          .revoked_at = row.maybe_time(),
          .agent = row.maybe_id<AgentId>()};
}

Result<EnrolmentToken> find_token(Database& db, const OrgId& org, const EnrolmentId& id) {
  return db.prepare(select(kColumns, "from enrolment_tokens where org = ? and id = ?"), org, id)
      .one("enrolment token", read_token);
}

Result<void> refuse_unless_usable(const EnrolmentToken& token, WallTime now) {
  switch (state_at(token, now)) {
    case EnrolmentState::usable: return {};
    case EnrolmentState::used_up: return fail(Errc::conflict, "the enrolment token is used up");
    case EnrolmentState::expired: return fail(Errc::conflict, "the enrolment token has expired");
    case EnrolmentState::revoked: return fail(Errc::conflict, "the enrolment token is revoked");
  }
  return fail(Errc::internal, "unknown state of an enrolment token");
}

struct Redemption {
  OrgId org;
  EnrolmentId token;
  WallTime now;
  NewAgent agent;
  NewCertificate certificate;
};

Result<void> certify(Database& db, const Redemption& redemption, std::uint32_t generation) {
  return insert_certificate(db, {.serial = redemption.certificate.serial,
                                 .org = redemption.org,
                                 .agent = redemption.agent.id,
                                 .generation = generation,
                                 .issued_at = redemption.certificate.issued_at,
                                 .not_after = redemption.certificate.not_after,
                                 .revoked_at = {},
                                 .root_pin = redemption.certificate.root_pin});
}

Result<Agent> find_active(Database& db, const OrgId& org, const AgentId& id, Errc when_revoked) {
  SP_TRY(Agent agent,
         db.prepare(select(kAgentColumns, "from agents where org = ? and id = ?"), org, id).one("agent", read_agent));
  if (agent.status == AgentStatus::revoked) return fail(when_revoked, "the agent is revoked");
  return agent;
}

Result<Agent> enrol_again(Database& db, const Redemption& redemption) {
  const auto& [org, token, now, fresh, certificate] = redemption;
  SP_TRY(Agent agent, find_active(db, org, fresh.id, Errc::forbidden));
  SP_TRY(const std::uint32_t newest, newest_generation(db, org, fresh.id));
  agent.generation = newest + 1;
  agent.hostname = fresh.hostname;
  agent.software = fresh.software;
  SP_CHECK(db.run("update agents set generation = ?, hostname = ?, software = ? where org = ? and id = ?",
                  agent.generation, agent.hostname, agent.software, org, agent.id));
  SP_CHECK(certify(db, redemption, agent.generation));
  agent.certificate_expires_at = certificate.not_after;
  return agent;
}

Result<Agent> enrol_new(Database& db, const Redemption& redemption, const EnrolmentToken& token) {
  Agent agent{.id = redemption.agent.id,
              .org = token.org,
              .group = token.group,
              .name = redemption.agent.name,
              .hostname = redemption.agent.hostname,
              .software = redemption.agent.software,
              .enrolled_at = redemption.now};
  SP_CHECK(insert_agent(db, agent));
  SP_CHECK(certify(db, redemption, 1));
  agent.certificate_expires_at = redemption.certificate.not_after;
  return agent;
}

Result<Agent> redeem_once(Database& db, const Redemption& redemption) {
  SP_TRY(const EnrolmentToken token, find_token(db, redemption.org, redemption.token));
  SP_CHECK(refuse_unless_usable(token, redemption.now));
  SP_CHECK(db.run("update enrolment_tokens set uses = uses + 1 where org = ? and id = ?", token.org, token.id));
  if (!token.agent) return enrol_new(db, redemption, token);
  if (*token.agent != redemption.agent.id) return fail(Errc::internal, "the enrolment token is for another agent");
  return enrol_again(db, redemption);
}

Result<void> insert_token(Database& db, const OrgId& org, const EnrolmentToken& token) {
  SP_CHECK(expect_group(db, org, token.group));
  if (token.agent) SP_CHECK(find_active(db, org, *token.agent, Errc::conflict));
  return explain(
      db.run("insert into enrolment_tokens (id, org, group_id, sealed_secret, max_uses, uses, created_by, created_at, "
             "expires_at, agent) values (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
             token.id, org, token.group, token.sealed_secret, token.max_uses, token.created_by, token.created_at,
             token.expires_at, token.agent),
      "an enrolment token with this id exists", "no such agent group");
}

class SqliteEnrolmentTokens final : public EnrolmentTokens {
 public:
  explicit SqliteEnrolmentTokens(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, EnrolmentToken token, AuditNote<> note) override {
    return write_noted(
        engine_, [org, token = std::move(token)](Database& db) { return insert_token(db, org, token); },
        std::move(note));
  }

  awaitable<Result<EnrolmentToken>> find(OrgId org, EnrolmentId id) override {
    return engine_.read([org, id](Database& db) { return find_token(db, org, id); });
  }

  awaitable<Result<Page<EnrolmentToken>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(db.prepare(select(kColumns, "from enrolment_tokens where org = ? and id > ? order by id limit ?"),
                                org, page.after, one_more(limit)),
                     limit, read_token, [](const EnrolmentToken& token) { return token.id.value; });
    });
  }

  awaitable<Result<void>> revoke(OrgId org, EnrolmentId id, WallTime now, AuditNote<> note) override {
    return write_noted(
        engine_,
        [org, id, now](Database& db) {
          return expect_row(db.run("update enrolment_tokens set revoked_at = coalesce(revoked_at, ?) "
                                   "where org = ? and id = ?",
                                   now, org, id),
                            "enrolment token");
        },
        std::move(note));
  }

  awaitable<Result<EnrolmentToken>> find_for_enrolment(EnrolmentId id) override {
    return engine_.read([id](Database& db) {
      return db.prepare(select(kColumns, "from enrolment_tokens where id = ?"), id).one("enrolment token", read_token);
    });
  }

  awaitable<Result<Agent>> redeem(OrgId org, EnrolmentId id, WallTime now, NewAgent agent, NewCertificate certificate,
                                  AuditNote<Agent> note) override {
    Redemption redemption{org, id, now, std::move(agent), std::move(certificate)};
    return write_noted(
        engine_, [redemption = std::move(redemption)](Database& db) { return redeem_once(db, redemption); },
        std::move(note));
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<EnrolmentTokens> make_enrolment_tokens(Engine& engine) {
  return std::make_unique<SqliteEnrolmentTokens>(engine);
}

}  // namespace sallyport::store::sqlite
