#include "shared/base/utf8.h"

#include <catch2/catch.hpp>

using namespace sallyport;

TEST_CASE("what others say reaches a terminal without what steers it", "[base]") {
  CHECK(for_terminal("plain \xC3\xA9 text", 100) == "plain \xC3\xA9 text");
  CHECK(for_terminal("\x1b[2Jgone\r\n\x7f", 100) == "?[2Jgone???");
  CHECK(for_terminal("\xC2\x9B"
                     "2J \xE2\x80\xAEtxt",
                     100) == "?2J ?txt");
  CHECK(for_terminal("\xff", 100) == "\xEF\xBF\xBD");
  CHECK(for_terminal("0123456789", 4) == "0123...");
}

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

TEST_CASE("what could steer a terminal, or turn a text around, is found", "[base]") {
  for (const std::string_view bad :
       {std::string_view("\0", 1), std::string_view("\x1f"), std::string_view("a\x1b[31m"), std::string_view("\x7f"),
        std::string_view("\xC2\x80"), std::string_view("a\xC2\x9B"), std::string_view("\xC2\x9F"),
        std::string_view("\xE2\x80\xAA"), std::string_view("ab\xE2\x80\xAE"), std::string_view("\xE2\x81\xA6"),
        std::string_view("\xE2\x81\xA9z")}) {
    CHECK(steers_text(bad));
  }
  for (const std::string_view good : {"", " ", "a~", "\xC2\xA0", "\xC3\x9B", "\xE2\x80\xA9", "\xE2\x80\xAF",
                                      "\xE2\x81\xA5", "\xE2\x81\xAA", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    CHECK_FALSE(steers_text(good));
  }
}
