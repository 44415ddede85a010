#pragma once

#include "relay/api/registry.h"
#include "shared/http/types.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sallyport::api {

// A route that fits the path, with its parameters as they stood there.
struct Match {
  const Route* route = nullptr;
  std::vector<std::string> parameters;
};
struct NoSuchPath {};
struct WrongMethod {
  std::string allow;  // "GET, POST"
};

// Finds the route of a request. HEAD is served by GET. A literal segment wins over a parameter.
// Keeps views into the routes it is given.
class Router {
 public:
  explicit Router(std::span<const Route> routes);
  std::variant<Match, NoSuchPath, WrongMethod> find(http::Method method,
                                                    const std::vector<std::string>& segments) const;

 private:
  struct Entry {
    const Route* route;
    std::vector<std::string_view> segments;
  };
  std::vector<Entry> entries_;  // those with literals further to the left first
};

}  // namespace sallyport::api
