#include "agent/connectors/paths.h"

#include "agent/connectors/translate.h"
#include "agent/platform/beneath.h"

#include <fmt/format.h>

namespace sallyport::connectors {

StepResult<std::string> path_below_root(std::string_view connection, std::string_view path) {
  auto clean = platform::clean_path(path);
  if (clean || clean.error().code != Errc::forbidden) return to_step(std::move(clean));
  return std::unexpected(
      to_step_error({fmt::format("connections.yaml {}.root", connection), std::move(clean).error().message}));
}

StepResult<void> check_size(const Site& site, std::string_view connection, std::uint64_t bytes) {
  const auto limit = site.policy.limits(connection).bytes;
  if (bytes <= limit) return {};
  return step_fail(
      "too_large",
      fmt::format("more than {} bytes, the limit that the local policy sets for {} (limits.bytes)", limit, connection));
}

}  // namespace sallyport::connectors
