#include "relay/cli/commands.h"
#include "relay/cli/recipe_apply.h"
#include "relay/cli/recipe_file.h"
#include "relay/cli/recipe_replay.h"
#include "relay/cli/recipe_test.h"
#include "relay/cli/requests.h"
#include "shared/base/json.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

const std::vector<Column> kRecipeColumns{{"ID", "id"},
                                         {"NAME", "name"},
                                         {"LATEST", "latest_version"},
                                         {"ACTIVE", "active_version"},
                                         {"CREATED", "created_at"}};
const std::vector<Column> kVersionColumns{{"VERSION", "version"},
                                          {"RUN ON", "run_on"},
                                          {"TRIGGER", "trigger"},
                                          {"BY", "created_by_name"},
                                          {"CREATED", "created_at"}};

Result<std::string> recipe_id(Client& client, std::string_view name) {
  return id_of(client, "recipe", "rcp_", "/v1/recipes", name);
}

// A recipe of the relay, as it was given and as it is known.
struct NamedRecipe {
  std::string_view word;
  std::string id;

  std::string path() const { return fill("/v1/recipes/{}", id); }
};

// The answer about a version of a recipe: a 404 is the one's or the other's.
Result<Value> version_of(Client& client, Result<Value> answer, const NamedRecipe& recipe, std::string_view version) {
  if (!answer && is_other_absent(client, answer.error(), recipe.path())) {
    return fail(Errc::not_found, fmt::format("recipe {0} has no version {1}; see: sallyport recipes show {0}",
                                             terminal_safe(recipe.word), version));
  }
  return about(std::move(answer), "recipe", recipe.word);
}

Result<void> check_validate(const Arguments& arguments) {
  if ((arguments.count() == 0) == !arguments.has("file")) return fail(Errc::invalid, "give one FILE, or -f FILE");
  return {};
}

Value value_of(const yaml::Problem& problem) {
  return Value(ValueMap{{Value("file"), Value(problem.file)},
                        {Value("line"), Value(problem.line)},
                        {Value("column"), Value(problem.column)},
                        {Value("rule"), Value(problem.rule)},
                        {Value("message"), Value(problem.message)}});
}

// People read the problems where errors stand, programs as the answer.
int show_problems(const Context& context, const yaml::Problems& problems) {
  if (context.format == Format::table) return context.fail_with(yaml::to_error(problems));
  ValueList errors;
  for (const auto& problem : problems) errors.push_back(value_of(problem));
  context.show(Value(ValueMap{{Value("valid"), Value(false)}, {Value("errors"), Value(std::move(errors))}}), "");
  return kFailed;
}

int validate(Context& context, const Arguments& arguments) {
  const auto path = arguments.has("file") ? arguments.get("file") : std::string(arguments.positional(0));
  const auto yaml = read_recipe(context, path);
  if (!yaml) return context.fail_with(yaml.error());
  const auto loaded = check_recipe(*yaml, path);
  if (!loaded) return show_problems(context, loaded.error());
  if (arguments.has("expanded")) {
    const auto stored = recipe::to_value(*loaded);
    context.show(stored, to_pretty_json(stored) + "\n");
    return kDone;
  }
  const Value verdict(ValueMap{
      {Value("valid"), Value(true)}, {Value("name"), Value(loaded->name)}, {Value("errors"), Value(ValueList())}});
  context.show(verdict, fmt::format("{}: valid\n", loaded->name));
  return kDone;
}

std::string describe(const Value& change) {
  const auto part = [&](std::string_view member) {
    const Value* value = change.find(member);
    return value == nullptr || value->is_null() ? std::string("-") : to_json(*value);
  };
  return terminal_safe(fmt::format("{} {}: {} -> {}", text_of(change, "kind"), text_of(change, "path"), part("before"),
                                   part("after"))) +
         "\n";
}

Value changes_value(const std::vector<recipe::Change>& changes) {
  ValueList list;
  for (const auto& change : changes) {
    list.push_back(Value(ValueMap{{Value("path"), Value(change.path)},
                                  {Value("kind"), Value(to_string(change.kind))},
                                  {Value("before"), change.before},
                                  {Value("after"), change.after}}));
  }
  return Value(ValueMap{{Value("changes"), Value(std::move(list))}});
}

// A file against the newest version of its recipe on the relay.
Result<Value> diff_file(Client& client, const RecipeFile& file) {
  SP_TRY(const auto id, recipe_id(client, file.recipe.name));
  SP_TRY(const auto known, client.get(fill("/v1/recipes/{}", id)));
  const Value* latest = known.find("latest_version");
  if (latest == nullptr) return fail(Errc::invalid, "the relay's answer is not understood");
  SP_TRY(const auto stored,
         client.send({.method = "GET",
                      .path = fill("/v1/recipes/{}/versions/", id) + to_json(*latest) + "?format=canonical",
                      .content_type = "",
                      .body = "",
                      .headers = {}}));
  auto before = recipe::recipe_from_canonical(stored.body);
  if (!before) return std::unexpected(yaml::to_error(before.error()));
  return changes_value(recipe::diff(*before, file.recipe));
}

Result<void> check_diff(const Arguments& arguments) {
  const bool versions = arguments.count() == 1 && arguments.has("from") && arguments.has("to");
  const bool none = arguments.count() == 0 && !arguments.has("from") && !arguments.has("to");
  if (arguments.has("file") ? !none : !versions) return fail(Errc::invalid, "give -f FILE, or RECIPE --from N --to N");
  return {};
}

int diff(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    Value difference;
    if (arguments.has("file")) {
      SP_TRY(const auto file, load_recipe_file(context, arguments.get("file")));
      SP_TRY(difference, diff_file(client, file));
    } else {
      SP_TRY(const auto id, recipe_id(client, arguments.positional(0)));
      const auto from = arguments.get("from"), to = arguments.get("to");
      SP_TRY(difference,
             version_of(client, client.get(fmt::format("{}/diff?from={}&to={}", fill("/v1/recipes/{}", id), from, to)),
                        {arguments.positional(0), id}, fmt::format("{} or {}", from, to)));
    }
    std::string text;
    if (const Value* changes = difference.find("changes"); changes != nullptr && changes->is(Value::Kind::list)) {
      for (const auto& change : changes->as_list()) text += describe(change);
    }
    context.show(difference, text.empty() ? "no difference\n" : text);
    return {};
  });
}

int activate(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, recipe_id(client, arguments.positional(0)));
    SP_TRY(const auto known, about(client.get(fill("/v1/recipes/{}", id)), "recipe", arguments.positional(0)));
    Value version = known.find("latest_version") != nullptr ? *known.find("latest_version") : Value();
    if (const auto wanted = arguments.number("version")) version = Value(*wanted);
    if (!version.is(Value::Kind::int64)) return fail(Errc::invalid, "the relay's answer is not understood");
    SP_TRY(const auto recipe, version_of(client, activate_version(client, id, version.as_int()),
                                         {arguments.positional(0), id}, to_json(version)));
    context.show(recipe, card_of(recipe, kRecipeColumns));
    return {};
  });
}

int deactivate(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, recipe_id(client, arguments.positional(0)));
    SP_TRY(const auto recipe, about(client.post(fill("/v1/recipes/{}/deactivate", id), Value(ValueMap{})), "recipe",
                                    arguments.positional(0)));
    context.show(recipe, card_of(recipe, kRecipeColumns));
    return {};
  });
}

int delete_recipe(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, recipe_id(client, arguments.positional(0)));
    SP_TRY(const auto done, about(client.remove(fill("/v1/recipes/{}", id)), "recipe", arguments.positional(0)));
    context.show(done, "deleted; its jobs stay readable\n");
    return {};
  });
}

int show(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, recipe_id(client, arguments.positional(0)));
    if (!arguments.has("version")) {
      SP_TRY(const auto recipe, about(client.get(fill("/v1/recipes/{}", id)), "recipe", arguments.positional(0)));
      SP_TRY(const auto versions, list_all(client, fill("/v1/recipes/{}/versions", id)));
      auto rows = versions.find("items")->as_list();
      add_names(client, rows, {{"created_by", "/v1/users", "email"}});
      auto whole = recipe.as_map();
      const auto text = card_of(recipe, kRecipeColumns) + "\n" + table_of(rows, kVersionColumns);
      whole.emplace(Value("versions"), Value(std::move(rows)));
      context.show(Value(std::move(whole)), text);
      return {};
    }
    const auto wanted = arguments.get("version");
    SP_TRY(const auto version,
           version_of(client, client.get(fmt::format("{}/versions/{}", fill("/v1/recipes/{}", id), wanted)),
                      {arguments.positional(0), id}, wanted));
    context.show(version, text_of(version, "yaml"));
    return {};
  });
}

}  // namespace

std::vector<Command> recipe_commands() {
  const Option file{"file", "FILE", "the recipe's YAML (also -f; - reads standard input)"};
  return {
      {"recipes", "list", {}, {}, "recipes and which version is active", listing("/v1/recipes", kRecipeColumns)},
      {"recipes",
       "show",
       {"RECIPE"},
       {{"version", "N", "print that version's YAML"}},
       "one recipe and its versions",
       show},
      recipe_apply_command(),
      recipe_test_command(),
      recipe_replay_command(),
      {"recipes",
       "validate",
       {"[FILE]"},
       {file, {"expanded", "", "print it as it is stored: streams as the steps that they are"}},
       "check a recipe offline; every problem with line, column and rule (-o json for programs)",
       validate,
       check_validate},
      {"recipes",
       "diff",
       {"[RECIPE]"},
       {file, {"from", "N", "older version"}, {"to", "N", "newer version"}},
       "what differs between two versions, or between a file and the newest version",
       diff,
       check_diff},
      {"recipes",
       "activate",
       {"RECIPE"},
       {{"version", "N", "an earlier one rolls back (default: the newest)"}},
       "make a version active",
       activate},
      {"recipes", "deactivate", {"RECIPE"}, {}, "let no version be active", deactivate},
      {"recipes",
       "delete",
       {"RECIPE"},
       {},
       "take an inactive recipe out of use; its jobs stay readable",
       delete_recipe},
  };
}

}  // namespace sallyport::cli
