#include "shared/base/utf8.h"

#include <catch2/catch.hpp>

using namespace sallyport;

TEST_CASE("bytes that are no text are replaced or escaped, and the rest stays", "[base]") {
  CHECK(with_valid_utf8("gr\xC3\xBC\xDF"
                        "e") ==
        "gr\xC3\xBC\xEF\xBF\xBD"
        "e");
  CHECK(escaped_utf8("caf\xE9.csv") == "caf\\xe9.csv");
  CHECK(escaped_utf8("\xF0\x9F\x98") == "\\xf0\\x9f\\x98");
  for (const char* good : {"", "plain", "\xE2\x82\xAC"}) {
    CHECK(with_valid_utf8(good) == good);
    CHECK(escaped_utf8(good) == good);
  }
}

TEST_CASE("a text is shortened where a character ends", "[base]") {
  const std::string text = "\xE2\x82\xAC\xE2\x82\xAC";
  CHECK(shortened(text, 6) == text);
  for (std::size_t limit = 3; limit < 6; ++limit) CHECK(shortened(text, limit) == "\xE2\x82\xAC...");
  for (std::size_t limit = 0; limit < 3; ++limit) CHECK(shortened(text, limit) == "...");
}
