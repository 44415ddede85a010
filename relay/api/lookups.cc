#include "relay/api/lookups.h"

namespace sallyport::api {

boost::asio::awaitable<Result<GroupId>> group_of(Services& services, const Call& call) {
  const auto id = call.text("group"), name = call.text("group_name");
  if (id && name) co_return fail(Errc::invalid, "say which group is meant once: group or group_name, not both");
  if (id) co_return GroupId(*id);
  if (!name) co_return fail(Errc::invalid, "say which group is meant: group or group_name");
  SP_CO_TRY(const auto group, co_await services.stores.groups.find_by_name(call.caller.org, *name));
  co_return group.id;
}

boost::asio::awaitable<Result<RecipeId>> recipe_of(Services& services, const Call& call) {
  const auto id = call.text("recipe"), name = call.text("recipe_name");
  if (id && name) co_return fail(Errc::invalid, "say which recipe is meant once: recipe or recipe_name, not both");
  if (id) co_return RecipeId(*id);
  if (!name) co_return fail(Errc::invalid, "say which recipe is meant: recipe or recipe_name");
  SP_CO_TRY(const auto recipe, co_await services.stores.recipes.find_by_name(call.caller.org, *name));
  co_return recipe.id;
}

}  // namespace sallyport::api
