#include "relay/api/secret_member.h"

#include "relay/api/inputs.h"
#include "relay/api/resources.h"
#include "shared/base/json.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::api;

namespace {

// What came of a body for the route that attaches an own key.
struct Read {
  std::string body;  // as it is left
  std::string secret;
  std::string problem;
};

Read read(std::string body) {
  const auto& route = own_key_routes().front();
  http::Request request{{}, std::move(body)};
  const auto came = read_body(route, request);
  if (!came) {
    const auto& why = came.error();
    return {request.body, "", why.errors.empty() ? why.code : why.errors.front().where + " " + why.errors.front().what};
  }
  return {request.body, came->secret ? std::string(came->secret->reveal()) : "", ""};
}

std::string order_with(std::string_view credentials) {
  return R"({"kind":"vault","credentials" : ")" + std::string(credentials) +
         R"(","address":"https://v.test","key":"k"})";
}

}  // namespace

TEST_CASE("a secret of a body is taken out of it before it is parsed, whatever is in it", "[api][secret]") {
  const std::string all = "canary \"\\/\b\f\n\r\t\x01 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91";
  std::string written;
  append_json_string(written, all);
  for (const auto& text : {written.substr(1, written.size() - 2),
                           std::string(R"(canary \"\\\/\b\f\n\r\t\u0001 \u00e9 \u20AC \ud83d\udd11)")}) {
    INFO(text);
    const auto came = read(order_with(text));
    CHECK(came.problem.empty());
    CHECK(came.secret == all);
    CHECK(came.body.find("canary") == std::string::npos);
    CHECK(came.body.size() == order_with(text).size());
  }
  const auto longest = read(order_with(std::string(12'000, 'x')));
  CHECK(longest.secret.size() == 12'000);
  const auto of_escapes = read(order_with([] {
    std::string text;
    for (int i = 0; i < 12'000; ++i) text += "\\n";
    return text;
  }()));
  CHECK(of_escapes.secret == std::string(12'000, '\n'));  // not its length as it is written counts
}

TEST_CASE("a secret that cannot be told apart from the rest of its body is refused", "[api][secret]") {
  for (const auto* body : {R"({"kind":"vault","\u0063redentials":"canary","address":"https://v.test","key":"k"})",
                           R"({"kind":"vault","credentials":"canary \u007f","key":"\u007f","x":{"credentials":"y"}})",
                           "{\"kind\":\"vault\",\"credentials\":\"canary\",\"key\":\"\x7f\"}",
                           R"({"kind":"vault","credentials":"canary","credentials":"again","key":"k"})",
                           R"({"kind":"vault","credentials":"canary \q","key":"k"})",
                           R"({"kind":"vault","credentials":"canary \ud83d","key":"k"})",
                           R"({"kind":"vault","credentials":"canary \udd11\ud83d","key":"k"})",
                           R"({"kind":"vault","credentials":"canary \u12","key":"k"})",
                           "{\"kind\":\"vault\",\"credentials\":\"canary\n\",\"key\":\"k\"}",
                           "{\"kind\":\"vault\",\"credentials\":\"canary\xff\",\"key\":\"k\"}",
                           R"({"kind":"vault","credentials":"canary","key":"k")",
                           R"({"kind":"vault","credentials":"canary)", R"({"kind":"vault","credentials":"","key":"k"})",
                           R"({"kind":"vault","credentials":7})", R"({"kind":"vault","credentials":null})"}) {
    INFO(body);
    const auto came = read(body);
    CHECK(came.secret.empty());
    CHECK_FALSE(came.problem.empty());
    CHECK(came.problem.find("canary") == std::string::npos);
  }
  const auto too_long = read(order_with(std::string(12'001, 'x')));
  CHECK(too_long.problem == "/credentials must have at most 12000 characters");
  CHECK(read(R"({"kind":"file","name":"own"})").problem.empty());  // control: none is needed
}
