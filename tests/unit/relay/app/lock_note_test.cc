#include "relay/app/lock_note.h"

#include <catch2/catch.hpp>

#include <unistd.h>

using namespace sallyport::app;

namespace {

const LockNote kNote{{4711, 18'446'744'073'709'551'615u, 4026531836, "3f2c"}, Reload::offered};

}  // namespace

TEST_CASE("what a lock says of its holder is read as it was written", "[app][lock]") {
  CHECK(to_text(kNote) == "4711 18446744073709551615 4026531836 3f2c reload\n");
  CHECK(parse_lock_note(to_text(kNote)) == kNote);
  auto silent = kNote;
  silent.reload = Reload::not_offered;
  CHECK(to_text(silent) == "4711 18446744073709551615 4026531836 3f2c -\n");
  CHECK(parse_lock_note(to_text(silent)) == silent);
}

TEST_CASE("a note that was cut short anywhere says nothing", "[app][lock]") {
  const auto text = to_text(kNote);
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    INFO(cut);
    CHECK_FALSE(parse_lock_note(std::string_view(text).substr(0, cut)));
  }
}

TEST_CASE("nothing but the very line is a note", "[app][lock]") {
  for (const auto* odd :
       {"4711", "4711\n", "0 1 2 3f2c reload\n", "-1 1 2 3f2c reload\n", "+1 1 2 3f2c reload\n", " 1 1 2 3f2c reload\n",
        "1 1 2 3f2c reload\n\n", "1 1 2 3f2c reload \n", "1 1 2 3f2c  reload\n", "1 1 2  reload\n", "1 1 2 3f2c\n",
        "1 1 2 3f2c Reload\n", "1 1 2 3f2c yes\n", "1 x 2 3f2c reload\n", "1 1 2x 3f2c reload\n",
        "99999999999 1 2 3f2c reload\n", "1 99999999999999999999 2 3f2c reload\n", "1 1 -2 3f2c reload\n"}) {
    INFO(odd);
    CHECK_FALSE(parse_lock_note(odd));
  }
}

TEST_CASE("a process knows what tells it from others", "[app][lock]") {
  const auto mark = own_mark();
  REQUIRE(mark);
  CHECK(mark->number == ::getpid());
  CHECK(mark->started > 0);
  CHECK(mark->number_space > 0);
  CHECK(mark->boot.size() == 36);
  CHECK(own_mark() == mark);
}
