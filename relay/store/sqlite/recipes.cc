#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <cstdlib>

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kRecipeColumns =
    "id, org, name, latest_version, active_version, created_at, removed_at, "
    "(select a.agent from assignments a where a.org = recipes.org and a.recipe = recipes.id), "
    "(select g.name from assignments a join agents g on g.org = a.org and g.id = a.agent "
    "where a.org = recipes.org and a.recipe = recipes.id)";
constexpr std::string_view kSummaryColumns =
    "v.org, v.recipe, v.version, v.run_on, v.trigger_kind, v.sha256, v.created_by, v.created_at";

Recipe read_recipe(Row row) {
  Recipe recipe{.id = row.id<RecipeId>(),
                .org = row.id<OrgId>(),
                .name = row.text(),
                .latest_version = row.u32(),
                .active_version = row.maybe_u32(),
                .created_at = row.time(),
                .removed_at = row.maybe_time()};
  if (const auto agent = row.maybe_id<AgentId>()) recipe.watched_by = {.agent = *agent, .name = row.text()};
  return recipe;
}

RecipeVersionSummary read_summary(Row& row) {
  return {.org = row.id<OrgId>(),
          .recipe = row.id<RecipeId>(),
          .version = row.u32(),
          .run_on = row.text(),
          .trigger = row.text(),
          .sha256 = row.bytes(),
          .created_by = row.id<UserId>(),
          .created_at = row.time()};
}

RecipeVersionSummary read_one_summary(Row row) { return read_summary(row); }

RecipeVersion read_version(Row row) {
  RecipeVersion version;
  static_cast<RecipeVersionSummary&>(version) = read_summary(row);
  version.source_yaml = row.text();
  version.canonical_json = row.text();
  return version;
}

Result<Recipe> find_recipe(Database& db, const OrgId& org, const RecipeId& id) {
  return db.prepare(select(kRecipeColumns, "from recipes where org = ? and id = ?"), org, id)
      .one("recipe", read_recipe);
}

Result<Recipe> find_or_create(Database& db, const OrgId& org, const NewRecipeVersion& fresh) {
  SP_TRY(auto known,
         db.prepare(select(kRecipeColumns, "from recipes where org = ? and name = ? and removed_at is null"), org,
                    fresh.name)
             .maybe(read_recipe));
  if (known) return *std::move(known);
  SP_CHECK(explain(db.run("insert into recipes (org, id, name, latest_version, created_at) values (?, ?, ?, 0, ?)", org,
                          fresh.id_if_new, fresh.name, fresh.created_at),
                   "a recipe with this id exists", "no such organisation"));
  return find_recipe(db, org, fresh.id_if_new);
}

Result<bool> is_latest(Database& db, const Recipe& recipe, const Bytes& sha256) {
  SP_TRY(auto latest, db.prepare("select sha256 from recipe_versions where org = ? and recipe = ? and version = ?",
                                 recipe.org, recipe.id, recipe.latest_version)
                          .maybe([](Row row) { return row.bytes(); }));
  return latest == sha256;
}

Result<AppliedRecipe> apply_version(Database& db, const OrgId& org, const NewRecipeVersion& fresh) {
  SP_TRY(Recipe recipe, find_or_create(db, org, fresh));
  SP_TRY(bool unchanged, is_latest(db, recipe, fresh.sha256));
  if (unchanged) return AppliedRecipe{recipe, recipe.latest_version, ApplyOutcome::unchanged};
  const auto outcome = recipe.latest_version == 0 ? ApplyOutcome::recipe_created : ApplyOutcome::version_added;
  recipe.latest_version += 1;
  SP_CHECK(
      db.run("insert into recipe_versions (org, recipe, version, run_on, trigger_kind, sha256, created_by, "
             "created_at, source_yaml, canonical_json) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             org, recipe.id, recipe.latest_version, fresh.run_on, fresh.trigger, fresh.sha256, fresh.created_by,
             fresh.created_at, fresh.source_yaml, fresh.canonical_json));
  SP_CHECK(
      db.run("update recipes set latest_version = ? where org = ? and id = ?", recipe.latest_version, org, recipe.id));
  return AppliedRecipe{recipe, recipe.latest_version, outcome};
}

Result<void> expect_state(const Recipe& recipe, const std::optional<RecipeState>& expected) {
  if (!expected || state_of(recipe) == *expected) return {};
  return fail(Errc::conflict, "the recipe has been changed meanwhile");
}

Result<Recipe> change_active(Database& db, const OrgId& org, const RecipeId& id, const Activation& change) {
  SP_TRY(Recipe recipe, find_recipe(db, org, id));
  if (recipe.removed_at) return fail(Errc::conflict, "the recipe was deleted");
  SP_CHECK(expect_state(recipe, change.only_if));
  if (change.wanted && (*change.wanted < 1 || *change.wanted > recipe.latest_version)) {
    return fail(Errc::not_found, "no such recipe version");
  }
  if (recipe.active_version != change.expected) {
    return fail(Errc::conflict, recipe.active_version
                                    ? fmt::format("version {} is active by now", *recipe.active_version)
                                    : std::string("the recipe is not active by now"));
  }
  SP_CHECK(db.run("update recipes set active_version = ? where org = ? and id = ?", change.wanted, org, id));
  recipe.active_version = change.wanted;
  return recipe;
}

Result<void> refuse_while_in_use(Database& db, const Recipe& recipe) {
  if (recipe.active_version) {
    return fail(Errc::conflict, fmt::format("version {} of recipe \"{}\" is active: deactivate it first",
                                            *recipe.active_version, recipe.name));
  }
  for (const std::string_view unfinished :
       {"jobs_queued where state = 'queued'", "jobs_concurrent where state in ('dispatched', 'running')"}) {
    const auto query = fmt::format("select id from jobs indexed by {} and org = ? and recipe = ? limit 1", unfinished);
    SP_TRY(const auto job, db.prepare(query, recipe.org, recipe.id).maybe([](Row row) { return row.id<JobId>(); }));
    if (!job) continue;
    return fail(Errc::conflict, fmt::format("jobs of recipe \"{}\" have not ended, such as {}: wait, or cancel them",
                                            recipe.name, job->value));
  }
  return {};
}

Result<Recipe> remove_recipe(Database& db, const OrgId& org, const RecipeId& id, const RecipeRemoval& removal) {
  SP_TRY(Recipe recipe, find_recipe(db, org, id));
  if (recipe.removed_at) return fail(Errc::not_found, "no such recipe");
  SP_CHECK(expect_state(recipe, removal.only_if));
  SP_CHECK(refuse_while_in_use(db, recipe));
  SP_CHECK(withdraw_assignment(db, org, id));
  SP_CHECK(db.run("delete from webhooks where org = ? and recipe = ?", org, id));
  SP_CHECK(db.run("update recipes set removed_at = ? where org = ? and id = ?", removal.at, org, id));
  recipe.removed_at = removal.at;
  return recipe;
}

Result<Page<Recipe>> list_recipes(Database& db, const OrgId& org, const RecipeFilter& filter, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  std::string where = "from recipes where org = ?1 and id > ?2 and (?3 is null or name = ?3)";
  if (filter.removed == Removed::left_out) where += " and removed_at is null";
  where += " order by id limit ?4";
  return page_of(db.prepare(select(kRecipeColumns, where), org, page.after, filter.name, one_more(limit)), limit,
                 read_recipe, [](const Recipe& recipe) { return recipe.id.value; });
}

Result<Page<RecipeVersionSummary>> list_versions(Database& db, const OrgId& org, const RecipeId& id,
                                                 const PageQuery& page) {
  SP_CHECK(find_recipe(db, org, id));
  const std::size_t limit = page.bounded_limit();
  const std::int64_t before = page.after.empty() ? INT64_MAX : std::atoll(page.after.c_str());
  return page_of(db.prepare(select(kSummaryColumns,
                                   "from recipe_versions v where v.org = ? and v.recipe = ? and "
                                   "v.version < ? order by v.version desc limit ?"),
                            org, id, before, one_more(limit)),
                 limit, read_one_summary,
                 [](const RecipeVersionSummary& version) { return std::to_string(version.version); });
}

Result<Page<RecipeVersionSummary>> list_active(Database& db, const OrgId& org, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  return page_of(db.prepare(select(kSummaryColumns,
                                   "from recipes r join recipe_versions v on v.org = r.org and v.recipe = r.id and "
                                   "v.version = r.active_version where r.org = ? and r.id > ? order by r.id limit ?"),
                            org, page.after, one_more(limit)),
                 limit, read_one_summary, [](const RecipeVersionSummary& version) { return version.recipe.value; });
}

class SqliteRecipes final : public Recipes {
 public:
  explicit SqliteRecipes(Engine& engine) : engine_(engine) {}

  awaitable<Result<AppliedRecipe>> apply(OrgId org, NewRecipeVersion version, AuditNote<AppliedRecipe> note) override {
    return write_noted(
        engine_, [org, version = std::move(version)](Database& db) { return apply_version(db, org, version); },
        std::move(note));
  }

  awaitable<Result<Recipe>> find(OrgId org, RecipeId id) override {
    return engine_.read([org, id](Database& db) { return find_recipe(db, org, id); });
  }

  awaitable<Result<Recipe>> find_by_name(OrgId org, std::string name) override {
    return engine_.read([org, name](Database& db) {
      return db
          .prepare(select(kRecipeColumns, "from recipes where org = ? and name = ? and removed_at is null"), org, name)
          .one("recipe", read_recipe);
    });
  }

  awaitable<Result<Page<Recipe>>> list(OrgId org, RecipeFilter filter, PageQuery page) override {
    return engine_.read([org, filter, page](Database& db) { return list_recipes(db, org, filter, page); });
  }

  awaitable<Result<RecipeVersion>> version(OrgId org, RecipeId id, std::uint32_t version) override {
    return engine_.read([org, id, version](Database& db) {
      const std::string columns = std::string(kSummaryColumns).append(", v.source_yaml, v.canonical_json");
      return db
          .prepare(select(columns, "from recipe_versions v where v.org = ? and v.recipe = ? and v.version = ?"), org,
                   id, version)
          .one("recipe version", read_version);
    });
  }

  awaitable<Result<Page<RecipeVersionSummary>>> versions(OrgId org, RecipeId id, PageQuery page) override {
    return engine_.read([org, id, page](Database& db) { return list_versions(db, org, id, page); });
  }

  awaitable<Result<Recipe>> activate(OrgId org, RecipeId id, Activation change, AuditNote<Recipe> note) override {
    return write_noted(
        engine_, [org, id, change](Database& db) { return change_active(db, org, id, change); }, std::move(note));
  }

  awaitable<Result<Recipe>> remove(OrgId org, RecipeId id, RecipeRemoval removal, AuditNote<Recipe> note) override {
    return write_noted(
        engine_, [org, id, removal](Database& db) { return remove_recipe(db, org, id, removal); }, std::move(note));
  }

  awaitable<Result<Page<RecipeVersionSummary>>> active(OrgId org, PageQuery page) override {
    return engine_.read([org, page](Database& db) { return list_active(db, org, page); });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Recipes> make_recipes(Engine& engine) { return std::make_unique<SqliteRecipes>(engine); }

}  // namespace sallyport::store::sqlite
