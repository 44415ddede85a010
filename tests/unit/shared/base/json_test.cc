#include "shared/base/json.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace sallyport;

namespace {

std::string round_trip(std::string_view text) {
  auto value = parse_json(text);
  return value ? to_json(*value) : value.error().message;
}

}  // namespace

TEST_CASE("integers stay exact through JSON", "[base][json]") {
  CHECK(round_trip("9223372036854775807") == "9223372036854775807");
  CHECK(round_trip("-9223372036854775808") == "-9223372036854775808");
  CHECK(round_trip("18446744073709551615") == "18446744073709551615");
  CHECK(parse_json("1.0")->is(Value::Kind::float64));
}

TEST_CASE("a whole number that would lose digits is refused, and where it stands is said", "[base][json]") {
  struct Row {
    std::string_view text;
    std::string_view where;
  };
  for (const auto& [text, where] : {Row{"18446744073709551616", "byte 20"},
                                    {"-9223372036854775809", "byte 20"},
                                    {R"({"n": 18446744073709551617, "m": 1})", "byte 26"},
                                    {"[1, 123456789012345678901\n]", "byte 25"},
                                    {"100000000000000000001", "byte 21"},
                                    {"10000000000000000000000", "byte 23"},
                                    {"1e400", "byte 5"}}) {
    INFO(text);
    for (const auto& value : {parse_json(text), parse_stored_json(text)}) {
      REQUIRE_FALSE(value);
      CHECK(value.error().code == Errc::invalid);
      CHECK(value.error().message ==
            "not valid JSON: number out of range at " + std::string(where) + ": put it in quotes to keep its digits");
    }
  }
  CHECK(parse_json("18446744073709551617.0")->is(Value::Kind::float64));
  CHECK(parse_json("1e20")->is(Value::Kind::float64));
}

TEST_CASE("what a double is written as is read back, whatever its size", "[base][json]") {
  for (const double number : {0x1p63, 0x1p64, -0x1p64, 1e20, 295147905179352830000.0, 999999999999999700000.0, 1e21,
                              1.7976931348623157e308, 5e-324}) {
    const auto text = json_number(number);
    INFO(text);
    CHECK(round_trip(text) == text);
    CHECK(canonical_json(*parse_stored_json(text)) == text);
  }
}

TEST_CASE("a NUL byte is refused wherever it stands", "[base][json]") {
  using namespace std::string_view_literals;
  for (std::string_view text : {"{\"n\":1}\0garbage{{{"sv, "{\"n\":1}\0"sv, "\0{}"sv, "{\"n\":\0 1}"sv, "1\0\0\0 2"sv,
                                "{\"x\":1}\0{\"x\":2}"sv, "\"a\0b\""sv, "\0"sv}) {
    const auto value = parse_json(text);
    REQUIRE_FALSE(value);
    CHECK(value.error().code == Errc::invalid);
    CHECK(value.error().message == "not valid JSON: syntax error at byte " + std::to_string(text.find('\0') + 1));
    CHECK_FALSE(parse_stored_json(text));
  }
  CHECK(parse_json("\"a\\u0000b\"")->as_string() == "a\0b"sv);
}

TEST_CASE("numbers are written as ECMAScript writes them", "[base][json]") {
  // RFC 8785 appendix B.
  CHECK(json_number(-0.0) == "0");
  CHECK(json_number(5e-324) == "5e-324");
  CHECK(json_number(1.7976931348623157e308) == "1.7976931348623157e+308");
  CHECK(json_number(9007199254740992.0) == "9007199254740992");
  CHECK(json_number(295147905179352830000.0) == "295147905179352830000");
  CHECK(json_number(9.999999999999997e22) == "9.999999999999997e+22");
  CHECK(json_number(1e23) == "1e+23");
  CHECK(json_number(999999999999999700000.0) == "999999999999999700000");
  CHECK(json_number(0.000001) == "0.000001");
  CHECK(json_number(1e-7) == "1e-7");
  CHECK(json_number(333333333.33333329) == "333333333.3333333");
  CHECK(json_number(-1.5) == "-1.5");
}

TEST_CASE("canonical JSON sorts names by UTF-16 code units", "[base][json]") {
  // RFC 8785 §3.2.3: U+1F600 (a surrogate pair) sorts before U+FB33.
  auto value =
      parse_json("{\"\\ufb33\":1,\"\\ud83d\\ude00\":2,\"\\u20ac\":3,\"\\r\":4,\"1\":5,\"\\u0080\":6,\"\\u00f6\":7}");
  REQUIRE(value);
  CHECK(
      canonical_json(*value) ==
      "{\"\\r\":4,\"1\":5,\"\xC2\x80\":6,\"\xC3\xB6\":7,\"\xE2\x82\xAC\":3,\"\xF0\x9F\x98\x80\":2,\"\xEF\xAC\xB3\":1}");
}

TEST_CASE("what is not strict JSON is refused without quoting it", "[base][json]") {
  for (std::string_view text :
       {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "01", "\"\xFF\"", "1 2", "{\"$handle\":\"file\"}", "nul", "1e999"}) {
    INFO(text);
    auto value = parse_json(text);
    REQUIRE_FALSE(value);
    CHECK(value.error().code == Errc::invalid);
  }
  auto secret = parse_json("{\"password\": hunter2}");
  REQUIRE_FALSE(secret);
  CHECK(secret.error().message.find("hunter2") == std::string::npos);
}

TEST_CASE("depth and size are limited before they cost anything", "[base][json]") {
  const std::string deep(100'000, '[');
  CHECK(parse_json(deep).error().message.find("nested deeper than 64") != std::string::npos);
  CHECK(parse_json("[1,2,3]", {.max_bytes = 4}).error().code == Errc::too_large);
}

TEST_CASE("a handle survives storage and cannot be forged from outside", "[base][json]") {
  const Value handle(Handle{"file", {{Value("path"), Value("in/a.csv")}}});
  const auto text = to_json(handle);
  CHECK(text == R"({"$handle":"file","path":"in/a.csv"})");
  CHECK(*parse_stored_json(text) == handle);
  CHECK_FALSE(parse_json(text));
}

TEST_CASE("what JSON has no form for survives storage with its type", "[base][json]") {
  struct Row {
    Value value;
    const char* text;
  };
  const double infinite = std::numeric_limits<double>::infinity();
  const Row table[] = {
      {Value(Bytes{}), R"({"$bytes":""})"},
      {Value(Bytes{std::byte{0xde}, std::byte{0xad}, std::byte{0}}), R"({"$bytes":"3q0A"})"},
      {Value(2.0), "2.0"},
      {Value(-3.0), "-3.0"},
      {Value(0.0), "0.0"},
      {Value(-0.0), "-0.0"},
      {Value(0.1), "0.1"},
      {Value(1e20), "100000000000000000000.0"},
      {Value(1e21), "1e+21"},
      {Value(5e-324), "5e-324"},
      {Value(infinite), R"({"$double":"Infinity"})"},
      {Value(-infinite), R"({"$double":"-Infinity"})"},
      {Value(2), "2"},
      {Value(INT64_MIN), "-9223372036854775808"},
      {Value(UINT64_MAX), "18446744073709551615"},
      {Value(ValueList{Value(Bytes{std::byte{1}}), Value(1.0), Value()}), R"([{"$bytes":"AQ=="},1.0,null])"},
      {Value(Handle{"spool", {{Value("at"), Value(1.0)}}}), R"({"$handle":"spool","at":1.0})"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    CHECK(stored_json(row.value) == row.text);
    const auto back = parse_stored_json(row.text);
    REQUIRE(back);
    CHECK(*back == row.value);
    CHECK(stored_json(*back) == row.text);
  }
  const auto nan = parse_stored_json(stored_json(Value(std::numeric_limits<double>::quiet_NaN())));
  REQUIRE(nan);
  CHECK(std::isnan(nan->as_double()));
}

TEST_CASE("marks of stored JSON are refused from outside, and when they are broken", "[base][json]") {
  for (const char* text : {R"({"$bytes":"AQ=="})", R"([{"a":{"$bytes":"AQ==","b":1}}])", R"({"$double":"NaN"})"}) {
    INFO(text);
    const auto foreign = parse_json(text);
    REQUIRE_FALSE(foreign);
    CHECK(foreign.error().message.find("is reserved") != std::string::npos);
    const auto shown = parse_shown_json(text);
    REQUIRE(shown);
    CHECK(to_json(*shown) == text);
  }
  for (const char* text : {R"({"$bytes":"AQ"})", R"({"$bytes":1})", R"({"$bytes":"AQ==","b":1})",
                           R"({"$bytes":"AQ==","$double":"NaN"})", R"({"$double":"1"})", R"({"$handle":null})"}) {
    INFO(text);
    CHECK_FALSE(parse_stored_json(text));
  }
  CHECK(is_reserved_name("$bytes"));
  CHECK_FALSE(is_reserved_name("bytes"));
  CHECK_FALSE(is_reserved_name("$byte"));
  CHECK(to_json(Value(Bytes{std::byte{1}})) == R"("AQ==")");
  CHECK(to_json(Value(2.0)) == "2");
}

TEST_CASE("labelled parts are hidden wherever they are", "[base][value]") {
  const Value row(ValueMap{{Value("id"), Value(7)}, {Value("card"), Value("4111").with_label(Label::masked)}});
  const Value list(ValueList{row, Value("x").with_label(Label::secret)});
  CHECK(to_json(redacted(list)) == R"([{"card":"***","id":7},"***"])");
  CHECK(deep_label(list) == (Label::secret | Label::masked));
}
