#include "relay/app/key_provider.h"

#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace sallyport;
using namespace sallyport::app;

namespace {

std::string credentials_text(std::string_view secret) {
  return "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = " + std::string(secret) + "\n";
}

// As a tool that rotates writes it.
void put_in_place(const std::filesystem::path& file, std::string_view text, mode_t mode = 0600) {
  const auto fresh = file.string() + ".new";
  std::ofstream(fresh) << text;
  REQUIRE(::chmod(fresh.c_str(), mode) == 0);
  std::filesystem::rename(fresh, file);
}

}  // namespace

TEST_CASE("credentials in a file count from the moment on at which it is another one", "[app][keys]") {
  test::TempDir dir;
  const std::filesystem::path file = dir.path("credentials");
  const auto source = aws_credentials_in(file.string());
  CHECK(source().error().code == Errc::not_found);
  for (const std::string secret : {"first", "second"}) {
    put_in_place(file, credentials_text(secret));
    const auto read = source();
    REQUIRE(read);
    CHECK(read->secret_access_key.reveal() == secret);
  }
  put_in_place(file, credentials_text("third"), 0644);
  CHECK(!source());  // others may read it
  put_in_place(file, "[default]\n");
  CHECK(source().error().message.find("aws_access_key_id") != std::string::npos);
}
