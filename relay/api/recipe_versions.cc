#include "relay/api/fields.h"
#include "relay/api/recipe_text.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"
#include "shared/recipe/schema.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Answer>> list_versions(Services& services, Call call) {
  const auto id = call.id<RecipeId>("recipe");
  SP_CO_CHECK(co_await services.stores.recipes.find(call.caller.org, id));
  SP_CO_TRY(const auto page, co_await services.stores.recipes.versions(call.caller.org, id, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

asio::awaitable<Result<Answer>> get_version(Services& services, Call call) {
  const auto number = static_cast<std::uint32_t>(call.number("version"));
  SP_CO_TRY(const auto version,
            co_await services.stores.recipes.version(call.caller.org, call.id<RecipeId>("recipe"), number));
  const auto format = call.query_text("format").value_or("full");
  if (format == "yaml") co_return Answer{text_response("application/yaml", version.source_yaml)};
  if (format == "canonical") co_return Answer{text_response("application/json", version.canonical_json)};
  auto value = shape(static_cast<const store::RecipeVersionSummary&>(version)).as_map();
  value.emplace(Value("yaml"), Value(version.source_yaml));
  value.emplace(Value("canonical"), Value(version.canonical_json));
  co_return ok(Value(std::move(value)));
}

asio::awaitable<Result<Answer>> diff_versions(Services& services, Call call) {
  const auto id = call.id<RecipeId>("recipe");
  const auto& org = call.caller.org;
  const auto from = call.required_query_integer("from"), to = call.required_query_integer("to");
  auto& recipes = services.stores.recipes;
  SP_CO_TRY(auto before, co_await recipes.version(org, id, static_cast<std::uint32_t>(from)));
  SP_CO_TRY(auto after, co_await recipes.version(org, id, static_cast<std::uint32_t>(to)));
  SP_CO_TRY(const auto found,
            co_await compare_recipes(services, org, std::move(before.canonical_json), std::move(after.canonical_json)));
  ValueList changes;
  for (const auto& change : found) {
    changes.push_back(Object()
                          .put("path", change.path)
                          .put("kind", to_string(change.kind))
                          .put("before", change.before)
                          .put("after", change.after)
                          .done());
  }
  co_return ok(Object().put("from", Value(from)).put("to", Value(to)).put("changes", Value(std::move(changes))).done());
}

asio::awaitable<Result<Answer>> get_recipe_schema(Services&, Call) {
  co_return Answer{text_response("application/schema+json", recipe::recipe_schema_text())};
}

constexpr Field number_field(std::string_view name) {
  return {.name = name, .type = FieldType::integer, .presence = Presence::required, .least = 1, .most = 1'000'000'000};
}
constexpr std::array kVersionPath{id_field("recipe", kRecipeIds), number_field("version")};
constexpr std::array<std::string_view, 3> kFormats{"full", "yaml", "canonical"};
constexpr std::array kFormatQuery{Field{.name = "format", .among = kFormats}};
constexpr std::array kDiffQuery{number_field("from"), number_field("to")};

constexpr auto kListQuery = page_query(kNumberCursor);

constexpr std::array kRoutes{
    Route{.id = "list_recipe_versions",
          .pattern = "/v1/recipes/{recipe}/versions",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .path = kRecipePath,
          .query = kListQuery,
          .response = "RecipeVersionPage",
          .handler = list_versions},
    Route{.id = "get_recipe_version",
          .pattern = "/v1/recipes/{recipe}/versions/{version}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .path = kVersionPath,
          .query = kFormatQuery,
          .response = "RecipeVersion",
          .handler = get_version},
    Route{.id = "diff_recipe_versions",
          .pattern = "/v1/recipes/{recipe}/diff",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .path = kRecipePath,
          .query = kDiffQuery,
          .response = "RecipeDiff",
          .handler = diff_versions},
    Route{
        .id = "get_recipe_schema", .pattern = "/v1/schemas/recipe", .reach = Reach::open, .handler = get_recipe_schema},
};

}  // namespace

std::span<const Route> recipe_version_routes() { return kRoutes; }

}  // namespace sallyport::api
