#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

std::string_view to_text(AgentStatus status) { return status == AgentStatus::active ? "active" : "revoked"; }

Result<Agent> find_agent(Database& db, const OrgId& org, const AgentId& id) {
  return db.prepare(select(kAgentColumns, "from agents where org = ? and id = ?"), org, id).one("agent", read_agent);
}

Result<Page<Agent>> list_agents(Database& db, const OrgId& org, const AgentFilter& filter, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  const std::optional<std::string_view> status = filter.status.transform(to_text);
  return page_of(db.prepare(select(kAgentColumns,
                                   "from agents where org = ?1 and id > ?2 and (?3 is null or group_id = ?3) "
                                   "and (?4 is null or status = ?4) order by id limit ?5"),
                            org, page.after, filter.group, status, one_more(limit)),
                 limit, read_agent, [](const Agent& agent) { return agent.id.value; });
}

Result<Agent> confirm(Database& db, const OrgId& org, const AgentId& id, std::uint32_t generation) {
  SP_TRY(Agent agent, find_agent(db, org, id));
  if (agent.status == AgentStatus::revoked) return fail(Errc::forbidden, "the agent is revoked");
  if (generation < agent.generation) {
    return fail(Errc::conflict,
                fmt::format("certificate generation {} is out of use since generation {}: this is an older copy of the "
                            "agent's identity",
                            generation, agent.generation));
  }
  if (generation == agent.generation) return agent;
  SP_CHECK(db.run("update agents set generation = ? where org = ? and id = ?", generation, org, id));
  return find_agent(db, org, id);
}

Result<void> expect_state(const Agent& agent, const std::optional<AgentState>& expected) {
  if (!expected || state_of(agent) == *expected) return {};
  return fail(Errc::conflict, "the agent has been changed meanwhile");
}

Result<void> rename_agent(Database& db, const OrgId& org, const AgentId& id, const AgentRename& change) {
  SP_TRY(const Agent agent, find_agent(db, org, id));
  SP_CHECK(expect_state(agent, change.only_if));
  return expect_row(db.run("update agents set name = ? where org = ? and id = ?", change.name, org, id), "agent");
}

Result<Agent> move_agent(Database& db, const OrgId& org, const AgentId& id, const AgentMove& move) {
  SP_TRY(Agent agent, find_agent(db, org, id));
  SP_CHECK(expect_state(agent, move.only_if));
  if (agent.status == AgentStatus::revoked) return fail(Errc::conflict, "the agent is revoked");
  if (agent.group != move.expected) return fail(Errc::conflict, "the agent has been moved to another group meanwhile");
  SP_CHECK(expect_group(db, org, move.wanted));
  SP_CHECK(db.run("update agents set group_id = ? where org = ? and id = ?", move.wanted, org, id));
  agent.group = move.wanted;
  return agent;
}

Result<std::optional<JournalMark>> find_journal(Database& db, const OrgId& org, const AgentId& id) {
  return db.prepare("select journal_id, journal_seq from agents where org = ? and id = ?", org, id)
      .one("agent", [](Row row) -> std::optional<JournalMark> {
        const JournalMark mark{.id = row.u64(), .seq = row.u64()};
        return mark.id == 0 ? std::nullopt : std::optional(mark);
      });
}

Result<void> change_journal_of(Database& db, const OrgId& org, const AgentId& id, const JournalChange& change) {
  SP_TRY(const auto known, find_journal(db, org, id));
  if (known != change.expected) return fail(Errc::conflict, "the agent is known by another journal meanwhile");
  SP_CHECK(db.run("update agents set journal_id = ?, journal_seq = ? where org = ? and id = ?", change.wanted.id,
                  change.wanted.seq, org, id));
  return {};
}

class SqliteAgents final : public Agents {
 public:
  explicit SqliteAgents(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, Agent agent) override {
    agent.org = org;
    return engine_.write([agent = std::move(agent)](Database& db) { return insert_agent(db, agent); });
  }

  awaitable<Result<Agent>> find(OrgId org, AgentId id) override {
    return engine_.read([org, id](Database& db) { return find_agent(db, org, id); });
  }

  awaitable<Result<Page<Agent>>> list(OrgId org, AgentFilter filter, PageQuery page) override {
    return engine_.read([org, filter, page](Database& db) { return list_agents(db, org, filter, page); });
  }

  awaitable<Result<void>> rename(OrgId org, AgentId id, AgentRename change, AuditNote<> note) override {
    return write_noted(
        engine_, [org, id, change = std::move(change)](Database& db) { return rename_agent(db, org, id, change); },
        std::move(note));
  }

  awaitable<Result<Agent>> move(OrgId org, AgentId id, AgentMove move, AuditNote<Agent> note) override {
    return write_noted(
        engine_, [org, id, move](Database& db) { return move_agent(db, org, id, move); }, std::move(note));
  }

  awaitable<Result<void>> seen(OrgId org, AgentId id, AgentSighting sighting) override {
    return engine_.write([org, id, sighting = std::move(sighting)](Database& db) {
      return expect_row(
          db.run("update agents set hostname = ?, software = ?, last_seen_at = ? where org = ? and id = ?",
                 sighting.hostname, sighting.software, sighting.at, org, id),
          "agent");
    });
  }

  awaitable<Result<std::optional<JournalMark>>> journal(OrgId org, AgentId id) override {
    return engine_.read([org, id](Database& db) { return find_journal(db, org, id); });
  }

  awaitable<Result<void>> change_journal(OrgId org, AgentId id, JournalChange change, AuditNote<> note) override {
    return write_noted(
        engine_, [org, id, change](Database& db) { return change_journal_of(db, org, id, change); }, std::move(note));
  }

  awaitable<Result<void>> raise_journal(OrgId org, AgentId id, JournalMark mark) override {
    return engine_.write([org, id, mark](Database& db) -> Result<void> {
      SP_CHECK(
          db.run("update agents set journal_seq = ?1 where org = ?2 and id = ?3 and journal_id = ?4 and "
                 "journal_seq < ?1",
                 mark.seq, org, id, mark.id));
      return {};
    });
  }

  awaitable<Result<Agent>> confirm_generation(OrgId org, AgentId id, std::uint32_t generation) override {
    return engine_.write([org, id, generation](Database& db) { return confirm(db, org, id, generation); });
  }

  awaitable<Result<void>> revoke(OrgId org, AgentId id, WallTime now, AuditNote<> note) override {
    return write_noted(
        engine_,
        [org, id, now](Database& db) -> Result<void> {
          SP_CHECK(
              expect_row(db.run("update agents set status = 'revoked' where org = ? and id = ?", org, id), "agent"));
          SP_CHECK(db.run("update certificates set revoked_at = ? where org = ? and agent = ? and revoked_at is null",
                          now, org, id));
          return {};
        },
        std::move(note));
  }

 private:
  Engine& engine_;
};

}  // namespace

Agent read_agent(Row row) {
  return {.id = row.id<AgentId>(),
          .org = row.id<OrgId>(),
          .group = row.id<GroupId>(),
          .name = row.text(),
          .hostname = row.text(),
          .software = row.text(),
          .status = row.text() == "active" ? AgentStatus::active : AgentStatus::revoked,
          .generation = row.u32(),
          .enrolled_at = row.time(),
          .last_seen_at = row.maybe_time(),
          .certificate_expires_at = row.maybe_time()};
}

Result<void> insert_agent(Database& db, const Agent& agent) {
  SP_CHECK(expect_group(db, agent.org, agent.group));
  return explain(
      db.run("insert into agents (org, id, group_id, name, hostname, software, status, generation, enrolled_at, "
             "last_seen_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             agent.org, agent.id, agent.group, agent.name, agent.hostname, agent.software, to_text(agent.status),
             agent.generation, agent.enrolled_at, agent.last_seen_at),
      "an agent with this id exists", "no such agent group");
}

std::unique_ptr<Agents> make_agents(Engine& engine) { return std::make_unique<SqliteAgents>(engine); }

}  // namespace sallyport::store::sqlite
