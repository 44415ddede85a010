#include "agent/smb/configuration.h"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace sallyport::smb;
using sallyport::connectors::smb::wire::Open;
using sallyport::connectors::smb::wire::Trouble;

TEST_CASE("nothing in a path is read as a part of the address", "[smb]") {
  Open settings;
  settings.host = "files.example";
  settings.share = "ex change";
  CHECK(url_of(settings, ".") == "smb://files.example/ex%20change/");
  CHECK(url_of(settings, "in/a b.csv") == "smb://files.example/ex%20change/in/a%20b.csv");
  CHECK(url_of(settings, "%2e%2e/x?y#z") == "smb://files.example/ex%20change/%252e%252e/x%3Fy%23z");
  CHECK(url_of(settings, "ü@h:1;d") == "smb://files.example/ex%20change/%C3%BC%40h%3A1%3Bd");
}

TEST_CASE("SMB 3 and signing whatever the settings, and nothing of them in the configuration", "[smb]") {
  Open settings;
  settings.host = settings.share = settings.user = settings.domain = "x]\n[evil]";
  for (const std::uint8_t encrypts : {0, 1}) {
    settings.encrypts = encrypts;
    const auto text = configuration_for(settings);
    CHECK(text.contains("client min protocol = SMB3_00"));
    CHECK(text.contains("client signing = required"));
    CHECK(text.contains("client smb encrypt = required") == (encrypts == 1));
    CHECK_FALSE(text.contains("evil"));
  }
}

TEST_CASE("errors of the library have a class of ours, and an unknown one is the connection's", "[smb]") {
  CHECK(trouble_of(ENOENT) == Trouble::not_found);
  CHECK(trouble_of(EACCES) == Trouble::permission);
  CHECK(trouble_of(EEXIST) == Trouble::exists);
  CHECK(trouble_of(ENOSPC) == Trouble::disk_full);
  CHECK(trouble_of(ECONNRESET) == Trouble::connection);
  CHECK(trouble_of(12345) == Trouble::connection);
}
