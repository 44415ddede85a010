#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/recipe_text.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"
#include "relay/jobs/parcel.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

std::string_view to_string(store::ApplyOutcome outcome) {
  switch (outcome) {
    case store::ApplyOutcome::recipe_created: return "recipe_created";
    case store::ApplyOutcome::version_added: return "version_added";
    case store::ApplyOutcome::unchanged: break;
  }
  return "unchanged";
}

// Changes whenever a version is added or another one becomes active.
std::string tag_of(const store::Recipe& recipe) {
  return fmt::format("\"{}-{}\"", recipe.latest_version, recipe.active_version.value_or(0));
}

Answer recipe_answer(const store::Recipe& recipe) {
  auto response = json_response(200, shape(recipe));
  response.headers.set("ETag", tag_of(recipe));
  return {std::move(response)};
}

Said applied_as(const store::AppliedRecipe& applied) {
  return {"recipe:" + applied.recipe.id.value,
          {{Value("name"), Value(applied.recipe.name)},
           {Value("version"), Value(static_cast<std::int64_t>(applied.version))},
           {Value("outcome"), Value(to_string(applied.outcome))}}};
}

asio::awaitable<Result<Answer>> apply_recipe(Services& services, Call call) {
  auto yaml = call.required_text("yaml");
  SP_CO_TRY(auto checked, co_await check_recipe(services, call.caller.org, yaml));
  if (!checked) co_return Answer{recipe_problem(checked.error())};
  if (checked->canonical.size() > jobs::kMaxRecipeJson)
    co_return fail(Errc::too_large, fmt::format("as canonical JSON the recipe is {} bytes, at most {} are allowed",
                                                checked->canonical.size(), jobs::kMaxRecipeJson));
  const auto sha256 = hex(checked->sha256);
  store::NewRecipeVersion version{.id_if_new = crypto::new_id<RecipeId>(services.clock),
                                  .name = std::move(checked->name),
                                  .run_on = std::move(checked->run_on),
                                  .trigger = std::move(checked->trigger),
                                  .source_yaml = std::move(yaml),
                                  .canonical_json = std::move(checked->canonical),
                                  .sha256 = std::move(checked->sha256),
                                  .created_by = call.caller.user,
                                  .created_at = services.clock.wall()};
  auto note = note_of<store::AppliedRecipe>(services, call, {"", {{Value("sha256"), Value(sha256)}}}, applied_as);
  SP_CO_TRY(const auto applied,
            co_await services.stores.recipes.apply(call.caller.org, std::move(version), std::move(note)));
  const auto value = Object()
                         .put("recipe", shape(applied.recipe))
                         .put("version", applied.version)
                         .put("outcome", to_string(applied.outcome))
                         .done();
  auto response = json_response(applied.outcome == store::ApplyOutcome::unchanged ? 200 : 201, value);
  response.headers.set("ETag", tag_of(applied.recipe));
  response.headers.set("Location", fmt::format("/v1/recipes/{}/versions/{}", applied.recipe.id.value, applied.version));
  co_return Answer{std::move(response)};
}

asio::awaitable<Result<Answer>> validate_recipe(Services& services, Call call) {
  SP_CO_TRY(const auto checked, co_await check_recipe(services, call.caller.org, call.required_text("yaml")));
  if (!checked) co_return Answer{recipe_problem(checked.error())};
  co_return ok(Object()
                   .put("valid", Value(true))
                   .put("name", checked->name)
                   .put("run_on", checked->run_on)
                   .put("trigger", checked->trigger)
                   .put("canonical", checked->canonical)
                   .done());
}

asio::awaitable<Result<Answer>> list_recipes(Services& services, Call call) {
  const bool removed = call.query_text("removed") == "with";
  const store::RecipeFilter filter{call.query_text("name"),
                                   removed ? store::Removed::included : store::Removed::left_out};
  SP_CO_TRY(const auto page, co_await services.stores.recipes.list(call.caller.org, filter, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

asio::awaitable<Result<Answer>> get_recipe(Services& services, Call call) {
  SP_CO_TRY(const auto recipe, co_await services.stores.recipes.find(call.caller.org, call.id<RecipeId>("recipe")));
  co_return recipe_answer(recipe);
}

bool is_other_tag(const Call& call, const store::Recipe& recipe) {
  return call.names_state() && call.if_match != tag_of(recipe);
}

// What the store is to hold the change to: the state whose tag the caller named.
std::optional<store::RecipeState> expected_state(const Call& call, const store::Recipe& seen) {
  return call.names_state() ? std::optional(state_of(seen)) : std::nullopt;
}

// Why the store refused: somebody was quicker, or what it says.
asio::awaitable<Result<Answer>> refused(Services& services, Call call, RecipeId id, Error error) {
  if (error.code != Errc::conflict || !call.names_state()) co_return std::unexpected(std::move(error));
  SP_CO_TRY(const auto now, co_await services.stores.recipes.find(call.caller.org, std::move(id)));
  if (is_other_tag(call, now)) co_return changed_meanwhile("recipe");
  co_return std::unexpected(std::move(error));
}

// Activates a version, or none. If-Match holds the caller to the state it saw; without it the last word wins, but never
// over somebody else's word at the same moment (compare-and-set).
asio::awaitable<Result<Answer>> switch_version(Services& services, Call call, std::optional<std::uint32_t> wanted) {
  const auto id = call.id<RecipeId>("recipe");
  SP_CO_TRY(const auto before, co_await services.stores.recipes.find(call.caller.org, id));
  if (is_other_tag(call, before)) co_return changed_meanwhile("recipe");
  if (wanted) {
    SP_CO_TRY(const auto version, co_await services.stores.recipes.version(call.caller.org, id, *wanted));
    const auto group = co_await services.stores.groups.find_by_name(call.caller.org, version.run_on);
    if (!group && group.error().code == Errc::not_found) {
      co_return fail(
          Errc::conflict,
          fmt::format("the recipe runs on agent group \"{}\", which does not exist; create it first", version.run_on));
    }
    if (!group) co_return std::unexpected(group.error());
  }
  auto note = note_of<store::Recipe>(
      services, call,
      {"",
       {{Value("name"), Value(before.name)},
        {Value("from_version"),
         before.active_version ? Value(static_cast<std::int64_t>(*before.active_version)) : Value()},
        {Value("to_version"), wanted ? Value(static_cast<std::int64_t>(*wanted)) : Value()}}});
  store::Activation change{before.active_version, wanted, expected_state(call, before)};
  auto after = co_await services.stores.recipes.activate(call.caller.org, id, change, std::move(note));
  if (!after) co_return co_await refused(services, call, id, std::move(after).error());
  services.triggers_changed(call.caller.org, std::nullopt);
  co_return recipe_answer(*after);
}

asio::awaitable<Result<Answer>> activate_recipe(Services& services, Call call) {
  const auto version = static_cast<std::uint32_t>(call.required_integer("version"));
  return switch_version(services, std::move(call), version);
}

asio::awaitable<Result<Answer>> deactivate_recipe(Services& services, Call call) {
  return switch_version(services, std::move(call), std::nullopt);
}

asio::awaitable<Result<Answer>> remove_recipe(Services& services, Call call) {
  const auto id = call.id<RecipeId>("recipe");
  SP_CO_TRY(const auto before, co_await services.stores.recipes.find(call.caller.org, id));
  if (is_other_tag(call, before)) co_return changed_meanwhile("recipe");
  auto note = note_of<store::Recipe>(services, call, {"", {{Value("name"), Value(before.name)}}});
  store::RecipeRemoval removal{services.clock.wall(), expected_state(call, before)};
  auto removed = co_await services.stores.recipes.remove(call.caller.org, id, removal, std::move(note));
  if (!removed) co_return co_await refused(services, call, id, std::move(removed).error());
  std::optional<AgentId> watched_by;
  if (removed->watched_by) watched_by = removed->watched_by->agent;
  services.triggers_changed(call.caller.org, watched_by);
  co_return no_content();
}

constexpr std::array kTextFields{Field{.name = "yaml",
                                       .presence = Presence::required,
                                       .least = 1,
                                       .most = std::int64_t{1} << 20,
                                       .format = Format::document}};
constexpr Schema kText{"RecipeText", kTextFields};
constexpr std::array kActivationFields{Field{
    .name = "version", .type = FieldType::integer, .presence = Presence::required, .least = 1, .most = 1'000'000'000}};
constexpr Schema kActivation{"Activation", kActivationFields};
constexpr std::array<std::string_view, 2> kRemoved{"without", "with"};
constexpr std::array kListQuery{cursor_field(kRecipeIds), kLimit, Field{.name = "name", .most = 63},
                                Field{.name = "removed", .among = kRemoved}};
constexpr std::size_t kRecipeBody = 4u << 20;

constexpr std::array kRoutes{
    Route{.id = "list_recipes",
          .pattern = "/v1/recipes",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .query = kListQuery,
          .response = "RecipePage",
          .handler = list_recipes},
    Route{.id = "apply_recipe",
          .method = http::Method::post,
          .pattern = "/v1/recipes",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::recipes_write,
          .body = Body::recipe,
          .request = &kText,
          .response = "AppliedRecipe",
          .repeat = Repeat::keyed,
          .audited = "recipe.apply",
          .body_limit = kRecipeBody,
          .handler = apply_recipe},
    Route{.id = "validate_recipe",
          .method = http::Method::post,
          .pattern = "/v1/recipes/validate",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .body = Body::recipe,
          .request = &kText,
          .response = "ValidRecipe",
          .body_limit = kRecipeBody,
          .handler = validate_recipe},
    Route{.id = "get_recipe",
          .pattern = "/v1/recipes/{recipe}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .path = kRecipePath,
          .response = "Recipe",
          .handler = get_recipe},
    Route{.id = "remove_recipe",
          .method = http::Method::del,
          .pattern = "/v1/recipes/{recipe}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::recipes_write,
          .path = kRecipePath,
          .repeat = Repeat::idempotent,
          .audited = "recipe.remove",
          .handler = remove_recipe},
    Route{.id = "activate_recipe",
          .method = http::Method::post,
          .pattern = "/v1/recipes/{recipe}/activate",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::recipes_write,
          .path = kRecipePath,
          .body = Body::json,
          .request = &kActivation,
          .response = "Recipe",
          .repeat = Repeat::idempotent,
          .audited = "recipe.activate",
          .handler = activate_recipe},
    Route{.id = "deactivate_recipe",
          .method = http::Method::post,
          .pattern = "/v1/recipes/{recipe}/deactivate",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::recipes_write,
          .path = kRecipePath,
          .body = Body::json,
          .request = &kNothing,
          .response = "Recipe",
          .repeat = Repeat::idempotent,
          .audited = "recipe.deactivate",
          .handler = deactivate_recipe},
};

}  // namespace

std::span<const Route> recipe_routes() { return kRoutes; }

}  // namespace sallyport::api
