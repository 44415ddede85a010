// Lines of servers and their replies, without one.
#include "agent/connectors/ftps/listing.h"
#include "agent/connectors/ftps/talk.h"

#include <catch2/catch.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::connectors::ftps;
using connectors::remote::Kind;

namespace {

std::string shown(std::string_view line) {
  const auto listed = parse_list(line);
  if (!listed) return "unknown";
  if (!*listed) return "nothing";
  constexpr std::array kKinds{"file", "directory", "other"};
  const auto& facts = (*listed)->facts;
  return std::string(kKinds.at(static_cast<std::size_t>(facts.kind))) + " " + std::to_string(facts.file.size) + " " +
         (*listed)->name;
}

}  // namespace

TEST_CASE("lines of LIST in the forms that are known", "[ftps][listing]") {
  CHECK(shown("-rw-r--r--    1 65533    0               6 Nov 23 18:44 a.txt") == "file 6 a.txt");
  CHECK(shown("-rw-r--r--   1 ftp ftp  4294967296 Jan  1  2024 a  b ") == "file 4294967296 a  b ");
  CHECK(shown("-rw-r--r--   1 ftp   12 May May  1  2024 May 1 2024") == "unknown");
  CHECK(shown("-rw-r--r--+  1 ftp 12 May  1 9:30 x") == "file 12 x");
  CHECK(shown("drwxr-xr-x    2 0 0 4096 Nov 23 18:44 sub") == "directory 4096 sub");
  CHECK(shown("lrwxrwxrwx    1 0 0 11 Nov 23 18:44 link -> /etc/passwd") == "other 11 link -> /etc/passwd");
  CHECK(shown("02-23-05  09:24AM       <DIR>          folder") == "directory 0 folder");
  CHECK(shown("02-23-2005  09:24AM            12345 a b.txt") == "file 12345 a b.txt");
  CHECK(shown("total 8") == "nothing");
  CHECK(shown("").starts_with("nothing"));
  for (const char* line :
       {"-rw-r--r--", "-rw-r--r-- 1 a b -5 Nov 23 18:44 x", "-rw-r--r-- 1 a b 5 Nov 23 18:44", "02-23-05",
        "02-23-05  09:24AM  99999999999999999999 x", "+i8388621.48594,r,s280,\tdjb.html", "Permission denied"}) {
    INFO(line);
    CHECK(shown(line) == "unknown");
  }
}

TEST_CASE("facts of MLSD", "[ftps][listing]") {
  const auto file = parse_facts("Type=file;Size=25730;Modify=19940728095854.25;Perm=; cap;=60 .pl");
  REQUIRE(file);
  CHECK(file->name == "cap;=60 .pl");
  CHECK(file->facts.kind == Kind::file);
  CHECK(file->facts.file.size == 25730);
  CHECK(file->facts.file.mtime_ns == 775'389'534'250'000'000);
  CHECK(parse_facts("type=cdir; /a/path")->facts.kind == Kind::directory);
  CHECK(parse_facts("type=OS.unix=symlink:/x; y")->facts.kind == Kind::other);
  CHECK(parse_facts(" bare")->facts.kind == Kind::other);
  CHECK_FALSE(parse_facts("type=file;size=1"));
  CHECK_FALSE(parse_facts(""));
  for (const char* time : {"", "19940728", "19941328095854", "19940230095854", "1994072809585x", "19940728095854.",
                           "19940728095854.0123456789", "99990728095854"}) {
    INFO(time);
    CHECK_FALSE(parse_time(time));
  }
}

TEST_CASE("replies belong to the commands that were sent", "[ftps][talk]") {
  const std::vector<std::string> expected{"FEAT", "PWD", "DELE /a"};
  const std::string wire = "220-hello\r\n220 there\r\n211-Features:\r\n MLST\r\n211 End\r\n257 \"/a\"\"b\" is it\r\n";
  for (std::size_t cut = 1; cut < wire.size(); ++cut) {
    INFO("pieces of " << cut);
    Talk talk(expected);
    const auto feed = [&](std::string_view text) {
      for (std::size_t at = 0; at < text.size(); at += cut) talk.received(text.substr(at, cut));
    };
    const auto features = wire.find("211-"), path = wire.find("257");
    feed(wire.substr(0, features));
    talk.sent("PASS FEAT\r\n");
    feed("230 in\r\n");
    talk.sent("FEAT\r\n");
    feed(wire.substr(features, path - features));
    talk.sent("PWD\r\n");
    feed(wire.substr(path));
    REQUIRE(talk.replies().size() == 2);
    CHECK(talk.replies()[0].code == 211);
    CHECK(talk.replies()[0].lines == std::vector<std::string>{"Features:", " MLST", "End"});
    CHECK(path_in(talk.replies()[1]) == "/a\"b");
    CHECK(talk.is_answered());
    talk.sent("DELE /a\r\n");
    CHECK_FALSE(talk.is_answered());
    CHECK(talk.replies().back().code == 0);
    feed("150 soon\r\n");
    CHECK_FALSE(talk.is_answered());
  }
}

TEST_CASE("a server that says too much is noticed", "[ftps][talk]") {
  const std::vector<std::string> expected{"FEAT"};
  Talk line(expected);
  line.sent("FEAT\r\n");
  line.received(std::string(Talk::kMostLine + 1, 'x'));
  CHECK(line.is_flooded());
  Talk reply(expected);
  reply.sent("FEAT\r\n");
  for (int i = 0; i < 300 && !reply.is_flooded(); ++i) reply.received(std::string(1000, 'x') + "\r\n");
  CHECK(reply.is_flooded());
  CHECK_FALSE(Talk().is_flooded());
  for (const char* path : {"", "/a", "\"/a", "\"a\"", "\"\"", "\"/a\nb\""}) CHECK_FALSE(path_in({257, {path}}));
}
