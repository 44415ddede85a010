#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kGroupColumns =
    "id, org, name, created_at, coalesce((select queued from queue_lengths l where l.org = g.org and l.group_id = "
    "g.id), "
    "0), (select min(created_at) from jobs j indexed by jobs_waiting where j.state = 'queued' and j.group_id = g.id)";

Group read_group(Row row) {
  return {.id = row.id<GroupId>(),
          .org = row.id<OrgId>(),
          .name = row.text(),
          .created_at = row.time(),
          .queued = row.u64(),
          .oldest_queued_at = row.maybe_time()};
}

class SqliteGroups final : public Groups {
 public:
  explicit SqliteGroups(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> add(OrgId org, Group group, AuditNote<> note) override {
    return write_noted(
        engine_,
        [org, group = std::move(group)](Database& db) {
          return explain(db.run("insert into agent_groups (org, id, name, created_at) values (?, ?, ?, ?)", org,
                                group.id, group.name, group.created_at),
                         "an agent group with this name exists", "no such organisation");
        },
        std::move(note));
  }

  awaitable<Result<Group>> find(OrgId org, GroupId id) override {
    return engine_.read([org, id](Database& db) {
      return db.prepare(select(kGroupColumns, "from agent_groups g where org = ? and id = ?"), org, id)
          .one("agent group", read_group);
    });
  }

  awaitable<Result<Group>> find_by_name(OrgId org, std::string name) override {
    return engine_.read([org, name](Database& db) {
      return db.prepare(select(kGroupColumns, "from agent_groups g where org = ? and name = ?"), org, name)
          .one("agent group", read_group);
    });
  }

  awaitable<Result<Page<Group>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(
          db.prepare(select(kGroupColumns, "from agent_groups g where org = ? and id > ? order by id limit ?"), org,
                     page.after, one_more(limit)),
          limit, read_group, [](const Group& group) { return group.id.value; });
    });
  }

  awaitable<Result<void>> remove(OrgId org, GroupId id, AuditNote<> note) override {
    return write_noted(
        engine_,
        [org, id](Database& db) -> Result<void> {
          auto removed = db.run("delete from agent_groups where org = ? and id = ?", org, id);
          if (!removed && removed.error().code == Errc::not_found) {
            return fail(Errc::conflict, "the agent group is in use by agents, enrolment tokens or jobs");
          }
          return expect_row(removed, "agent group");
        },
        std::move(note));
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Groups> make_groups(Engine& engine) { return std::make_unique<SqliteGroups>(engine); }

}  // namespace sallyport::store::sqlite
