#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

Assignment read_assignment(Row row) {
  return {.org = row.id<OrgId>(), .recipe = row.id<RecipeId>(), .version = row.u32(), .agent = row.id<AgentId>()};
}

Result<std::optional<Assignment>> current(Database& db, const OrgId& org, const RecipeId& recipe) {
  return db.prepare("select org, recipe, version, agent from assignments where org = ? and recipe = ?", org, recipe)
      .maybe(read_assignment);
}

Result<void> raise_revision(Database& db, const OrgId& org, const AgentId& agent) {
  SP_CHECK(
      db.run("insert into assignment_revisions (org, agent, revision) values (?, ?, 1) "
             "on conflict (org, agent) do update set revision = revision + 1",
             org, agent));
  return {};
}

Result<void> put(Database& db, const OrgId& org, const std::optional<AgentId>& expected, const Assignment& next) {
  SP_TRY(auto now, current(db, org, next.recipe));
  const std::optional<AgentId> holder = now ? std::optional(now->agent) : std::nullopt;
  if (holder != expected) return fail(Errc::conflict, "another agent watches the recipe's trigger by now");
  if (now && now->agent == next.agent && now->version == next.version) return {};
  SP_CHECK(explain(db.run("insert into assignments (org, recipe, version, agent) values (?, ?, ?, ?) "
                          "on conflict (org, recipe) do update set version = excluded.version, agent = excluded.agent",
                          org, next.recipe, next.version, next.agent),
                   "the recipe's trigger is watched", "no such agent or recipe version"));
  SP_CHECK(db.run("insert into past_assignments (org, recipe, agent) values (?, ?, ?) on conflict do nothing", org,
                  next.recipe, next.agent));
  if (holder && *holder != next.agent) SP_CHECK(raise_revision(db, org, *holder));
  return raise_revision(db, org, next.agent);
}

Result<AgentAssignments> load(Database& db, const OrgId& org, const AgentId& agent) {
  AgentAssignments found;
  SP_TRY(auto revision, db.prepare("select revision from assignment_revisions where org = ? and agent = ?", org, agent)
                            .maybe([](Row row) { return row.u64(); }));
  found.revision = revision.value_or(0);
  SP_TRY(found.assignments,
         db.prepare("select org, recipe, version, agent from assignments where org = ? and agent = ? "
                    "order by recipe",
                    org, agent)
             .all(read_assignment));
  return found;
}

class SqliteAssignments final : public Assignments {
 public:
  explicit SqliteAssignments(Engine& engine) : engine_(engine) {}

  awaitable<Result<AgentAssignments>> of_agent(OrgId org, AgentId agent) override {
    return engine_.read([org, agent](Database& db) { return load(db, org, agent); });
  }

  awaitable<Result<Assignment>> find(OrgId org, RecipeId recipe) override {
    return engine_.read([org, recipe](Database& db) -> Result<Assignment> {
      SP_TRY(auto now, current(db, org, recipe));
      if (!now) return fail(Errc::not_found, "no such assignment");
      return *std::move(now);
    });
  }

  awaitable<Result<bool>> has_watched(OrgId org, RecipeId recipe, AgentId agent) override {
    return engine_.read([org, recipe, agent](Database& db) -> Result<bool> {
      SP_TRY(const auto found,
             db.prepare("select 1 from past_assignments where org = ? and recipe = ? and agent = ?", org, recipe, agent)
                 .maybe([](Row row) { return row.u64(); }));
      return found.has_value();
    });
  }

  awaitable<Result<Page<Assignment>>> list(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) {
      const std::size_t limit = page.bounded_limit();
      return page_of(db.prepare("select org, recipe, version, agent from assignments where org = ? and recipe > ? "
                                "order by recipe limit ?",
                                org, page.after, one_more(limit)),
                     limit, read_assignment, [](const Assignment& one) { return one.recipe.value; });
    });
  }

  awaitable<Result<void>> assign(OrgId org, std::optional<AgentId> expected, Assignment next) override {
    return engine_.write([org, expected, next](Database& db) { return put(db, org, expected, next); });
  }

  awaitable<Result<void>> withdraw(OrgId org, RecipeId recipe) override {
    return engine_.write([org, recipe](Database& db) { return withdraw_assignment(db, org, recipe); });
  }

 private:
  Engine& engine_;
};

}  // namespace

Result<void> withdraw_assignment(Database& db, const OrgId& org, const RecipeId& recipe) {
  SP_TRY(auto now, current(db, org, recipe));
  if (!now) return {};
  SP_CHECK(db.run("delete from assignments where org = ? and recipe = ?", org, recipe));
  return raise_revision(db, org, now->agent);
}

std::unique_ptr<Assignments> make_assignments(Engine& engine) { return std::make_unique<SqliteAssignments>(engine); }

}  // namespace sallyport::store::sqlite
