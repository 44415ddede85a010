#include "relay/api/router.h"

#include <catch2/catch.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::api;
using http::Method;

namespace {

constexpr std::array kRoutes{Route{.id = "root", .pattern = "/"},
                             Route{.id = "list", .pattern = "/v1/things"},
                             Route{.id = "make", .method = Method::post, .pattern = "/v1/things"},
                             Route{.id = "one", .pattern = "/v1/things/{thing}"},
                             Route{.id = "drop", .method = Method::del, .pattern = "/v1/things/{thing}"},
                             Route{.id = "check", .method = Method::post, .pattern = "/v1/things/check"},
                             Route{.id = "part", .pattern = "/v1/things/{thing}/parts/{part}"}};

std::string found(Method method, std::vector<std::string> segments) {
  const Router router(kRoutes);
  auto outcome = router.find(method, segments);
  if (auto* match = std::get_if<Match>(&outcome)) {
    std::string text(match->route->id);
    for (const auto& parameter : match->parameters) text += " " + parameter;
    return text;
  }
  if (auto* wrong = std::get_if<WrongMethod>(&outcome)) return "405 " + wrong->allow;
  return "404";
}

}  // namespace

TEST_CASE("requests find their route", "[api][router]") {
  CHECK(found(Method::get, {}) == "root");
  CHECK(found(Method::get, {"v1", "things"}) == "list");
  CHECK(found(Method::head, {"v1", "things"}) == "list");
  CHECK(found(Method::post, {"v1", "things"}) == "make");
  CHECK(found(Method::get, {"v1", "things", "a"}) == "one a");
  CHECK(found(Method::get, {"v1", "things", "a/b"}) == "one a/b");
  CHECK(found(Method::get, {"v1", "things", "a", "parts", "7"}) == "part a 7");
}

TEST_CASE("a literal wins over a parameter", "[api][router]") {
  CHECK(found(Method::post, {"v1", "things", "check"}) == "check");
  CHECK(found(Method::get, {"v1", "things", "check"}) == "405 POST");
  CHECK(found(Method::del, {"v1", "things", "other"}) == "drop other");
}

TEST_CASE("what has no route is absent; a wrong method names the right ones", "[api][router]") {
  CHECK(found(Method::get, {"v1"}) == "404");
  CHECK(found(Method::get, {"v1", "things", "a", "parts"}) == "404");
  CHECK(found(Method::get, {"V1", "things"}) == "404");
  CHECK(found(Method::put, {"v1", "things"}) == "405 GET, POST");
  CHECK(found(Method::patch, {"v1", "things", "a"}) == "405 DELETE, GET");
}
