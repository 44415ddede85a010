#include "agent/policy/glob.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <string>

using namespace sallyport::policy;

TEST_CASE("patterns match names", "[policy][glob]") {
  struct Row {
    const char* pattern;
    const char* name;
    bool matches;
  };
  const Row table[] = {
      {"*.csv", "orders.csv", true},
      {"*.csv", "orders.csv.tmp", false},
      {"*.csv", ".csv", false},
      {".*", ".hidden", true},
      {"*", "x", true},
      {"*", ".x", false},
      {"?.csv", "a.csv", true},
      {"?.csv", "ab.csv", false},
      {"a*b*c", "aXXbYYc", true},
      {"a*b*c", "aXXcYYb", false},
      {"[a-c]1", "b1", true},
      {"[a-c]1", "d1", false},
      {"[!a-c]1", "d1", true},
      {"[]x]", "]", true},
      {"orders.csv", "Orders.csv", false},
      {"", "", true},
      {"**", "abc", true},
      {"[a-", "a", false},
      {"x[0-9][0-9].csv", "x42.csv", true},
      {"?.txt", "ü.txt", true},
      {"??.txt", "ü.txt", false},
      {"M?ller.csv", "Müller.csv", true},
      {"?", "€", true},
      {"?", "\U0001F600", true},
      {"*?", "ü", true},
      {"*??", "ü", false},
      {"*[é]", "caf\u00e9", true},
      {"[ä-ü]", "ö", true},
      {"[ä-ü]", "o", false},
      {"[!ä]", "ö", true},
      {"[!ä]", "ä", false},
      {"[a-ü]", "z", true},
      {"[ä-]", "-", true},
      {"ü*", "ü", true},
      {"ü", "ö", false},
      {"?", "\xff", true},
      {"??", "\xc3\xff", true},
      {"[\xc3]", "ü", false},
      {"\xff", "\xff", true},
      {"\xff", "\xfe", false},
      {"?", "\xe2\x82", false},
      {"u?", "u\u0308", true},
  };
  for (const auto& row : table) {
    INFO(row.pattern << " against " << row.name);
    CHECK(glob_matches(row.pattern, row.name) == row.matches);
  }
}

TEST_CASE("a hostile pattern takes no exponential time", "[policy][glob]") {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(glob_matches(pattern + "b", std::string(5000, 'a')));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("what is no pattern is known", "[policy][glob]") {
  CHECK(is_glob("*.csv"));
  CHECK(is_glob("[a-z]*"));
  CHECK(is_glob("[ä-ü]?"));
  CHECK_FALSE(is_glob("[ä-"));
  for (const char* bad : {"", "a/b", "[a", "x[!"}) CHECK_FALSE(is_glob(bad));
}
