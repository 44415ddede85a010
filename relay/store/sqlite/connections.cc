#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::size_t kMaxConnections = 1000;
constexpr std::string_view kColumns = "org, agent, name, kind, health, sealed_detail, checked_at";

std::string_view to_text(ConnectionHealth health) {
  switch (health) {
    case ConnectionHealth::unknown: return "unknown";
    case ConnectionHealth::healthy: return "healthy";
    case ConnectionHealth::failing: return "failing";
  }
  return "unknown";
}

ConnectionHealth parse_health(std::string_view text) {
  if (text == "healthy") return ConnectionHealth::healthy;
  return text == "failing" ? ConnectionHealth::failing : ConnectionHealth::unknown;
}

Connection read_connection(Row row) {
  return {.org = row.id<OrgId>(),
          .agent = row.id<AgentId>(),
          .name = row.text(),
          .kind = row.text(),
          .health = parse_health(row.text()),
          .sealed_detail = row.maybe_bytes(),
          .checked_at = row.maybe_time()};
}

std::string cursor_of(const Connection& connection) { return connection_record(connection.agent, connection.name); }

Result<void> insert(Database& db, const OrgId& org, const AgentId& agent, const Connection& one) {
  return explain(db.run("insert into connections (org, agent, name, kind, health, sealed_detail, checked_at) "
                        "values (?, ?, ?, ?, ?, ?, ?)",
                        org, agent, one.name, one.kind, to_text(one.health), one.sealed_detail, one.checked_at),
                 "two connections have the same name", "no such agent");
}

Result<void> replace_all(Database& db, const OrgId& org, const AgentId& agent, const std::vector<Connection>& now) {
  SP_CHECK(db.prepare("select 1 from agents where org = ? and id = ?", org, agent).one("agent", [](Row) { return 0; }));
  SP_CHECK(db.run("delete from connections where org = ? and agent = ?", org, agent));
  for (const Connection& one : now) SP_CHECK(insert(db, org, agent, one));
  return {};
}

class SqliteConnections final : public Connections {
 public:
  explicit SqliteConnections(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> replace(OrgId org, AgentId agent, std::vector<Connection> connections) override {
    return engine_.write([org, agent, connections = std::move(connections)](Database& db) -> Result<void> {
      if (connections.size() > kMaxConnections) {
        return fail(Errc::too_large, fmt::format("more than {} connections", kMaxConnections));
      }
      return replace_all(db, org, agent, connections);
    });
  }

  awaitable<Result<void>> note_uses(OrgId org, AgentId agent, std::vector<ConnectionUse> uses) override {
    return engine_.write([org, agent, uses = std::move(uses)](Database& db) -> Result<void> {
      if (uses.size() > kMaxConnections)
        return fail(Errc::too_large, fmt::format("more than {} connections", kMaxConnections));
      for (const ConnectionUse& use : uses) {
        SP_CHECK(
            db.run("update connections set health = ?, sealed_detail = ?, checked_at = ? "
                   "where org = ? and agent = ? and name = ?",
                   to_text(use.health), use.sealed_detail, use.at, org, agent, use.name));
      }
      return {};
    });
  }

  awaitable<Result<Page<Connection>>> list(OrgId org, ConnectionFilter filter, PageQuery page) override {
    return engine_.read([org, filter, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      const std::string agent = page.after.substr(0, page.after.find('/'));
      const std::string name = page.after.substr(std::min(agent.size() + 1, page.after.size()));
      std::string where = "from connections where org = ?1 and (agent, name) > (?2, ?3)";
      if (filter.agent) where += " and agent = ?4";
      where += " order by agent, name limit ?5";
      return page_of(db.prepare(select(kColumns, where), org, agent, name, filter.agent, one_more(limit)), limit,
                     read_connection, cursor_of);
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Connections> make_connections(Engine& engine) { return std::make_unique<SqliteConnections>(engine); }

}  // namespace sallyport::store::sqlite
