#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <array>

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kGroupColumns =
    "id, org, name, created_at, coalesce((select queued from queue_lengths l where l.org = g.org and l.group_id = "
    "g.id), "
    "0), (select min(created_at) from jobs j indexed by jobs_waiting where j.state = 'queued' and j.group_id = g.id), "
    "removed_at";

Group read_group(Row row) {
  return {.id = row.id<GroupId>(),
          .org = row.id<OrgId>(),
          .name = row.text(),
          .created_at = row.time(),
          .queued = row.u64(),
          .oldest_queued_at = row.maybe_time(),
          .removed_at = row.maybe_time()};
}

Result<Group> find_group(Database& db, const OrgId& org, const GroupId& id) {
  return db.prepare(select(kGroupColumns, "from agent_groups g where org = ? and id = ?"), org, id)
      .one("agent group", read_group);
}

// What may live in a group: a query for the first of its kind, by organisation and group, and what to say of it.
struct Tenant {
  std::string_view query;
  std::string_view what;
};
constexpr std::array kTenants{
    Tenant{"select name from agents where org = ?1 and group_id = ?2 and status = 'active' limit 1",
           "agent \"{}\" is in it: move or revoke it"},
    Tenant{
        "select id from enrolment_tokens where org = ?1 and group_id = ?2 and revoked_at is null and expires_at > ?3 "
        "and uses < max_uses limit 1",
        "enrolment token {} can still be used: revoke it"},
    Tenant{"select id from jobs indexed by jobs_waiting where state = 'queued' and group_id = ?2 and org = ?1 limit 1",
           "job {} waits for it: cancel it, or wait"},
    Tenant{"select id from jobs indexed by jobs_active where state in ('dispatched', 'running') and org = ?1 and "
           "group_id = ?2 limit 1",
           "job {} of it has not ended: cancel it, or wait"},
    Tenant{"select r.name from recipes r join recipe_versions v on v.org = r.org and v.recipe = r.id and v.version = "
           "r.active_version join agent_groups g on g.org = v.org and g.name = v.run_on where r.org = ?1 and g.id = ?2 "
           "limit 1",
           "recipe \"{}\" is active and runs on it: deactivate it"},
    Tenant{"select name from tunnels indexed by tunnels_by_group where removed_at is null and org = ?1 and group_id = "
           "?2 limit 1",
           "tunnel \"{}\" goes through it: remove it"},
    Tenant{"select name from system_keys where org = ?1 and group_id = ?2 limit 1",
           "system key \"{}\" is sealed to its agents: remove it"},
};

Result<void> refuse_while_in_use(Database& db, const Group& group, WallTime now) {
  for (const Tenant& tenant : kTenants) {
    auto statement = tenant.query.contains("?3") ? db.prepare(tenant.query, group.org, group.id, now)
                                                 : db.prepare(tenant.query, group.org, group.id);
    SP_TRY(const auto found, statement.maybe([](Row row) { return row.text(); }));
    if (!found) continue;
    return fail(Errc::conflict, fmt::format("the agent group \"{}\" is in use: {}", group.name,
                                            fmt::format(fmt::runtime(tenant.what), *found)));
  }
  return {};
}

Result<void> remove_group(Database& db, const OrgId& org, const GroupId& id, WallTime now) {
  SP_TRY(const Group group, find_group(db, org, id));
  if (group.removed_at) return fail(Errc::not_found, "no such agent group");
  SP_CHECK(refuse_while_in_use(db, group, now));
  return expect_row(db.run("update agent_groups set removed_at = ? where org = ? and id = ?", now, org, id),
                    "agent group");
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
    return engine_.read([org, id](Database& db) { return find_group(db, org, id); });
  }

  awaitable<Result<Group>> find_by_name(OrgId org, std::string name) override {
    return engine_.read([org, name](Database& db) {
      return db
          .prepare(select(kGroupColumns, "from agent_groups g where org = ? and name = ? and removed_at is null"), org,
                   name)
          .one("agent group", read_group);
    });
  }

  awaitable<Result<Page<Group>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(
          db.prepare(select(kGroupColumns,
                            "from agent_groups g where org = ? and id > ? and removed_at is null order by id limit ?"),
                     org, page.after, one_more(limit)),
          limit, read_group, [](const Group& group) { return group.id.value; });
    });
  }

  awaitable<Result<void>> remove(OrgId org, GroupId id, WallTime now, AuditNote<> note) override {
    return write_noted(
        engine_, [org, id, now](Database& db) { return remove_group(db, org, id, now); }, std::move(note));
  }

 private:
  Engine& engine_;
};

}  // namespace

Result<void> expect_group(Database& db, const OrgId& org, const GroupId& group) {
  SP_TRY(const bool found,
         db.prepare("select 1 from agent_groups where org = ? and id = ? and removed_at is null", org, group).next());
  if (!found) return fail(Errc::not_found, "no such agent group");
  return {};
}

std::unique_ptr<Groups> make_groups(Engine& engine) { return std::make_unique<SqliteGroups>(engine); }

}  // namespace sallyport::store::sqlite
