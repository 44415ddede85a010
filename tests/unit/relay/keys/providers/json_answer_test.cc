#include "relay/keys/providers/json_answer.h"

#include <catch2/catch.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::keys;

namespace {

constexpr std::array<std::string_view, 1> kTop{"key"};
constexpr std::array<std::string_view, 2> kInside{"data", "key"};

Result<Secret> taken(std::string json, std::span<const std::string_view> path = kTop) {
  return take_secret(Secret::take(json), path);
}

}  // namespace

TEST_CASE("a secret is taken out of an answer where it stands", "[keys][answers]") {
  for (const char* json : {R"({"key":"c2VjcmV0"})", R"( { "a" : 1 , "key"	:
 "c2VjcmV0" } )",
                           R"({"a":{"b":[]},"key":"c2VjcmV0","z":"***"})", R"({"a":"********","key":"c2VjcmV0"})"}) {
    INFO(json);
    const auto secret = taken(json);
    REQUIRE(secret);
    CHECK(secret->reveal() == "secret");
  }
  const auto inside = taken(R"({"auth":null,"data":{"key":"c2VjcmV0"}})", kInside);
  REQUIRE(inside);
  CHECK(inside->reveal() == "secret");
}

TEST_CASE("a secret is taken from nowhere else", "[keys][answers]") {
  for (const char* json : {"",
                           "{",
                           "[]",
                           "null",
                           R"({"key":1})",
                           R"({"key":""})",
                           R"({"key":null})",
                           R"({"key":"c2VjcmV0"}})",
                           R"({"key":"c2VjcmV0")",
                           R"({"key":"c2VjcmV0","key":"c2VjcmV0"})",
                           R"({"key":"c2Vj\u0063mV0"})",
                           R"({"key":"no base64"})",
                           R"({"key":"c2V"})",
                           R"({"data":{"key":"c2VjcmV0"}})",
                           "{\"data\":{\"key\":\"c2VjcmV0\"},\"key\":\"\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\"}",
                           R"(["key":"c2VjcmV0"])",
                           R"({"k":"key","key ":"c2VjcmV0"})",
                           R"({"x":"{\"key\":\"c2VjcmV0\"}"})",
                           R"({"key")",
                           R"({"key":)",
                           R"({"key":")"}) {
    INFO(json);
    const auto secret = taken(json);
    REQUIRE(!secret);
    CHECK(secret.error().code == Errc::unavailable);
    CHECK(secret.error().message.find("c2V") == std::string::npos);
  }
  CHECK(!taken(R"({"key":"c2VjcmV0","data":{}})", kInside));
  CHECK(!taken(R"({"data":"key","key":"c2VjcmV0"})", kInside));
}

TEST_CASE("answers have a limit of size and depth", "[keys][answers]") {
  CHECK(parse_answer(R"({"a":[[[[[[1]]]]]]})"));
  CHECK(!parse_answer(R"({"a":[[[[[[[[1]]]]]]]]})"));
  CHECK(!parse_answer("[]"));
  CHECK(!parse_answer(R"({"a":")" + std::string(outbound::kMaxHttpsAnswer, 'x') + R"("})"));
}

TEST_CASE("words of others are shown short and harmless", "[keys][answers]") {
  CHECK(quoted("all is well") == "all is well");
  CHECK(quoted("a\x1b[31m\r\nb") == "a?[31m??b");
  CHECK(quoted(std::string(5000, 'x')).size() <= 203);
  const auto value = parse_answer(R"({"a":{"b":"text"},"n":1})");
  REQUIRE(value);
  CHECK(text_at(*value, std::array<std::string_view, 2>{"a", "b"}) == "text");
  CHECK(text_at(*value, std::array<std::string_view, 2>{"n", "b"}).empty());
  CHECK(text_at(*value, std::array<std::string_view, 1>{"n"}).empty());
}
