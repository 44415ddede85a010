#include "relay/api/openapi_document.h"

#include "shared/base/json.h"
#include "shared/recipe/yaml.h"

#include <string>

namespace sallyport::embedded {
extern const std::string_view openapi_yaml;
}

namespace sallyport::api {
namespace {

constexpr yaml::Limits kLimits{.max_bytes = 4u << 20, .max_depth = 64, .max_nodes = 200'000};

std::string as_json() {
  const auto parsed = yaml::parse(embedded::openapi_yaml, "openapi.yaml", kLimits);
  return parsed ? to_json(yaml::to_value(*parsed)) : std::string("{}");
}

}  // namespace

std::string_view openapi_yaml() { return embedded::openapi_yaml; }

std::string_view openapi_json() {
  static const std::string json = as_json();
  return json;
}

}  // namespace sallyport::api
