#pragma once

#include "tests/unit/relay/api/world.h"

#include <string>
#include <string_view>

// What tests look at in an answer.
namespace sallyport::test {

// "" when the header is not there.
inline std::string header_of(const http::Response& response, std::string_view name) {
  const auto* value = response.headers.find(name);
  return value == nullptr ? std::string() : *value;
}

// Of a problem.
inline std::string code_of(const http::Response& response) { return text_of(json_of(response), "code"); }

}  // namespace sallyport::test
