#pragma once

#include <string_view>

namespace sallyport::api {

// docs/api/openapi.yaml as it was when this program was built, and the same document as JSON.
std::string_view openapi_yaml();
std::string_view openapi_json();

}  // namespace sallyport::api
