#include "agent/connectors/recipe_secrets.h"

#include "agent/connectors/translate.h"

#include <fmt/format.h>

namespace sallyport::connectors {

StepResult<Secret> RecipeSecrets::take(const policy::SecretUse& use) const {
  SP_TRY(const auto* source, to_step(policy_.check_secret(use)));
  auto secret = vault_.resolve(*source);
  if (secret) return *std::move(secret);
  log_.error("secret.unreadable", {{"secret", use.name}, {"why", secret.error().message}});
  auto error = to_step_error(std::move(secret).error());
  error.message =
      fmt::format("the agent cannot read its secret {}; its log and `sallyport-agent doctor` say why", use.name);
  return std::unexpected(std::move(error));
}

}  // namespace sallyport::connectors
