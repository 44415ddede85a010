#include "relay/api/recipe_text.h"

#include "shared/async/fair_pool.h"
#include "shared/crypto/digest.h"
#include "shared/http/problem.h"

#include <fmt/format.h>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

// Where a recipe asks for data to be kept longer than it may be.
recipe::Problems kept_too_long(const recipe::Recipe& recipe, const domain::RetentionLevels& levels) {
  yaml::Report report(std::string{});
  const auto look = [&](domain::RetentionClass one, const std::optional<domain::Hours>& asked, yaml::Position at) {
    const auto most = domain::effective(one, levels);
    if (!asked || *asked <= most) return;
    const bool by_organisation = most < domain::allowed_by(levels.platform, one);
    report.add(at, "retention-too-long",
               fmt::format("`{}` must be at most {}: {} keeps nothing longer", domain::to_string(one),
                           domain::format_retention(most), by_organisation ? "the organisation" : "the platform"));
  };
  const auto asked = jobs::asked_of(recipe);
  look(domain::RetentionClass::payload, asked.payload, recipe.retention.payload_at);
  look(domain::RetentionClass::logs, asked.logs, recipe.retention.logs_at);
  look(domain::RetentionClass::archive, asked.archive, recipe.retention.archive_at);
  return report.take();
}

// What was compiled dies here too, on the thread that made it: that takes time as well.
std::expected<CheckedRecipe, recipe::Problems> check(std::string_view yaml, const domain::RetentionLevels& levels) {
  SP_TRY(const auto loaded, recipe::load_recipe(yaml));
  if (auto problems = kept_too_long(loaded, levels); !problems.empty()) return std::unexpected(std::move(problems));
  auto canonical = recipe::to_canonical(loaded);
  const auto digest = crypto::sha256(canonical);
  return CheckedRecipe{loaded.name, loaded.run_on, trigger_kind(loaded.trigger.uses), std::move(canonical),
                       Bytes(digest.begin(), digest.end())};
}

Result<recipe::Recipe> read_version(std::string_view canonical) {
  auto loaded = recipe::recipe_from_canonical(canonical);
  if (loaded) return *std::move(loaded);
  return in_context("the stored version is not valid any more", yaml::to_error(loaded.error()));
}

Result<std::vector<recipe::Change>> compare(std::string_view before, std::string_view after) {
  SP_TRY(const auto old, read_version(before));
  SP_TRY(const auto fresh, read_version(after));
  return recipe::diff(old, fresh);
}

}  // namespace

asio::awaitable<Result<std::expected<CheckedRecipe, recipe::Problems>>> check_recipe(Services& services, OrgId org,
                                                                                     std::string yaml) {
  SP_CO_TRY(const auto levels, co_await services.stores.retentions.find(org));
  auto checked = co_await services.recipe_work.run(std::move(org.value), [&] { return check(yaml, levels); });
  if (!checked) co_return in_context("checking the recipe", std::move(checked).error());
  co_return checked;
}

asio::awaitable<Result<std::vector<recipe::Change>>> compare_recipes(Services& services, OrgId org, std::string before,
                                                                     std::string after) {
  auto changes = co_await services.recipe_work.run(std::move(org.value), [&] { return compare(before, after); });
  if (!changes) co_return in_context("comparing the versions", std::move(changes).error());
  co_return *std::move(changes);
}

http::Response recipe_problem(const recipe::Problems& problems) {
  http::Problem answer{422, "invalid_recipe", "The recipe is not valid.", {}};
  for (const auto& problem : problems) {
    answer.errors.push_back({fmt::format("{}:{}", problem.line, problem.column), problem.message, problem.rule});
  }
  return http::to_response(answer);
}

std::string trigger_kind(std::string_view uses) { return std::string(uses.substr(0, uses.find('@'))); }

}  // namespace sallyport::api
