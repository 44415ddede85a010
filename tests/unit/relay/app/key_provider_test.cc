#include "relay/app/key_provider.h"

#include "shared/crypto/aead.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/relay/app/made_relay.h"

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

namespace {

boost::asio::awaitable<void> take_file_away(std::shared_ptr<keys::Provider> provider, std::filesystem::path file) {
  const auto wrapped = test::must(co_await provider->wrap("global/9", crypto::new_aead_key()));
  CHECK(co_await provider->unwrap("global/9", wrapped));
  std::filesystem::rename(file, file.string() + ".away");
  const auto gone = co_await provider->unwrap("global/9", wrapped);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().message.find(file.string()) != std::string::npos);
  CHECK_FALSE(co_await provider->wrap("global/10", crypto::new_aead_key()));  // nothing comes under a key that is gone
  std::filesystem::rename(file.string() + ".away", file);
  CHECK(co_await provider->unwrap("global/9", wrapped));
  const auto foreign = co_await provider->unwrap("global/10", wrapped);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == Errc::invalid);
  CHECK(foreign.error().message.find("was not wrapped by the master key in " + file.string()) != std::string::npos);
}

}  // namespace

TEST_CASE("a master key whose file is taken away is gone until the file is back", "[app][keys]") {
  test::TempDir folder;
  const auto made = test::made_relay(folder);
  std::shared_ptr<keys::Provider> provider = test::must(make_provider(made.data, FileKeySettings{}, SystemClock()));
  test::run(take_file_away(provider, std::filesystem::absolute(made.data.master_key())));
}
